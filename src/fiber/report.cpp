// SPDX-License-Identifier: BSD-3-Clause
#include "fiber/report.hpp"

#include "fiber/stacks.hpp"
#include "text/line_writer.hpp"

#include <halvm/fiber/scheduler.hpp>
#include <halvm/panic.hpp>

#include <array>

namespace halvm::fiber {
namespace {

constexpr std::array<std::string_view, 4> states{"runnable", "running", "waiting", "finished"};

constexpr std::size_t most_lines = 32;

void print_line(const task& one) noexcept {
    line_writer text;
    text.text("  fiber ");
    text.text(one.name());
    text.text(": ");
    text.text(states[static_cast<std::size_t>(one.state)]);
    const char* before = " for ";
    for (const waiter* place = one.waits; place != nullptr; place = place->sibling) {
        text.text(before);
        text.text(place->queue->what());
        before = " or ";
    }
    if (one.pending())
        text.text(", with a deadline");
    if (one.stack.size != 0) {
        text.text(", ");
        text.decimal(stack_used(one.stack));
        text.text(" of ");
        text.decimal(one.stack.size);
        text.text(" bytes of stack used");
    }
    text.text("\n");
    report_text(text.view());
}

}  // namespace

void broken_rule(const char* rule, const char* what) noexcept {
    line_writer text;
    text.text("fiber ");
    text.text(this_scheduler().current().name());
    text.text(": ");
    text.text(what);
    text.text(" ");
    text.text(rule);
    panic(text.c_str());
}

void stack_overrun(const task& owner) noexcept {
    line_writer text;
    text.text("stack overflow: fiber ");
    text.text(owner.name());
    text.text(" wrote below its stack of ");
    text.decimal(owner.stack.size);
    text.text(" bytes");
    panic(text.c_str());
}

void print_fibers() noexcept {
    std::size_t left = most_lines;
    std::size_t more = 0;
    this_scheduler().for_each([&](const task& one) {
        if (left == 0 && one.state != task_state::running) {
            ++more;
            return;
        }
        left -= left != 0;
        print_line(one);
    });
    if (more == 0)
        return;
    line_writer text;
    text.text("  and ");
    text.decimal(more);
    text.text(" more\n");
    report_text(text.view());
}

void print_other_fibers() noexcept {
    std::size_t count = 0;
    if (detail::of_this_vcpu != nullptr)
        this_scheduler().for_each([&](const task&) { ++count; });
    if (count < 2)
        return;
    report_text("fibers:\n");
    print_fibers();
}

}  // namespace halvm::fiber
