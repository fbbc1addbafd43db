// SPDX-License-Identifier: BSD-3-Clause
// What the scheduler has to say when something is wrong, and the listing of all fibers.
#pragma once

#include <halvm/fiber/task.hpp>

namespace halvm::fiber {

/// Panics: "fiber worker: mutex destroyed while a fiber waits for it".
[[noreturn]] void broken_rule(const char* rule, const char* what) noexcept;

[[noreturn]] void stack_overrun(const task& owner) noexcept;

/// Prints a line for each fiber: name, state, what it waits for, how much of its stack was used; the oldest 32 and the
/// one that runs. For panics too: allocates nothing and touches no lock.
void print_fibers() noexcept;

/// The same, when there is any fiber but the first.
void print_other_fibers() noexcept;

/// Where reports go: the emergency console of a domain, the standard error of a process. Supplied by the machine.
void report_text(std::string_view text) noexcept;

}  // namespace halvm::fiber
