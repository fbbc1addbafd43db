// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/fiber/scheduler.hpp>

#include "fiber/report.hpp"
#include "fiber/stacks.hpp"
#include "fiber_machine.hpp"

#include <halvm/contract.hpp>

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>
#include <utility>

namespace halvm::fiber {
namespace {

namespace context = boost::context::detail;

}  // namespace

// One VCPU, one scheduler.
constinit scheduler* detail::of_this_vcpu = nullptr;

wait_queue::~wait_queue() {
    if (!empty())
        broken_rule("destroyed while a fiber waits for it", what_);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
/// Where things are, for those who look into a program's memory from outside: tools/lab/fibers.py reads it out of the
/// image, for crashed domains and for gdb.
struct layout {
    std::uint16_t scheduler_current = offsetof(scheduler, current_);
    // The list's size lies before its root. [boost/intrusive/list.hpp: root_plus_size]
    std::uint16_t scheduler_all = offsetof(scheduler, all_) + sizeof(std::size_t);
    std::uint16_t task_next = offsetof(task, all_hook);
    std::uint16_t task_context = offsetof(task, context);
    std::uint16_t task_stack = offsetof(task, stack);
    std::uint16_t task_state = offsetof(task, state);
    std::uint16_t task_waits = offsetof(task, waits);
    std::uint16_t task_name = offsetof(task, name_text);
    std::uint16_t waiter_queue = offsetof(waiter, queue);
    std::uint16_t queue_what = offsetof(wait_queue, what_);
};
#pragma GCC diagnostic pop
static_assert(offsetof(stack_memory, size) == 8 && offsetof(stack_memory, guarded) == 16);

// gdb takes the name in the program for a constant without an address; the name in the image has one.
extern const layout places __asm__("halvm_fiber_layout");
[[gnu::used, gnu::retain]] constinit const layout places{};

/// The rest of what is to be done on the stack of the fiber that was switched to: gives back the stack of one that has
/// ended.
void scheduler::settle(const task& previous) noexcept {
    if (&previous != current_)
        enter_machine(*current_);
    if (finished_ != nullptr)
        discard(*std::exchange(finished_, nullptr));
    unsettled_ = announces_switches();
}

[[gnu::always_inline]] inline scheduler::transfer scheduler::jump_to(task& to) {
    task& from = *current_;
    current_ = &to;
    to.state = task_state::running;
    leave_machine(from, to);
    return context::jump_fcontext(to.context, &from);
}

/// The running fiber yields, waits or ends: looks at what it has done since it was switched to.
[[gnu::always_inline]] inline void scheduler::end_stretch() noexcept {
    if (watcher_ != nullptr)
        watcher_->stretch_ends(*current_);
    if (!current_->stack.guarded)
        check_stack(*current_);
}

/// Where a fiber's first switch ends up.
struct trampoline {
    static void begin(context::transfer_t from) noexcept {
        scheduler& own = *detail::of_this_vcpu;
        own.arrive(from);
        own.current_->body(*own.current_);
        own.finish();
    }
};

[[gnu::cold]] scheduler::scheduler(machine& below) noexcept : machine_{below}, current_{&main_} {
    Expects(detail::of_this_vcpu == nullptr);
    detail::of_this_vcpu = this;
    main_.state = task_state::running;
    main_.stack.guarded = true;  // whatever it is, it is not ours to check
    main_.set_name("main");
    adopt_machine(main_);
    unsettled_ = announces_switches();
    all_.push_back(main_);
}

scheduler::~scheduler() {
    Expects(all_.size() == 1 && current_ == &main_);
    detail::of_this_vcpu = nullptr;
}

scheduler::transfer scheduler::leave_runnable() {
    end_stretch();
    if (--until_poll_ == 0)
        look_outside();
    if (runnable_.empty())
        return {current_->context, current_};  // arriving where it is changes nothing
    current_->state = task_state::runnable;
    runnable_.push_back(*current_);
    task& to = runnable_.front();
    runnable_.pop_front();
    return jump_to(to);
}

scheduler::transfer scheduler::leave_waiting(waiter& first) {
    begin_wait(*current_, first, never);
    return leave();
}

scheduler::transfer scheduler::leave() {
    end_stretch();
    task& to = next();
    if (&to == current_) {
        to.state = task_state::running;
        return {to.context, &to};
    }
    return jump_to(to);
}

wake scheduler::wait(wait_queue& queue, const wait_limit& limit, void* slot) noexcept {
    waiter here{.queue = &queue, .slot = slot};
    return wait_within(here, limit);
}

wake scheduler::wait_within(waiter& first, const wait_limit& limit) noexcept {
    if (limit.stoppable != nullptr)
        return limit.stoppable(*this, first, limit);
    if (limit.deadline != never && limit.deadline <= machine_.now())
        return wake::timed_out;

    task& self = *current_;
    begin_wait(self, first, limit.deadline);
    arrive(leave());
    return self.how;
}

bool scheduler::signal(wait_queue& queue) noexcept {
    if (queue.empty())
        return false;
    signal(queue.front());
    return true;
}

std::size_t scheduler::signal_all(wait_queue& queue) noexcept {
    std::size_t count = 0;
    while (signal(queue))
        ++count;
    return count;
}

void scheduler::end_wait(sleeper& one, wake how, waiter* by) noexcept {
    for (waiter* place = one.waits; place != nullptr; place = place->sibling) {
        auto& list = place->queue->waiters_;
        list.erase(list.iterator_to(*place));
    }
    one.waits = nullptr;
    one.fired = by;
    one.how = how;
    if (one.pending())
        timers_.cancel(one);
    one.state = task_state::runnable;
    if (one.resume != nullptr)
        one.resume(one);
    else
        runnable_.push_back(static_cast<task&>(one));
}

/// The next fiber to run, off the queue. Waits outside when there is none; that may be on the stack of a fiber that
/// waits, or has just ended.
task& scheduler::next() noexcept {
    if (--until_poll_ == 0)
        look_outside();
    while (runnable_.empty()) {
        if (machine_.wait_polls())
            expire_timers();
        else
            look_outside();
        if (!runnable_.empty())
            break;
        const instant deadline = timers_.earliest();
        if (deadline == never)
            report_deadlock();
        if (watcher_ != nullptr)
            watcher_->idle_begins(deadline);
        machine_.wait(deadline);
        if (watcher_ != nullptr)
            watcher_->idle_ends();
    }
    task& first = runnable_.front();
    runnable_.pop_front();
    return first;
}

void scheduler::look_outside() noexcept {
    until_poll_ = switches_between_polls;
    machine_.poll();
    expire_timers();
}

void scheduler::expire_timers() noexcept {
    if (!timers_.empty())
        timers_.expire(machine_.now(),
                       [this](timer& due) { end_wait(static_cast<sleeper&>(due), wake::timed_out, nullptr); });
}

void scheduler::start(task& one) noexcept {
    // musl's locks have room for 30 bits.
    last_number_ = last_number_ < (1 << 30) - 1 ? last_number_ + 1 : 2;
    one.number = last_number_;
    begin_machine(one, one.stack.base + one.stack.size - machine_bytes());
    one.context = context::make_fcontext(
        &one, static_cast<std::size_t>(reinterpret_cast<std::byte*>(&one) - one.stack.base), trampoline::begin);
    all_.push_back(one);
    one.state = task_state::runnable;
    runnable_.push_back(one);
}

void scheduler::finish() noexcept {
    task& self = *current_;
    end_machine(self);
    if (self.locks != 0)
        broken_rule("held by a fiber that ends", "mutex");
    end_stretch();
    self.state = task_state::finished;
    happens_before(&self);
    signal_all(self.joiners);
    task& to = next();
    if (self.released) {
        finished_ = &self;
        unsettled_ = true;
    }
    jump_to(to);
    __builtin_unreachable();
}

void scheduler::release(task& one) noexcept {
    one.released = true;
    if (one.state == task_state::finished && &one != current_)
        discard(one);
}

void scheduler::discard(task& one) noexcept {
    all_.erase(all_.iterator_to(one));
    happens_after(&one);
    forget_machine(one);
    const stack_memory stack = one.stack;
    one.destroy(one);
    give_back_stack(stack);
}

[[gnu::cold]] void scheduler::report_deadlock() noexcept {
    bool known = true;
    for (const task& one : all_)
        if (!one.service && one.waits != nullptr) {
            known = known && one.how == wake::reported;
            for (const waiter* place = one.waits; place != nullptr; place = place->sibling)
                if (place->queue->outside())
                    return;
        }
    if (known)
        return;
    for (task& one : all_)
        if (one.waits != nullptr)
            one.how = wake::reported;
    machine_.deadlock();
}

}  // namespace halvm::fiber
