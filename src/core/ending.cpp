// SPDX-License-Identifier: BSD-3-Clause
#include "core/ending.hpp"

#include "core/console.hpp"
#include "core/domain.hpp"
#include "core/program.hpp"
#include "core/time.hpp"
#include "text/line_writer.hpp"

#include <halvm/program.hpp>

#include <atomic>

namespace halvm::core {
namespace {

constexpr std::uint64_t patience_ns = 1'000'000'000;

/// One XenStore request, polled: at the end of a program nothing may be waited for without a limit, and a client
/// that the program was using may be in the middle of a message. What the store answers is not looked at.
/// [xen/io/xs_wire.h]
void xenstore_write(std::string_view node, std::string_view value) noexcept {
    auto& ring = *reinterpret_cast<volatile xenstore_domain_interface*>(halvm_xenstore_ring);
    const auto give_up = monotonic_ns() + patience_ns;
    const auto put = [&](const char* data, std::size_t size) {
        for (; size != 0; --size) {
            while (ring.req_prod - ring.req_cons >= XENSTORE_RING_SIZE) {
                if (monotonic_ns() >= give_up)
                    return;
                xen::hypercall::yield();
            }
            const XENSTORE_RING_IDX at = ring.req_prod;
            ring.req[MASK_XENSTORE_IDX(at)] = *data++;
            std::atomic_thread_fence(std::memory_order_release);
            ring.req_prod = at + 1;
        }
    };
    const xsd_sockmsg header{XS_WRITE, 0xe0d, 0, static_cast<std::uint32_t>(node.size() + 1 + value.size())};
    put(reinterpret_cast<const char*>(&header), sizeof header);
    put(node.data(), node.size());
    put("", 1);
    put(value.data(), value.size());
    xen::hypercall::evtchn_send(domain.xenstore_port);

    // The answer only tells that the request was carried out; answers to earlier requests may come before it.
    const XENSTORE_RING_IDX before = ring.rsp_prod;
    while ((ring.req_cons != ring.req_prod || ring.rsp_prod == before) && monotonic_ns() < give_up)
        xen::hypercall::yield();
}

unsigned reason_at_end = SHUTDOWN_poweroff;

}  // namespace

void shut_down_now(unsigned reason) noexcept {
    xen::hypercall::shutdown(reason);
    __builtin_trap();
}

void end_with(unsigned reason) noexcept { reason_at_end = reason; }

void publish_status(std::string_view status) noexcept {
    if (domain.has_xenstore)
        xenstore_write("data/halvm/status", status);
    if (domain.is_dom0 && domain.token[0] != '\0') {
        line_writer line;
        line.text("halvm[");
        line.text(domain.token);
        line.text("]: status ");
        line.text(status);
        line.text("\n");
        console_emergency(line.view());
    }
}

void crash() noexcept {
    publish_status("panic");
    console_drain();
    // Under a test that boots the program as dom0, a crash would stop the whole machine and wait for a key.
    shut_down_now(domain.is_dom0 ? SHUTDOWN_reboot : SHUTDOWN_crash);
}

void power_off(int status) noexcept {
    line_writer number;
    number.text(status < 0 ? "-" : "");
    number.decimal(status < 0 ? 0u - static_cast<unsigned>(status) : static_cast<unsigned>(status));
    if (status != 0) {
        line_writer line;
        line.text("halvm: exit status ");
        line.text(number.view());
        line.text("\n");
        console_emergency(line.view());
    }
    publish_status(number.view());
    console_drain();
    shut_down_now(domain.is_dom0 ? SHUTDOWN_reboot : reason_at_end);
}

}  // namespace halvm::core

std::string_view halvm::command_line() noexcept { return core::domain.command_line; }
