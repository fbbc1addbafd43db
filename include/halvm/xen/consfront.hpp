// SPDX-License-Identifier: BSD-3-Clause
// The front half of a domain's consoles besides the first, which libxl calls channels: a ring as the first console's,
// found by the handshake of all split devices. [xen/io/console.h, docs: misc/console.txt]
//
// The page stays when the back end goes, with what was not taken and not read: one that comes back goes on where the
// last one stopped. One that breaks the rules, or whose node goes, ends the console: what waits fails, now and later,
// and nothing else is harmed.
//
// Their back end is a QEMU that libxl starts in dom0. xenconsoled, as of Xen 4.17, serves the first console of a domain
// alone, whatever else the XenStore says.
#pragma once

#include <halvm/contract.hpp>
#include <halvm/device/console.hpp>
#include <halvm/device/console_name.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/fiber/turn.hpp>
#include <halvm/xen/console_ring.hpp>
#include <halvm/xen/frontend.hpp>
#include <halvm/xen/grant_access.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm::xen {

struct consfront_options {
    line_ends ends = line_ends::unchanged;                         ///< the other side is a program
    std::chrono::nanoseconds patience = std::chrono::seconds{30};  ///< for the back end, and at the end for its reading
};

/// The domain's consoles besides the first, with their names. Blocks and fails as the XenStore does.
inline result<std::vector<console_name>> list_consoles(xenstore_connection& store, const wait_limit& limit = {}) {
    auto numbers = list_devices(store, "console", limit);
    if (!numbers)
        return failure(numbers.error());
    std::vector<console_name> consoles;
    for (auto& number : *numbers) {
        if (number == "0")
            continue;
        auto name = store.read("device/console/" + number + "/name", limit);
        if (!name && name.error().code() != std::errc::no_such_file_or_directory)
            return failure(name.error());
        consoles.push_back({std::move(number), name ? std::move(*name) : std::string{}});
    }
    return consoles;
}

/// A console besides the first. Ending its life waits until the back end has taken what was written, and tells it.
template <Platform Domain>
class basic_consfront {
public:
    /// Connects to the console `number`, as list_consoles() has it. Blocks until its back end is there, or until the
    /// limit.
    /// Errors: no_such_device; timed_out, with the state and path of the back end that did not come; operation_canceled
    /// when it was asked to stop; bad_message when the toolstack wrote nonsense; those of the XenStore, grants, ports.
    static result<basic_consfront> open(const basic_mechanisms<Domain>& mechanisms, std::string_view number,
                                        const consfront_options& options, const wait_limit& limit) {
        auto made = std::make_unique<console>(mechanisms, options);
        if (auto begun = made->begin(number, limit); !begun)
            return failure(begun.error());
        return basic_consfront{std::move(made)};
    }
    /// The same within the options' patience.
    static result<basic_consfront> open(const basic_mechanisms<Domain>& mechanisms, std::string_view number,
                                        const consfront_options& options = {}) {
        return open(mechanisms, number, options, fiber::within(options.patience));
    }
    basic_consfront(basic_consfront&&) noexcept = default;
    basic_consfront& operator=(basic_consfront&&) noexcept = default;

    /// While there is no back end, the ring takes what it holds.
    /// Errors: no_such_device when the console was taken away; protocol_error when the back end broke the rules;
    /// timed_out and operation_canceled by the limit.
    result<void> write(const_bytes out, const wait_limit& limit = {}) { return console_->write(out, limit); }
    /// Errors: as write(), once there is nothing to read any more.
    result<std::size_t> read(bytes in, const wait_limit& limit = {}) { return console_->read(in, limit); }
    result<std::size_t> try_read(bytes in) { return console_->try_read(in); }

    /// How often a back end came back.
    [[nodiscard]] std::uint64_t reconnects() const noexcept { return console_->reconnects; }

private:
    class console;
    explicit basic_consfront(std::unique_ptr<console> made) noexcept : console_{std::move(made)} {}

    std::unique_ptr<console> console_;
};

/// The device itself, which stays where it is while its handle moves.
template <Platform Domain>
class basic_consfront<Domain>::console {
public:
    console(const basic_mechanisms<Domain>& mechanisms, const consfront_options& options)
        : mechanisms_{mechanisms}, options_{options} {}
    ~console() {
        stopping_.request_stop();
        if (life_.joinable())
            life_.join();
        if (connected_)
            leave();
        hang_up();
    }
    console(const console&) = delete;
    console& operator=(const console&) = delete;

    result<void> begin(std::string_view number, const wait_limit& limit) {
        auto device = front_device::open(mechanisms_.store, "console", number, limit);
        if (!device)
            return failure(device.error());
        device_ = std::move(*device);
        if (auto connected = connect(limit); !connected) {
            static_cast<void>(device_->set_state(device_state::closed));
            return connected;
        }
        life_ = fiber::spawn([this] { live(); },
                             {.name = "console " + std::string{number}, .stack = service_stack, .service = true});
        return {};
    }

    result<void> write(const_bytes out, const wait_limit& limit) {
        constexpr auto attempted = "write to a console";
        if (out.empty())
            return {};
        const auto turn = fiber::take_turn(writing_, limit, attempted);
        if (!turn)
            return failure(turn.error());
        while (!dead_) {
            const auto taken = ring_->try_write(out);
            if (!taken) {
                fail(taken.error().code());
                break;
            }
            out = out.subspan(*taken);
            if (out.empty())
                return {};
            if (const auto how = fiber::this_scheduler().wait(changed_, limit); how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, attempted);
        }
        return gone();
    }

