// SPDX-License-Identifier: BSD-3-Clause
#include "core/console.hpp"

#include "arch/x86_64/cpu.hpp"
#include "core/domain.hpp"
#include "core/events.hpp"
#include "core/hypercall.hpp"
#include "core/late.hpp"
#include "core/time.hpp"

#include <halvm/fiber/turn.hpp>
#include <halvm/xen/console_ring.hpp>
#include <halvm/xen/system_console.hpp>

#include <charconv>
#include <cstdlib>

namespace halvm::core {
namespace {

constexpr std::uint64_t patience_ns = 1'000'000'000;

/// What the other end signals when it has written or read: dom0, or for dom0 Xen itself. Bound on first use.
xen::event_listener& other_end() noexcept {
    static constinit late<xen::event_listener> made;
    return made.get([] {
        return xen::event_listener{events(), domain.is_dom0 ? bind_virq(xen::virq::console) : domain.console_port};
    });
}

struct port_events {
    void notify() noexcept { xen::hypercall::evtchn_send(domain.console_port); }
    result<void> wait(const fiber::wait_limit& limit) noexcept {
        if (const auto how = other_end().wait(limit); how != fiber::wake::signalled)
            return fiber::detail::gave_up(how, "wait for the console");
        return {};
    }
};

using ring = xen::console_ring<port_events>;

ring& console() noexcept {
    static constinit late<ring> made;
    return made.get([] { return ring{*reinterpret_cast<xencons_interface*>(halvm_console_ring), port_events{}}; });
}

/// Of whoever writes to the ring, so that what one call writes stays together.
fiber::mutex& turn() noexcept {
    static constinit late<fiber::mutex> made;
    return made.get([] { return fiber::mutex{}; });
}

/// For dom0: Xen itself writes "\r\n" for '\n'. It takes 128 bytes at a time and prints them at once.
result<void> hypervisor_write(const_bytes out) noexcept {
    const auto text = as_text(out);
    if (xen::hypercall::console_write(text.data(), text.size()) < 0)
        return failure(error{std::make_error_code(std::errc::io_error), "write to the hypervisor's console"});
    return {};
}

std::size_t hypervisor_try_read(bytes in) noexcept {
    const long count = xen::hypercall::console_read(reinterpret_cast<char*>(in.data()), in.size());
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

result<void> write(const_bytes out, const fiber::wait_limit& limit) noexcept {
    if (domain.is_dom0)
        return hypervisor_write(out);
    if (!domain.has_console || out.empty())
        return {};
    const auto held = fiber::take_turn(turn(), limit, "write to the console");
    if (!held)
        return failure(held.error());
    return console().write(out, limit);
}

result<std::size_t> try_read(bytes in) noexcept {
    if (domain.is_dom0)
        return hypervisor_try_read(in);
    if (domain.has_console)
        return console().try_read(in);
    return 0;
}

result<std::size_t> read(bytes in, const fiber::wait_limit& limit) noexcept {
    if (!domain.is_dom0 && domain.has_console)
        return console().read(in, limit);
    if (in.empty())
        return 0;
    for (;;) {
        if (const auto count = hypervisor_try_read(in); count != 0)
            return count;
        if (const auto how = other_end().wait(limit); how != fiber::wake::signalled)
            return fiber::detail::gave_up(how, "read from the console");
    }
}

}  // namespace

void console_write(const char* text, std::size_t size) noexcept {
    static_cast<void>(write(as_bytes({text, size}), {}));
}

std::size_t console_read(char* into, std::size_t size) noexcept {
    return read({reinterpret_cast<std::byte*>(into), size}, {}).value_or(0);
}

std::size_t console_try_read(char* into, std::size_t size) noexcept {
    return try_read({reinterpret_cast<std::byte*>(into), size}).value_or(0);
}

void console_bind() noexcept { other_end(); }

void console_emergency(std::string_view text) noexcept {
    if (domain.is_dom0 || !domain.has_console) {
        xen::hypercall::console_write(text.data(), text.size());
        return;
    }
    // The ring's own indices are not trusted here, because a panic may have come in the middle of using them.
    auto& shared = *reinterpret_cast<volatile xencons_interface*>(halvm_console_ring);
    auto& own = console();
    std::uint32_t written = 0;
    const auto give_up = monotonic_ns() + patience_ns;
    const auto put = [&](char c) {
        while (shared.out_prod - shared.out_cons >= sizeof shared.out) {
            if (monotonic_ns() >= give_up)
                return;
            xen::hypercall::evtchn_send(domain.console_port);
            xen::hypercall::yield();
        }
        const XENCONS_RING_IDX at = shared.out_prod;
        shared.out[MASK_XENCONS_IDX(at, shared.out)] = c;
        arch::compiler_barrier();
        shared.out_prod = at + 1;
        ++written;
    };
    for (const char c : text) {
        if (c == '\n')
            put('\r');
        put(c);
    }
    // After a report that is not the end, the program writes on behind it.
    own.written_around(written);
    xen::hypercall::evtchn_send(domain.console_port);
}

void console_drain() noexcept {
    if (domain.is_dom0 || !domain.has_console)
        return;
    auto& shared = *reinterpret_cast<volatile xencons_interface*>(halvm_console_ring);
    const auto give_up = monotonic_ns() + patience_ns;
    while (shared.out_cons != shared.out_prod && monotonic_ns() < give_up)
        xen::hypercall::yield();
}

}  // namespace halvm::core

namespace halvm::xen {

result<void> system_console::write(const_bytes out, const fiber::wait_limit& limit) noexcept {
    return core::write(out, limit);
}
result<std::size_t> system_console::read(bytes in, const fiber::wait_limit& limit) noexcept {
    return core::read(in, limit);
}
result<std::size_t> system_console::try_read(bytes in) noexcept { return core::try_read(in); }
std::optional<halvm::window_size> system_console::window_size() const noexcept {
    const auto word = [](const char* name) {
        const char* const text = std::getenv(name);
        const std::string_view digits = text == nullptr ? "" : text;
        std::uint16_t number = 0;
        const auto [end, wrong] = std::from_chars(digits.begin(), digits.end(), number);
        return wrong == std::errc{} && end == digits.end() ? number : std::uint16_t{0};
    };
    const halvm::window_size said{.columns = word("COLUMNS"), .rows = word("LINES")};
    return said.columns != 0 && said.rows != 0 ? std::optional{said} : std::nullopt;
}
result<system_console> open_console() noexcept { return system_console{}; }

}  // namespace halvm::xen
