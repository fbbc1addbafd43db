// SPDX-License-Identifier: BSD-3-Clause
#include "fiber/stacks.hpp"

#include "fiber/report.hpp"
#include "fiber_machine.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace halvm::fiber {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t slab = 64 * 1024;  // packed stacks are mapped this much at a time
constexpr std::size_t size_classes = 64;

/// Lies at the top of a stack that is in the pool, where its last owner was, so that no other page is touched.
struct pooled {
    pooled* next;
};

struct pool {
    std::array<pooled*, size_classes> free{};
};
constinit std::array<pool, 2> pools{};  // packed and guarded

pooled* top_of(const stack_memory& stack) noexcept { return reinterpret_cast<pooled*>(stack.base + stack.size) - 1; }

// What an unguarded stack begins with. A function that skips over these words has overrun the stack unseen; that is
// what a guard is for.
constexpr std::uint64_t mark = 0x7374'6163'6b65'6e64;
constexpr std::size_t marks = 4;

void write_marks(const stack_memory& stack) noexcept {
    for (std::size_t i = 0; i < marks; ++i)
        std::memcpy(stack.base + i * sizeof mark, &mark, sizeof mark);
}

// Reads what may be any function's frame, red zones of the sanitizer's included.
[[gnu::no_sanitize_address]] bool marks_whole(const stack_memory& stack) noexcept {
    const auto* const found = reinterpret_cast<const std::uint64_t*>(stack.base);
    for (std::size_t i = 0; i < marks; ++i)
        if (found[i] != mark)
            return false;
    return true;
}

}  // namespace

stack_memory take_stack(std::size_t size, bool guarded) noexcept {
    // Sizes are powers of two, so that a class has one size.
    size = std::bit_ceil(std::max(size, guarded ? page : page / 2));
    const auto size_class = static_cast<std::size_t>(std::countr_zero(size));
    pooled*& free = pools[guarded].free[size_class];
    if (free == nullptr) {
        const std::size_t mapped = guarded ? size : std::max(size, slab);
        std::byte* const memory = map_stack(mapped, guarded);
        if (memory == nullptr)
            return {};
        for (std::size_t at = 0; at < mapped; at += size) {
            const stack_memory one{memory + at, size, guarded};
            if (!guarded)
                write_marks(one);
            *top_of(one) = {free};
            free = top_of(one);
        }
    }
    pooled* const top = free;
    free = top->next;
    const stack_memory stack{reinterpret_cast<std::byte*>(top + 1) - size, size, guarded};
    happens_after(stack.base);
    return stack;
}

void give_back_stack(const stack_memory& stack) noexcept {
    happens_before(stack.base);
    pooled*& free = pools[stack.guarded].free[static_cast<std::size_t>(std::countr_zero(stack.size))];
    *top_of(stack) = {free};
    free = top_of(stack);
}

void check_stack(const task& owner) noexcept {
    if (!owner.stack.guarded && !marks_whole(owner.stack))
        stack_overrun(owner);
}

[[gnu::no_sanitize_address]] std::size_t stack_used(const stack_memory& stack) noexcept {
    const std::byte* const first = stack.guarded ? stack.base : stack.base + marks * sizeof mark;
    const std::byte* at = first;
    while (at != stack.base + stack.size && *at == std::byte{})
        ++at;
    return static_cast<std::size_t>(stack.base + stack.size - at);
}

}  // namespace halvm::fiber
