// SPDX-License-Identifier: BSD-3-Clause
// A simulated machine with a console besides the first. Its back end does the handshake; what it reads and writes is
// the test's, by a Console of its own.
#pragma once

#include "device_world.hpp"

#include <halvm/xen/consfront.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halvm::sim {

using sim_consfront = xen::basic_consfront<domain>;

struct console_world : device_world {
    explicit console_world(std::string_view called = "1", std::uint64_t seed = 1)
        : device_world{"console", called, seed} {
        serve = [this](const std::stop_token& stop) { live(stop); };
    }
    ~console_world() {
        detach();
        back_store.reset();
    }

    result<sim_consfront> open(const xen::consfront_options& options = {}) {
        return sim_consfront::open(mechanisms(), number, options);
    }

    /// What both ends share. Pre: the back end is connected.
    [[nodiscard]] xencons_interface& ring() const { return *reinterpret_cast<xencons_interface*>(page.data()); }
    void tell() { static_cast<void>(port.send()); }

    xen::basic_mapping<domain> page;
    sim_port port;
    bool connects = true;

private:
    /// One life of the back end after another, each from InitWait to the end of the connection.
    void live(const std::stop_token& stop) {
        auto& nodes = *back_store;
        auto watch = nodes.watch_path(front + "/state").value();
        while (!stop.stop_requested()) {
            static_cast<void>(nodes.write(back + "/state", 2));
            if (!await(watch, device_state::initialised, stop) || !connects)
                return;
            const xen::grant_ref refs[]{xen::grant_ref{nodes.read_number<std::uint32_t>(front + "/ring-ref").value()}};
            page = xen::map_grants(back_grants, guest.domain.id(), refs, xen::access::read_write).value();
            port = dom0.channels
                       .bind_interdomain(guest.domain.id(),
                                         xen::port{nodes.read_number<std::uint32_t>(front + "/port").value()})
                       .value();
            static_cast<void>(nodes.write(back + "/state", 4));
            while (watch.next(stop)) {
                const auto state = nodes.read_state(front + "/state").value_or(device_state::unknown);
                if (state == device_state::closing)
                    static_cast<void>(nodes.write(back + "/state", 5));
                if (state == device_state::closed || state == device_state::unknown)
                    break;
            }
            port.close();
            page = {};
            static_cast<void>(nodes.write(back + "/state", 6));
            if (!stop.stop_requested() && !await(watch, device_state::initialising, stop))
                return;
        }
    }
};

/// What the back end reads and writes. Pre: it is connected meanwhile.
class back_console {
public:
    explicit back_console(console_world& world) noexcept : world_{&world} {}
    back_console(back_console&&) noexcept = default;
    back_console& operator=(back_console&&) noexcept = default;

    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) {
        while (!out.empty()) {
            auto& ring = world_->ring();
            const std::size_t room = sizeof ring.in - (ring.in_prod - ring.in_cons);
            const std::size_t count = std::min(out.size(), room);
            for (std::size_t i = 0; i < count; ++i)
                ring.in[ring.in_prod++ % sizeof ring.in] = static_cast<char>(out[i]);
            out = out.subspan(count);
            if (count != 0)
                world_->tell();
            else if (auto waited = world_->port.wait(limit); !waited)
                return waited;
        }
        return {};
    }
    result<std::size_t> try_read(bytes in) {
        auto& ring = world_->ring();
        const std::size_t count = std::min<std::size_t>(in.size(), ring.out_prod - ring.out_cons);
        for (std::size_t i = 0; i < count; ++i)
            in[i] = static_cast<std::byte>(ring.out[ring.out_cons++ % sizeof ring.out]);
        if (count != 0)
            world_->tell();
        return count;
    }
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) {
        for (;;) {
            auto count = try_read(in);
            if (!count || *count != 0 || in.empty())
                return count;
            if (const auto waited = world_->port.wait(limit); !waited)
                return failure(waited.error());
        }
    }

private:
    console_world* world_;
};
static_assert(Console<back_console>);

}  // namespace halvm::sim
