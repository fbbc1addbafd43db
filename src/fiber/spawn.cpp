// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/fiber/spawn.hpp>

#include "fiber/report.hpp"
#include "fiber/stacks.hpp"
#include "fiber_machine.hpp"

#include <new>

namespace halvm::fiber::detail {
namespace {

constexpr std::size_t smallest_packed = 2048;
constexpr std::size_t smallest_guarded = 4096;
constexpr std::size_t largest = std::size_t{1} << 30;
constexpr std::size_t least_free = 1024;  // for the fiber's own calls, below what is put at the top

}  // namespace

stack_memory take_place(const options& wanted, std::size_t size, std::size_t alignment, void*& place) {
    // From the top: what the machine keeps, then the task, then the stack proper.
    const std::size_t fixed = machine_bytes() + size + 2 * std::max<std::size_t>(alignment, 64);
    if (wanted.stack < (wanted.guarded ? smallest_guarded : smallest_packed) || wanted.stack < fixed + least_free)
        broken_rule("is too small for the fiber's own data", "stack");
    if (wanted.stack > largest)
        broken_rule("is larger than 1 GiB", "stack");
    const stack_memory stack = take_stack(wanted.stack, wanted.guarded);
    if (stack.base == nullptr)
        throw std::bad_alloc{};
    const auto top = reinterpret_cast<std::uintptr_t>(stack.base) + stack.size - machine_bytes();
    place = reinterpret_cast<void*>((top - size) & ~(std::max<std::size_t>(alignment, 64) - 1));
    return stack;
}

void abandon_place(const stack_memory& stack) noexcept { give_back_stack(stack); }

wake wait_for_end(task& one, const wait_limit& limit) noexcept {
    auto& own = this_scheduler();
    if (&one == &own.current())
        broken_rule("joined by itself", "fiber");
    const wake how = one.state == task_state::finished ? wake::signalled : own.wait(one.joiners, limit);
    if (how == wake::signalled)
        happens_after(&one);
    return how;
}

void no_such_fiber(const char* attempted) noexcept { broken_rule("called on a handle without a fiber", attempted); }

}  // namespace halvm::fiber::detail
