// SPDX-License-Identifier: BSD-3-Clause
// The program's own connection to the XenStore, and what is done about the toolstack's requests.
#include <halvm/xen/store.hpp>

#include "core/ending.hpp"
#include "core/panic.hpp"
#include "fiber/report.hpp"

#include <halvm/shutdown.hpp>
#include <halvm/xen/domain_control.hpp>
#include <halvm/xen/events.hpp>

#include <cstdlib>
#include <exception>
#include <utility>

namespace halvm::xen {
namespace {

/// Never destroyed: destructors of static objects may use the store.
struct program_store {
    program_store() noexcept : store{below, events()} {}

    void start_control() noexcept {
        try {
            control = fiber::spawn(
                [this] {
                    control_fiber = &fiber::this_scheduler().current();
                    control_fiber->service = !awaited;
                    requests.shutdown = [this](shutdown_kind how) { shut_down(how); };
                    requests.sysrq = [this](char key) { sysrq(key); };
                    static_cast<void>(requests.serve(store));
                },
                {.name = "domain control", .service = true});
        } catch (const std::bad_alloc&) {
            // The program can go on; it is only deaf.
        }
    }

    /// The program waits for what the toolstack asks: when nothing else can happen, that is no deadlock.
    void await_requests() noexcept {
        awaited = true;
        if (control_fiber != nullptr)
            control_fiber->service = false;
    }

    void shut_down(shutdown_kind how) {
        if (on_shutdown)
            return std::function{on_shutdown}(how);
        if (!token_taken || how == shutdown_kind::crash)
            end_domain(how);
        core::end_with(how == shutdown_kind::reboot ? SHUTDOWN_reboot : SHUTDOWN_poweroff);
        stop.request_stop();
    }

    void sysrq(char key) {
        if (on_sysrq)
            return std::function{on_sysrq}(key);
        switch (key) {
        case 'b': core::shut_down_now(SHUTDOWN_reboot);
        case 'o': core::shut_down_now(SHUTDOWN_poweroff);
        case 'c': core::panic("the toolstack asked for a crash");
        case 't': fiber::print_fibers(); break;
        default: break;
        }
    }

    guest below;
    xenstore store;
    control_requests requests;
    std::function<void(shutdown_kind)> on_shutdown;
    std::function<void(char)> on_sysrq;
    bool token_taken = false;
    bool awaited = false;
    fiber::task* control_fiber = nullptr;
    std::stop_source stop;
    fiber::handle<void> control;
};

program_store& of_program() noexcept {
    alignas(program_store) static std::byte storage[sizeof(program_store)];
    static program_store* made = nullptr;
    if (made == nullptr) {
        made = new (storage) program_store;
        made->start_control();
    }
    return *made;
}

}  // namespace

xenstore& store() noexcept { return of_program().store; }

void on_shutdown(std::function<void(shutdown_kind)> handler) {
    of_program().await_requests();
    of_program().on_shutdown = std::move(handler);
}

void on_sysrq(std::function<void(char)> handler) {
    of_program().await_requests();
    of_program().on_sysrq = std::move(handler);
}

void end_domain(shutdown_kind how, int status) {
    if (how == shutdown_kind::crash)
        core::panic("the toolstack asked for a crash");
    core::end_with(how == shutdown_kind::reboot ? SHUTDOWN_reboot : SHUTDOWN_poweroff);
    std::exit(status);
}

}  // namespace halvm::xen

std::stop_token halvm::shutdown_token() noexcept {
    auto& own = xen::of_program();
    own.await_requests();
    own.token_taken = true;
    return own.stop.get_token();
}
