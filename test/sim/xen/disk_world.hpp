// SPDX-License-Identifier: BSD-3-Clause
// A simulated machine with a disk: the toolstack's part, a back end in dom0 over a RAM disk, and the front end's
// domain. The back end obeys unless it is told to stall, lie, fail, die or go away.
#pragma once

#include "device_world.hpp"

#include <halvm/model/ram_disk.hpp>
#include <halvm/xen/blkfront.hpp>
#include <halvm/xen/grant_mapping.hpp>
#include <halvm/xen/ring.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace halvm::sim {

using sim_blkfront = xen::basic_blkfront<domain>;

struct backend_behaviour {
    std::map<std::string, std::string> offers;  ///< nodes besides those of the disk itself, from InitWait on
    std::map<std::string, std::string> features{{"feature-flush-cache", "1"}};  ///< the same, written as it connects
    int flags = 0;                                                              ///< VDISK_*
    bool connects = true;
    int refuses = 0;  ///< so many times it closes instead of connecting
    bool answers = true;
    bool keeps_mapped = false;  ///< unmaps nothing until it ends, as a persistent back end does
    bool lets_go = true;        ///< at its end
    std::function<std::int16_t(const blkif_request_t&)> status;  ///< instead of doing what was asked, unless 0
    std::function<void(blkif_response_t&)> forge;                ///< the answer, before it goes out
    std::function<fiber::instant()> delay;                       ///< before each answer
};

struct disk_world : device_world {
    explicit disk_world(const block_info& info = {.sectors = 4096}, std::uint64_t seed = 1)
        : device_world{"vbd", "51712", seed}, disk{info} {
        serve = [this](const std::stop_token& stop) { obey(stop); };
    }
    ~disk_world() {
        detach();
        back_store.reset();
    }

    result<sim_blkfront> open(const xen::blkfront_options& options = {}) {
        return sim_blkfront::open(mechanisms(), number, options);
    }
    void attach() { device_world::attach({{"virtual-device", number}}); }
    /// Whoever watches is told that the disk is another now.
    void resize(std::uint64_t sectors) {
        disk.resize(sectors);
        daemon.write(back + "/sectors", std::to_string(sectors * (disk.info().sector_size / 512)));
        daemon.write(back + "/state", "4");
    }
    /// Writes into the page of the first ring, as a back end can at any time.
    void poke(std::size_t at, const void* data, std::size_t size) {
        const auto ref = back_store->read_number<std::uint32_t>(front + "/ring-ref");
        if (!ref)
            return;
        const xen::grant_ref refs[]{xen::grant_ref{*ref}};
        if (auto page = xen::map_grants(back_grants, guest.domain.id(), refs, xen::access::read_write))
            std::memcpy(page->data() + at, data, size);
    }
    void check_nothing_left() {
        device_world::check_nothing_left();
        CHECK(guest.domain.events.ports_in_use() == 1);  // the XenStore's
    }

    model::ram_disk disk;
    backend_behaviour behave;
    std::uint64_t taken = 0;       ///< requests
    std::vector<sim_port*> ports;  ///< of the back end's rings, while it is connected
    std::vector<xen::basic_mapping<domain>> not_let_go;

    /// One life of the back end: from InitWait to the end of the connection.
    void obey(const std::stop_token& stop) {
        auto& nodes = *back_store;
        auto watch = nodes.watch_path(front + "/state").value();
        while (!stop.stop_requested()) {
            const auto info = disk.info();
            for (const auto& [name, value] : behave.offers)
                static_cast<void>(nodes.write(back + "/" + name, value));
            static_cast<void>(nodes.write(back + "/state", 2));
            if (!await(watch, device_state::initialised, stop) || !behave.connects)
                break;
            if (behave.refuses > 0) {
                --behave.refuses;
                static_cast<void>(nodes.write(back + "/state", 5));
                if (!await(watch, device_state::closed, stop))
                    break;
                static_cast<void>(nodes.write(back + "/state", 6));
                if (!await(watch, device_state::initialising, stop))
                    break;
                continue;
            }
            connection with{*this};
            for (const auto& [name, value] : behave.features)
                static_cast<void>(nodes.write(back + "/" + name, value));
            static_cast<void>(nodes.write(back + "/sectors", info.sectors * (info.sector_size / 512)));
            static_cast<void>(nodes.write(back + "/sector-size", info.sector_size));
            static_cast<void>(nodes.write(back + "/info", behave.flags | (info.read_only ? VDISK_READONLY : 0)));
            static_cast<void>(nodes.write(back + "/state", 4));
            with.run(watch, stop);
            with.close();
            static_cast<void>(nodes.write(back + "/state", 6));
        }
    }

private:
    struct ring {
        xen::basic_mapping<domain> pages;
        sim_port port;
        std::unique_ptr<xen::back_ring<blkif_request_t, blkif_response_t>> requests;
        fiber::handle<void> serving;
    };