    result<std::size_t> read(bytes in, const wait_limit& limit) {
        for (;;) {
            auto count = try_read(in);
            if (!count || *count != 0 || in.empty())
                return count;
            if (const auto how = fiber::this_scheduler().wait(changed_, limit); how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, "read from a console");
        }
    }

    result<std::size_t> try_read(bytes in) {
        if (dead_ != std::errc::protocol_error) {
            auto count = ring_->try_read(in);
            if (count && (*count != 0 || in.empty() || !dead_))
                return count;
            if (!count)
                fail(count.error().code());
        }
        return gone();
    }

    std::uint64_t reconnects = 0;

private:
    static constexpr std::size_t service_stack = std::size_t{32} << 10;

    /// What the ring sends through: the port of the day. This device waits in its own way.
    struct to_peer {
        console* of;
        void notify() noexcept {
            if (of->port_.is_open())
                static_cast<void>(of->port_.send());
        }
        result<void> wait(const wait_limit&) noexcept { return fiber::detail::was_closed("wait for a console"); }
    };
    using ring = console_ring<to_peer>;

    // 1. The handshake.

    result<void> connect(const wait_limit& limit) {
        if (auto found = device_->find_backend(limit); !found)
            return found;
        constexpr std::array ready{device_state::init_wait, device_state::initialised, device_state::connected};
        if (auto there = device_->wait_for(ready, limit); !there)
            return failure(there.error());
        if (auto made = make_ring(); !made)
            return made;
        if (auto done = announce(limit); !done)
            return done;
        if (auto done = device_->await_connected(limit); !done)
            return done;
        connected_ = true;
        changed();
        return device_->set_state(device_state::connected, limit);
    }

    /// The page, with what is in it, for the back end that there is now; and a port.
    result<void> make_ring() {
        if (!page_ || page_.peer() != device_->peer()) {
            auto page = share_pages(mechanisms_.grants, device_->peer(), 1, access::read_write);
            if (!page)
                return failure(page.error());
            if (page_)
                std::ranges::copy(page_.bytes(), page->bytes().begin());
            page_ = std::move(*page);
            ring_.emplace(*reinterpret_cast<xencons_interface*>(page_.data()), to_peer{this}, options_.ends);
        }
        auto port = mechanisms_.channels.alloc_unbound(device_->peer());
        if (!port)
            return failure(port.error());
        hang_up();
        port_ = std::move(*port);
        listener_ =
            fiber::spawn([this] { listen(); }, {.name = "console's events", .stack = service_stack, .service = true});
        return {};
    }

    result<void> announce(const wait_limit& limit) {
        return mechanisms_.store.transact(
            [&](transaction& nodes) -> result<void> {
                const auto& path = device_->path();
                if (auto done = nodes.write(path + "/ring-ref", raw(page_.refs().front())); !done)
                    return done;
                if (auto done = nodes.write(path + "/port", raw(port_.number())); !done)
                    return done;
                return nodes.write(path + "/state", static_cast<unsigned>(device_state::initialised));
            },
            limit);
    }

    // 2. The life of the connection.

    void live() {
        const wait_limit until_stopped{stopping_.get_token()};
        for (;;) {
            const auto state = device_->next_state(until_stopped);
            if (!state) {
                if (state.error().code() != std::errc::operation_canceled)
                    fail(state.error().code());
                return;
            }
            if (dead_ || !follow(*state, until_stopped))
                return;
        }
    }

    /// False when the device has come to its end.
    bool follow(device_state state, const wait_limit& limit) {
        switch (state) {
        case device_state::closing:
            connected_ = false;
            static_cast<void>(device_->set_state(device_state::closed, limit));
            return true;
        case device_state::closed:
        case device_state::unknown:
            connected_ = false;
            if (!device_->may_return(state, limit))
                fail(std::make_error_code(std::errc::no_such_device));
            return !dead_;
        case device_state::init_wait: return reconnect(limit);
        default: return true;
        }
    }

    bool reconnect(const wait_limit& until_stopped) {
        connected_ = false;
        const wait_limit limit{fiber::within(options_.patience).deadline, until_stopped.stop};
        if (const auto done = connect(limit); done)
            ++reconnects;
        else if (done.error().code() == std::errc::operation_canceled)
            return false;
        // Else its state will say when.
        return true;
    }

    void listen() {
        while (port_.is_open() && port_.wait()) {
            if (ring_->moved())
                changed();
            else
                port_.was_spurious();
        }
    }

    void leave() {
        const auto limit = fiber::within(options_.patience);
        while (ring_->unsent() != 0 && !dead_)
            if (fiber::this_scheduler().wait(changed_, limit) != fiber::wake::signalled)
                break;
        if (!dead_)
            static_cast<void>(device_->close(limit));
    }

    void hang_up() {
        port_.close();
        if (listener_.joinable())
            listener_.join();
    }

    void fail(std::error_code why) {
        if (!dead_)
            dead_ = why;
        connected_ = false;
        changed();
    }
    failure gone() const { return failure(error{dead_, "use a console that is gone:", device_->path()}); }
    void changed() noexcept { fiber::this_scheduler().signal_all(changed_); }

    basic_mechanisms<Domain> mechanisms_;
    consfront_options options_;
    std::optional<front_device> device_;
    basic_shared_pages<Domain> page_;
    basic_port<Domain> port_;
    std::optional<ring> ring_;
    bool connected_ = false;
    std::error_code dead_;
    fiber::mutex writing_;
    fiber::wait_queue changed_{"a console's other side", true};
    std::stop_source stopping_;
    fiber::handle<void> listener_;
    fiber::handle<void> life_;
};

}  // namespace halvm::xen
