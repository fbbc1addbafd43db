// SPDX-License-Identifier: BSD-3-Clause
// Which fiber runs next. Fibers are cooperative: one runs until it yields or waits, and nothing else can touch the
// scheduler meanwhile, so there is not a lock or an atomic instruction in it. A fiber that yields goes behind all
// others; a fiber that is woken does too.
//
// All state is in a scheduler object, one a VCPU; there is one today.
#pragma once

#include <halvm/fiber/order.hpp>
#include <halvm/fiber/task.hpp>
#include <halvm/fiber/timers.hpp>

#include <boost/context/detail/fcontext.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/slist.hpp>

#include <cstdint>
#include <stop_token>
#include <utility>

namespace halvm::fiber {

/// What the scheduler asks of the machine below it. Tests have one whose clock moves by hand.
class machine {
public:
    /// Nanoseconds that never go back.
    [[nodiscard]] virtual instant now() noexcept = 0;
    /// Signals the queues of whatever has happened outside. Never blocks.
    virtual void poll() noexcept = 0;
    /// Returns when something may have happened outside, or at `deadline`.
    virtual void wait(instant deadline) noexcept = 0;
    /// Whether wait() does what poll() does as well: then nobody polls before it.
    [[nodiscard]] virtual bool wait_polls() const noexcept { return false; }
    /// Every fiber waits for another, and nothing outside is awaited. Called once, until one of them has gone on and
    /// waits again; the program goes on waiting.
    virtual void deadlock() noexcept = 0;

protected:
    ~machine() = default;
};

struct wait_limit;

namespace detail {
wake wait_until_stopped(scheduler& own, waiter& first, const wait_limit& limit) noexcept;
}

/// How long a wait may take. Made of a deadline, a stop token, both, or nothing, which waits for ever.
struct wait_limit {
    constexpr wait_limit() noexcept = default;
    constexpr explicit wait_limit(instant until) noexcept : deadline{until} {}
    wait_limit(std::stop_token token) noexcept : wait_limit{never, std::move(token)} {}
    wait_limit(instant until, std::stop_token token) noexcept
        : deadline{until},
          stop{std::move(token)},
          stoppable{stop.stop_possible() ? &detail::wait_until_stopped : nullptr} {}

    [[nodiscard]] bool endless() const noexcept { return deadline == never && stoppable == nullptr; }

    instant deadline = never;
    std::stop_token stop{};
    /// How a wait looks at the token. A program that makes none of these has no code for it.
    wake (*stoppable)(scheduler& own, waiter& first, const wait_limit& limit) noexcept = nullptr;
};

/// Is told by the scheduler how fibers spend the time. watchdog.hpp has one for programs.
class watcher {
public:
    /// The running fiber yields, waits or ends.
    virtual void stretch_ends(const task& one) noexcept = 0;
    /// Nobody can run before `until`, unless something happens outside.
    virtual void idle_begins(instant until) noexcept = 0;
    virtual void idle_ends() noexcept = 0;

protected:
    ~watcher() = default;
};

class scheduler {
public:
    /// The calling thread becomes the first fiber, "main". `below` must outlive the scheduler.
    explicit scheduler(machine& below) noexcept;
    /// Pre: no fiber but the first is left.
    ~scheduler();
    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;

    [[nodiscard]] task& current() noexcept { return *current_; }
    [[nodiscard]] task& first() noexcept { return main_; }
    [[nodiscard]] instant now() noexcept { return machine_.now(); }

    /// Lets every other runnable fiber run once.
    void yield() noexcept { arrive(leave_runnable()); }

    /// Blocks the calling fiber in `queue` until it is signalled, or the limit comes first. A limit that has passed
    /// already ends the wait at once, without letting others run. `slot` is for whoever signals.
    wake wait(wait_queue& queue, const wait_limit& limit, void* slot = nullptr) noexcept;

    /// The same in several queues at once: `first` and its siblings are filled in but not yet queued. Which of them
    /// was signalled is `current().fired`. Inlined where there is no limit: see arrive().
    wake wait_any(waiter& first, const wait_limit& limit) noexcept {
        const detail::ordered_wait order{first};
        if (limit.endless()) {
            arrive(leave_waiting(first));
            return current_->how;
        }
        return wait_within(first, limit);
    }

    /// Makes the fiber that has waited longest runnable; false when none waits.
    bool signal(wait_queue& queue) noexcept;
    std::size_t signal_all(wait_queue& queue) noexcept;
    /// Makes this one runnable, whatever its place.
    void signal(waiter& one) noexcept { end_wait(*one.who, wake::signalled, &one); }