    /// The rings of one connection.
    struct connection {
        explicit connection(disk_world& of) : world{of} {
            auto& nodes = *of.back_store;
            const auto queues = nodes.read_number<unsigned>(of.front + "/multi-queue-num-queues").value_or(1);
            const auto order = nodes.read_number<unsigned>(of.front + "/ring-page-order").value_or(0);
            for (unsigned i = 0; i < queues; ++i) {
                const auto place = queues == 1 ? of.front : of.front + "/queue-" + std::to_string(i);
                std::vector<xen::grant_ref> refs;
                for (unsigned page = 0; page < 1u << order; ++page)
                    refs.push_back(xen::grant_ref{
                        nodes
                            .read_number<std::uint32_t>(
                                place + (order == 0 ? std::string{"/ring-ref"} : "/ring-ref" + std::to_string(page)))
                            .value()});
                auto& one = *rings.emplace_back(std::make_unique<ring>());
                one.pages =
                    xen::map_grants(of.back_grants, of.guest.domain.id(), refs, xen::access::read_write).value();
                one.port =
                    of.dom0.channels
                        .bind_interdomain(of.guest.domain.id(),
                                          xen::port{nodes.read_number<std::uint32_t>(place + "/event-channel").value()})
                        .value();
                of.ports.push_back(&one.port);
                one.requests = std::make_unique<xen::back_ring<blkif_request_t, blkif_response_t>>(one.pages.bytes());
            }
        }

        /// Until the front end closes, or goes, or the back end is to stop.
        void run(xen::watch& watch, const std::stop_token& stop) {
            for (auto& one : rings)
                one->serving = fiber::spawn([this, &one = *one] { answer(one); }, {.name = "back end's ring"});
            for (;;) {
                if (!watch.next(stop))
                    return;
                const auto state = world.back_store->read_state(world.front + "/state").value_or(device_state::unknown);
                if (state == device_state::closing)
                    static_cast<void>(world.back_store->write(world.back + "/state", 5));
                // It lets go of the rings when the front end has closed, as Linux's does.
                if (state == device_state::closed || state == device_state::unknown ||
                    state == device_state::initialising)
                    return;
            }
        }

        void close() {
            world.ports.clear();
            for (auto& one : rings) {
                one->port.close();
                if (one->serving.joinable())
                    one->serving.join();
            }
            if (!world.behave.lets_go) {
                for (auto& [ref, page] : kept)
                    world.not_let_go.push_back(std::move(page));
                for (auto& one : rings)
                    world.not_let_go.push_back(std::move(one->pages));
            }
            kept.clear();
            rings.clear();
        }

        void answer(ring& one) {
            for (;;) {
                for (blkif_request_t request{}; world.behave.answers;) {
                    const auto there = one.requests->take(request);
                    REQUIRE(there.has_value());
                    if (!*there)
                        break;
                    ++world.taken;
                    if (world.behave.delay)
                        fiber::sleep(fiber::wait_limit{world.host.now() + world.behave.delay()});
                    blkif_response_t response{.id = request.id, .operation = request.operation, .status = 0};
                    if (request.operation == BLKIF_OP_INDIRECT)
                        response.operation = reinterpret_cast<const blkif_request_indirect_t&>(request).indirect_op;
                    response.status = world.behave.status ? world.behave.status(request) : std::int16_t{0};
                    if (response.status == 0)
                        response.status = carry_out(request);
                    if (world.behave.forge)
                        world.behave.forge(response);
                    if (!one.port.is_open())
                        return;
                    one.requests->push(response);
                    if (one.requests->publish())
                        static_cast<void>(one.port.send());
                }
                if (!one.port.is_open() || !one.port.wait())
                    return;
            }
        }

