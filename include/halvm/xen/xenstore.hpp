// SPDX-License-Identifier: BSD-3-Clause
// The XenStore of a domain: the client of xenstore_connection.hpp, which has all that can be asked, driven by the event
// channel that the toolstack gave the domain for it.
//
//   auto& store = xen::store();
//   const auto id = store.read_number<unsigned>("domid").value();
//   store.write("data/ready", "1");
//   store.transact([](xen::transaction& all) { return all.write("data/a", "1"); });
//   auto watch = store.watch_path("data").value();
//   while (auto event = watch.next()) ...
#pragma once

#include <halvm/fiber/select.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/xen/event_channel.hpp>
#include <halvm/xen/platform.hpp>
#include <halvm/xen/xenstore_connection.hpp>

#include <new>

namespace halvm::xen {

/// A fiber of its own moves the bytes. It runs behind all fibers that can run, so that what they ask at the same time
/// goes out at once, with one notification.
template <Platform Domain>
class basic_xenstore : public xenstore_connection {
public:
    /// The domain and its channels must outlive this object. When there is no XenStore, or its channel cannot be had,
    /// or there is no memory for the fiber, all calls say so.
    basic_xenstore(Domain& domain, basic_event_channels<Domain>& channels) noexcept
        : basic_xenstore{domain.xenstore(), channels} {}
    /// No fiber may be waiting for an answer, or begin to.
    ~basic_xenstore() {
        stopping_ = true;
        work().set();
    }

    /// How often the other end was told that something moved.
    [[nodiscard]] std::uint64_t notifications() const noexcept { return notifications_; }

private:
    basic_xenstore(xenstore_place place, basic_event_channels<Domain>& channels) noexcept
        : xenstore_connection{place.ring} {
        if (broken())
            return;
        auto adopted = channels.adopt(place.local);
        if (!adopted) {
            give_up(store_errc::closed);
            return;
        }
        port_ = std::move(*adopted);
        try {
            service_ = fiber::spawn([this] { serve(); }, {.name = "XenStore", .stack = 16 << 10, .service = true});
        } catch (const std::bad_alloc&) {
            give_up(store_errc::no_memory);
        }
    }

    void serve() noexcept {
        while (!stopping_ && !broken()) {
            const auto [notify, again] = turn();
            // Xen refuses only when the port is not bound any more.
            if (notify && (++notifications_, !port_.send()))
                give_up(store_errc::closed);
            if (again)
                fiber::yield();
            else
                static_cast<void>(fiber::select({}, fiber::happening(work()), signalled(port_)));
            if (!port_.is_open())
                give_up(store_errc::closed);
        }
    }

    basic_port<Domain> port_;
    std::uint64_t notifications_ = 0;
    bool stopping_ = false;
    fiber::handle<void> service_;
};

}  // namespace halvm::xen