    /// Puts a sleeper that does not run into `first` and its siblings, up to the deadline. For a coroutine; a fiber
    /// must switch to another at once.
    void begin_wait(sleeper& one, waiter& first, instant deadline) noexcept {
        one.waits = &first;
        one.fired = nullptr;
        for (waiter* place = &first; place != nullptr; place = place->sibling) {
            place->who = &one;
            place->queue->waiters_.push_back(*place);
        }
        one.state = task_state::waiting;
        if (deadline != never)
            timers_.insert(one, deadline);
    }
    /// The same, compiled without the thread sanitizer, which would look for races in the lists.
    void begin_wait_unseen(sleeper& one, waiter& first, instant deadline) noexcept;
    /// Takes it out of all its places, and makes it go on. Pre: it waits.
    void end_wait(sleeper& one, wake how, waiter* by) noexcept;

    /// Puts a new fiber behind the others. Its stack, body, and name are set.
    void start(task& one) noexcept;
    /// For the body of a fiber, as the last thing that it does.
    [[noreturn]] void finish() noexcept;
    /// Nobody will ask for the fiber any more; its memory goes back when it has ended.
    void release(task& one) noexcept;

    /// Calls `visit(const task&)` for each fiber, the oldest first.
    template <class Visit>
    void for_each(Visit visit) {
        for (const task& one : all_)
            visit(one);
    }

    /// From now on `by` is told, until another is set; null is nobody.
    void watch(watcher* by) noexcept { watcher_ = by; }
    [[nodiscard]] watcher* watched_by() const noexcept { return watcher_; }

private:
    using run_list =
        boost::intrusive::slist<task, boost::intrusive::member_hook<task, decltype(task::run_hook), &task::run_hook>,
                                boost::intrusive::cache_last<true>, boost::intrusive::constant_time_size<false>>;
    using all_list =
        boost::intrusive::list<task, boost::intrusive::member_hook<task, decltype(task::all_hook), &task::all_hook>,
                               boost::intrusive::constant_time_size<true>>;

    // Events and timers are looked at this often while fibers are running, so that none starves behind them.
    static constexpr unsigned switches_between_polls = 64;

    friend struct trampoline;
    friend struct layout;

    // A switch has two halves. The first leaves a fiber by a jump to another's stack; the second runs there, when the
    // fiber that was left last time goes on. Boost.Context goes on by a jump and not by a return, after which the
    // processor predicts each of the next returns wrongly. So the first half ends in that jump, and the second is
    // inlined into whatever a fiber calls to wait. None of the first half is noexcept: it would not end in a jump then.
    using transfer = boost::context::detail::transfer_t;
    transfer leave_runnable();
    transfer leave_waiting(waiter& first);
    transfer leave();
    transfer jump_to(task& to);
    /// Keeps where the fiber that ran before goes on. The thread sanitizer, which is told of no order between fibers,
    /// would take that for a race.
    [[gnu::no_sanitize_thread]] void arrive(transfer from) noexcept {
        auto& previous = *static_cast<task*>(from.data);
        previous.context = from.fctx;
        if (unsettled_)
            settle(previous);
    }
    void settle(const task& previous) noexcept;

    wake wait_within(waiter& first, const wait_limit& limit) noexcept;
    task& next() noexcept;
    void look_outside() noexcept;
    void expire_timers() noexcept;
    void discard(task& one) noexcept;
    void report_deadlock() noexcept;
    void end_stretch() noexcept;

    machine& machine_;
    task* current_;
    run_list runnable_;
    unsigned until_poll_ = switches_between_polls;
    watcher* watcher_ = nullptr;
    int last_number_ = 1;
    task* finished_ = nullptr;  // its stack is given back once we are off it
    bool unsettled_ = false;    // something besides is to be done after each switch, or after the last
    timer_wheel timers_;
    all_list all_;
    task main_;
};

namespace detail {
extern scheduler* of_this_vcpu;
}

/// The scheduler of this VCPU. Pre: there is one.
inline scheduler& this_scheduler() noexcept { return *detail::of_this_vcpu; }

namespace detail {

/// scheduler::wait(), of which a thread sanitizer is told.
inline wake wait_in(wait_queue& queue, const wait_limit& limit, void* slot = nullptr) noexcept {
    const ordered_wait order{queue};
    return this_scheduler().wait(queue, limit, slot);
}

}  // namespace detail

}  // namespace halvm::fiber
