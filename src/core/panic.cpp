// SPDX-License-Identifier: BSD-3-Clause
#include "core/panic.hpp"

#include "core/console.hpp"
#include "core/ending.hpp"
#include "core/symbols.hpp"
#include "fiber/report.hpp"
#include "text/line_writer.hpp"

#include <halvm/contract.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/panic.hpp>

#include <array>
#include <unwind.h>
#include <utility>

namespace halvm::core {
namespace {

void print_frame(unsigned number, std::uintptr_t address, bool is_call) noexcept {
    line_writer line;
    line.text("  #");
    line.decimal(number);
    line.text(" ");
    line.hex(address);
    std::array<char, 256> name;
    // A return address may be the first of the next function, when the call was a function's last instruction.
    if (const auto found = find_symbol(address - is_call, name)) {
        line.text(" ");
        line.text(found->name);
        line.text("+");
        line.hex(address - found->begin);
    }
    line.text("\n");
    console_emergency(line.view());
}

struct walk {
    std::uintptr_t first;  // the panic's own frames, before this one, are of no interest
    unsigned frames = 0;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* data) noexcept {
    auto& progress = *static_cast<walk*>(data);
    int before_instruction = 0;
    const auto address = _Unwind_GetIPInfo(context, &before_instruction);
    if (address == 0 || progress.frames == 64)
        return _URC_END_OF_STACK;
    if (progress.frames == 0 && address != progress.first)
        return _URC_NO_REASON;
    print_frame(progress.frames++, address, before_instruction == 0);
    return _URC_NO_REASON;
}

void print_heading() noexcept {
    line_writer line;
    line.text("backtrace");
    if (auto* const own = fiber::detail::of_this_vcpu) {
        line.text(" of fiber ");
        line.text(own->current().name());
        // No watchdog is to end the domain before the report is out.
        if (own->watched_by() != nullptr)
            own->watched_by()->idle_begins(fiber::never);
    }
    line.text(":\n");
    console_emergency(line.view());
}

[[noreturn]] void finish(line_writer& message, std::uintptr_t first, void (*print)(const void*) = nullptr,
                         const void* state = nullptr) noexcept {
    // A second panic can only come from what follows, most likely from a stack that cannot be walked.
    static bool panicking = false;
    if (std::exchange(panicking, true)) {
        console_emergency("  the report cannot go on: ");
        message.text("\n");
        console_emergency(message.view());
        crash();
    }
    message.text("\n");
    console_emergency(message.view());
    if (print != nullptr)
        print(state);
    print_heading();
    walk progress{first};
    _Unwind_Backtrace(visit, &progress);
    fiber::print_other_fibers();
    crash();
}

}  // namespace

void panic(const char* format, ...) noexcept {
    line_writer message;
    message.text("halvm: panic: ");
    std::va_list arguments;
    va_start(arguments, format);
    message.format(format, arguments);
    va_end(arguments);
    finish(message, reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)));
}

void panic_at(std::uintptr_t where, const char* text, void (*print)(const void*), const void* state) noexcept {
    line_writer message;
    message.text("halvm: panic: ");
    message.text(text);
    finish(message, where, print, state);
}

}  // namespace halvm::core

void halvm::panic(const char* message) noexcept { core::panic("%s", message); }

void halvm::contract_failed(const char* kind, const char* expression, const char* file, int line) noexcept {
    core::panic("%s failed: %s, at %s:%d", kind, expression, file, line);
}
