// SPDX-License-Identifier: BSD-3-Clause
// A fiber as the scheduler sees it, and what it waits in. Programs use spawn.hpp and the primitives instead.
#pragma once

#include <halvm/fiber/timers.hpp>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/slist.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string_view>

namespace halvm::fiber {

class crew;
class scheduler;
class wait_queue;
struct sleeper;

/// One place that a fiber or a coroutine stands in while it waits; it lies on the one's stack, or in the other's
/// frame. Either may stand in several places at once (select.hpp): the first that is signalled takes it out of all of
/// them.
struct waiter {
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>> hook{};
    sleeper* who = nullptr;
    wait_queue* queue = nullptr;
    waiter* sibling = nullptr;  ///< the next place of the same sleeper
    void* slot = nullptr;       ///< where a value is handed over, or taken from, without a detour
    bool handed = false;        ///< the other side has used the slot
};

/// Fibers and coroutines that wait for the same thing, in the order in which they came.
class wait_queue {
public:
    /// `what` names the thing in listings and reports, as in "mutex"; it must live as long as the queue. `outside`
    /// says that something other than a fiber ends the wait: a device, or another domain.
    explicit wait_queue(const char* what, bool outside = false) noexcept : what_{what}, outside_{outside} {}
    wait_queue(const wait_queue&) = delete;
    wait_queue& operator=(const wait_queue&) = delete;
    /// Panics when a fiber still waits here: what it waits for would be gone.
    ~wait_queue();

    [[nodiscard]] bool empty() const noexcept { return waiters_.empty(); }
    [[nodiscard]] waiter& front() noexcept { return waiters_.front(); }
    [[nodiscard]] const char* what() const noexcept { return what_; }
    [[nodiscard]] bool outside() const noexcept { return outside_; }

private:
    friend class scheduler;
    friend struct layout;
    boost::intrusive::list<waiter, boost::intrusive::member_hook<waiter, decltype(waiter::hook), &waiter::hook>,
                           boost::intrusive::constant_time_size<false>>
        waiters_;
    const char* what_;
    bool outside_;
};

/// How a wait ended; `reported` is one under way that a deadlock report has named.
enum class wake : std::uint8_t { signalled, timed_out, stopped, reported };

enum class task_state : std::uint8_t { runnable, running, waiting, finished };

/// Memory for a stack; `base` is its lowest usable address.
struct stack_memory {
    std::byte* base = nullptr;
    std::size_t size = 0;
    bool guarded = false;
};

/// What can wait: a fiber, or a coroutine that a fiber runs. The timer that it is ends its wait when a deadline comes.
struct sleeper : timer {
    waiter* waits = nullptr;  ///< the first of the places that it waits in
    waiter* fired = nullptr;  ///< the one that was signalled
    /// What makes it go on when its wait has ended; null for a fiber, which becomes runnable.
    void (*resume)(sleeper&) noexcept = nullptr;
    task_state state = task_state::runnable;
    wake how = wake::signalled;
    unsigned locks = 0;  ///< how many mutexes are its own
};

struct task : sleeper {
    using plain_link = boost::intrusive::link_mode<boost::intrusive::normal_link>;

    void* context = nullptr;  ///< where it goes on; Boost.Context's fcontext_t
    boost::intrusive::slist_member_hook<plain_link> run_hook{};
    boost::intrusive::list_member_hook<plain_link> all_hook{};
    std::array<std::uintptr_t, 2> kept{};  ///< what the machine keeps of a fiber that does not run
    crew* runs = nullptr;                  ///< the coroutines that it is running (await.hpp)
    bool service = false;                  ///< the library's own: does not count when fibers are waiting for each other
    bool released = false;                 ///< nobody will join it
    int number = 1;                        ///< unique among the living, above 0; the first fiber's is 1
    stack_memory stack{};
    void* sanitizer = nullptr;   ///< a sanitizer's own record of this fiber
    void* key_values = nullptr;  ///< what it stored under pthread keys
    void (*body)(task&) = nullptr;
    void (*destroy)(task&) noexcept = nullptr;  ///< ends the life of the object that this task is the base of
    wait_queue joiners{"fiber to end"};
    std::stop_source stop{std::nostopstate};
    std::array<char, 24> name_text{};

    [[nodiscard]] std::string_view name() const noexcept { return name_text.data(); }
    /// Cut to 23 bytes.
    void set_name(std::string_view text) noexcept {
        text = text.substr(0, name_text.size() - 1);
        *std::copy(text.begin(), text.end(), name_text.begin()) = '\0';
    }
};

}  // namespace halvm::fiber
