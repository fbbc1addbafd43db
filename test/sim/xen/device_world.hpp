// SPDX-License-Identifier: BSD-3-Clause
// A simulated machine with a split device: the toolstack's part, a place for its back end in dom0, and the front end's
// domain. What the back end does is the device's own.
#pragma once

#include "store_world.hpp"

#include <halvm/xen/frontend.hpp>
#include <halvm/xen/grant_mapping.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace halvm::sim {

using sim_table = xen::basic_grant_table<domain>;
using xen::device_state;

struct device_world : client_world {
    device_world(std::string_view kind, std::string_view called, std::uint64_t seed)
        : client_world{seed},
          number{called},
          front{"/local/domain/1/device/" + std::string{kind} + "/" + number},
          back{"/local/domain/0/backend/" + std::string{kind} + "/1/" + number} {}

    const std::string number;
    const std::string front;
    const std::string back;

    xen::basic_mechanisms<domain> mechanisms() { return {guest.domain, guest.channels, grants, store}; }

    /// As `xl` attaches it, with nodes of its own in the front end's place.
    void attach(const std::map<std::string, std::string>& more = {}) {
        using access = xen::permission::access;
        const xen::domid us = guest.domain.id();
        const auto make = [&](const std::string& path, std::string_view value, xen::domid owner, xen::domid reader) {
            daemon.write(path, value);
            daemon.set_permissions(path, {{owner, access::none}, {reader, access::read}});
        };
        make(back, "", xen::dom0, us);
        make(back + "/frontend", front, xen::dom0, us);
        make(back + "/online", "1", xen::dom0, us);
        make(back + "/state", "1", xen::dom0, us);
        make(front, "", us, xen::dom0);
        make(front + "/backend", back, us, xen::dom0);
        make(front + "/backend-id", "0", us, xen::dom0);
        for (const auto& [name, value] : more)
            make(front + "/" + name, value, us, xen::dom0);
        make(front + "/state", "1", us, xen::dom0);
        start_backend();
    }
    /// As the toolstack asks for it: the front end closes first.
    void ask_to_close() { daemon.write(back + "/state", "5"); }
    /// The nodes go, whatever the front end does.
    void detach() {
        stop_backend();
        daemon.remove(front);
        daemon.remove(back);
    }
    void start_backend() {
        serving = fiber::spawn([this](std::stop_token stop) { serve(stop); }, {.name = "back end"});
    }
    void stop_backend() {
        if (serving.joinable()) {
            serving.request_stop();
            serving.join();
        }
    }
    /// What must be true when the front end has gone and its back end too.
    void check_nothing_left() {
        detach();
        CHECK(grants.collect() == 0);
        CHECK(grants.statistics().in_use == 0);
        CHECK(grants.statistics().parked_pages == 0);
        CHECK(back_grants.statistics().mapped == 0);
    }

    /// The back end, in a fiber of its own, until it is to stop.
    std::function<void(const std::stop_token& stop)> serve;
    sim_table grants{guest.domain};
    sim_table back_grants{dom0.domain};
    std::optional<sim_xenstore> back_store{std::in_place, dom0.domain, dom0.channels};
    fiber::handle<void> serving;

protected:
    bool await(xen::watch& watch, device_state wanted, const std::stop_token& stop) {
        for (;;) {
            if (!watch.next(stop))
                return false;
            if (back_store->read_state(front + "/state").value_or(device_state::unknown) == wanted)
                return true;
        }
    }
};

}  // namespace halvm::sim
