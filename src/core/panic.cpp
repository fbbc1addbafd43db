// SPDX-License-Identifier: BSD-3-Clause
#include "core/panic.hpp"

#include "core/console.hpp"
#include "core/ending.hpp"
#include "core/format.hpp"
#include "core/symbols.hpp"

#include <halvm/contract.hpp>

#include <cstring>
#include <unwind.h>

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
    line.emit();
}

struct walk {
    unsigned frames = 0;
    std::uintptr_t last_cfa = 0;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* data) noexcept {
    auto& progress = *static_cast<walk*>(data);
    int before_instruction = 0;
    const auto address = _Unwind_GetIPInfo(context, &before_instruction);
    const auto cfa = _Unwind_GetCFA(context);
    if (address == 0 || progress.frames == 64 || (progress.frames != 0 && cfa == progress.last_cfa && cfa == 0))
        return _URC_END_OF_STACK;
    progress.last_cfa = cfa;
    print_frame(progress.frames++, address, before_instruction == 0);
    return _URC_NO_REASON;
}

[[noreturn]] void finish(void (*print)(const void*), const void* state, line_writer& message) noexcept {
    // A second panic inside the first one: what was being printed is not worth a third.
    static int depth = 0;
    if (++depth > 2)
        crash();
    message.text("\n");
    message.emit();
    if (depth == 1) {
        if (print != nullptr)
            print(state);
        walk progress;
        console_emergency("backtrace:\n");
        _Unwind_Backtrace(visit, &progress);
    }
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
    finish(nullptr, nullptr, message);
}

void panic_with(void (*print)(const void*), const void* state, const char* text) noexcept {
    line_writer message;
    message.text("halvm: panic: ");
    message.text(text);
    finish(print, state, message);
}

}  // namespace halvm::core

void halvm::contract_failed(const char* kind, const char* expression, const char* file, int line) noexcept {
    core::panic("%s failed: %s, at %s:%d", kind, expression, file, line);
}
