// SPDX-License-Identifier: BSD-3-Clause
#include "arch/x86_64/trap_frame.hpp"

#include "arch/x86_64/cpu.hpp"
#include "core/console.hpp"
#include "core/hypercall.hpp"
#include "core/image.hpp"
#include "core/panic.hpp"
#include "text/line_writer.hpp"

#include <array>
#include <cstring>

extern "C" {
struct trap_entry {
    std::uint64_t vector;
    std::uint64_t address;
};
extern const trap_entry halvm_trap_entries[];
void halvm_failsafe();
void halvm_event_upcall();
void halvm_nmi();
}

namespace halvm::arch {
namespace {

constexpr std::array names{"divide error",
                           "debug",
                           "NMI",
                           "breakpoint",
                           "overflow",
                           "bound range",
                           "invalid opcode",
                           "device not available",
                           "double fault",
                           "coprocessor overrun",
                           "invalid TSS",
                           "segment not present",
                           "stack fault",
                           "general protection fault",
                           "page fault",
                           "",
                           "floating-point error",
                           "alignment check",
                           "machine check",
                           "SIMD floating-point error"};

void describe(line_writer& out, const trap_frame& frame) {
    const auto vector = static_cast<std::size_t>(frame.vector);
    out.text(vector < names.size() ? names[vector] : "failsafe callback");
    if (vector == 14) {
        // [sdm3 4.7]: bit 0 present, bit 1 write, bit 4 instruction fetch.
        const auto address = fault_address();
        out.text(frame.error_code & 16 ? ": executing " : frame.error_code & 2 ? ": writing " : ": reading ");
        out.hex(address);
        out.text(frame.error_code & 1 ? ", which its page's protection forbids" : ", where nothing is mapped");
        if (address < 4096)
            out.text(" (null pointer)");
    } else if (frame.error_code != 0) {
        out.text(", error code ");
        out.hex(frame.error_code);
    }
}

struct register_place {
    char name[4];
    std::uint8_t offset;
};
constexpr register_place registers[]{
    {"rip", offsetof(trap_frame, rip)}, {"rsp", offsetof(trap_frame, rsp)}, {"rfl", offsetof(trap_frame, rflags)},
    {"rax", offsetof(trap_frame, rax)}, {"rbx", offsetof(trap_frame, rbx)}, {"rcx", offsetof(trap_frame, rcx)},
    {"rdx", offsetof(trap_frame, rdx)}, {"rsi", offsetof(trap_frame, rsi)}, {"rdi", offsetof(trap_frame, rdi)},
    {"rbp", offsetof(trap_frame, rbp)}, {"r8 ", offsetof(trap_frame, r8)},  {"r9 ", offsetof(trap_frame, r9)},
    {"r10", offsetof(trap_frame, r10)}, {"r11", offsetof(trap_frame, r11)}, {"r12", offsetof(trap_frame, r12)},
    {"r13", offsetof(trap_frame, r13)}, {"r14", offsetof(trap_frame, r14)}, {"r15", offsetof(trap_frame, r15)}};

void print_registers(const void* frame) {
    line_writer line;
    int column = 0;
    for (const register_place& one : registers) {
        std::uint64_t value;
        std::memcpy(&value, static_cast<const std::byte*>(frame) + one.offset, sizeof value);
        line.text("  ");
        line.text(one.name);
        line.text(" ");
        line.hex_padded(value);
        if (++column % 3 == 0) {
            line.text("\n");
            core::console_emergency(line.view());
            line.clear();
        }
    }
}

}  // namespace

extern "C" [[noreturn]] void halvm_trap(trap_frame* frame) noexcept {
    line_writer message;
    describe(message, *frame);
    const trap_frame state = *frame;
    // A call of something that is no code has pushed where it came from, and only there can a backtrace begin.
    const auto in_text = [](std::uint64_t address) {
        return address >= image::address(image::text_begin) && address < image::address(image::text_end);
    };
    if (!in_text(frame->rip)) {
        const auto caller = *reinterpret_cast<const std::uint64_t*>(frame->rsp);
        if (in_text(caller)) {
            frame->rip = caller;
            frame->rsp += sizeof caller;
        }
    }
    core::panic_at(frame->rip, message.c_str(), print_registers, &state);
}

void install_traps() noexcept {
    std::array<trap_info_t, 24> table{};
    std::size_t count = 0;
    for (const trap_entry* entry = halvm_trap_entries; entry->address != 0; ++entry) {
        // int3 and into may be executed by the program itself, which runs at level 3.
        const std::uint8_t level = entry->vector == 3 || entry->vector == 4 ? 3 : 0;
        table[count++] = {static_cast<std::uint8_t>(entry->vector), level, FLAT_KERNEL_CS, entry->address};
    }
    xen::hypercall::set_trap_table(table.data());
    xen::hypercall::callback_register_at(CALLBACKTYPE_event, halvm_event_upcall);
    xen::hypercall::callback_register_at(CALLBACKTYPE_failsafe, halvm_failsafe);
    // It comes at any moment, while the domain is blocked too, and leaves events masked. The way to look into a
    // program that hangs: `xl trigger DOMAIN nmi`.
    xen::hypercall::callback_register_at(CALLBACKTYPE_nmi, halvm_nmi);
}

}  // namespace halvm::arch