        std::int16_t carry_out(const blkif_request_t& request) {
            switch (request.operation) {
            case BLKIF_OP_READ:
            case BLKIF_OP_WRITE:
                return move_data(request.operation == BLKIF_OP_WRITE, request.sector_number,
                                 {request.seg, request.nr_segments});
            case BLKIF_OP_INDIRECT: {
                blkif_request_indirect_t indirect{};
                std::memcpy(&indirect, &request, sizeof indirect);
                auto table = map(indirect.indirect_grefs[0], least(xen::access::read_only));
                std::vector<blkif_request_segment> segments(indirect.nr_segments);
                std::memcpy(segments.data(), table.data(), segments.size() * sizeof segments[0]);
                return move_data(indirect.indirect_op == BLKIF_OP_WRITE, indirect.sector_number, segments);
            }
            // Without data it is a flush; front ends of our time send no other.
            case BLKIF_OP_WRITE_BARRIER:
                if (request.nr_segments != 0)
                    return BLKIF_RSP_ERROR;
                [[fallthrough]];
            case BLKIF_OP_FLUSH_DISKCACHE: return flush(world.disk) ? 0 : BLKIF_RSP_ERROR;
            case BLKIF_OP_DISCARD: {
                blkif_request_discard_t wanted{};
                std::memcpy(&wanted, &request, sizeof wanted);
                const auto units = world.disk.info().sector_size / 512;
                return discard(world.disk, wanted.sector_number / units, wanted.nr_sectors / units) ? 0
                                                                                                    : BLKIF_RSP_ERROR;
            }
            default: return BLKIF_RSP_EOPNOTSUPP;
            }
        }

        std::int16_t move_data(bool writes, std::uint64_t unit, std::span<const blkif_request_segment> segments) {
            const auto units = world.disk.info().sector_size / 512;
            std::vector<std::byte> data;
            for (const auto& one : segments)
                data.resize(data.size() + (one.last_sect - one.first_sect + 1u) * 512);
            if (!writes && !read(world.disk, unit / units, data))
                return BLKIF_RSP_ERROR;
            std::size_t at = 0;
            for (const auto& one : segments) {
                xen::basic_mapping<domain> once;
                if (!world.behave.keeps_mapped)
                    once = map(one.gref, writes ? xen::access::read_only : xen::access::read_write);
                else if (!kept.contains(one.gref))
                    kept.emplace(one.gref, map(one.gref, xen::access::read_write));
                auto& page = world.behave.keeps_mapped ? kept.at(one.gref) : once;
                const bytes part =
                    page.bytes().subspan(one.first_sect * 512u, (one.last_sect - one.first_sect + 1u) * 512u);
                if (writes)
                    std::copy(part.begin(), part.end(), data.begin() + static_cast<std::ptrdiff_t>(at));
                else
                    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at), part.size(), part.begin());
                at += part.size();
            }
            return !writes || write(world.disk, unit / units, data) ? 0 : BLKIF_RSP_ERROR;
        }

        /// What is kept for any request is mapped for any.
        [[nodiscard]] xen::access least(xen::access wanted) const {
            return world.behave.keeps_mapped ? xen::access::read_write : wanted;
        }
        xen::basic_mapping<domain> map(grant_ref_t ref, xen::access wanted) {
            const xen::grant_ref refs[]{xen::grant_ref{ref}};
            return xen::map_grants(world.back_grants, world.guest.domain.id(), refs, wanted).value();
        }

        disk_world& world;
        std::vector<std::unique_ptr<ring>> rings;
        std::map<grant_ref_t, xen::basic_mapping<domain>> kept;
    };
};

}  // namespace halvm::sim
