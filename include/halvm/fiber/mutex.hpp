// SPDX-License-Identifier: BSD-3-Clause
// Locks for fibers. All hand themselves to the fiber that has waited longest when they are given up, so that none
// starves. They fit std::unique_lock, std::scoped_lock and std::shared_lock.
#pragma once

#include <halvm/fiber/scheduler.hpp>

#include <cstddef>

namespace halvm::fiber {

[[noreturn]] void broken_rule(const char* rule, const char* what) noexcept;

namespace detail {
struct lock_access;
}

/// A fiber that ends while it holds one panics.
class mutex {
public:
    /// Blocks until the lock is the caller's. Panics when it is already.
    void lock() noexcept { lock(wait_limit{}); }
    /// The same, up to the limit; false when that came first.
    bool lock(const wait_limit& limit) noexcept {
        const detail::ordered order{waiting_};
        if (try_lock())
            return true;
        if (held())
            broken_rule("locked again by the fiber that holds it", "mutex");
        waiter here{.queue = &waiting_};
        return this_scheduler().wait_any(here, limit) == wake::signalled;
    }
    bool try_lock() noexcept {
        const detail::ordered order{waiting_};
        if (owner_ != nullptr)
            return false;
        take(this_scheduler().current());
        return true;
    }
    /// Panics when the lock is not the caller's.
    void unlock() noexcept {
        const detail::ordered order{waiting_};
        if (!held())
            broken_rule("unlocked by a fiber that does not hold it", "mutex");
        --this_scheduler().current().locks;
        hand_over();
    }
    [[nodiscard]] bool held() const noexcept {
        const detail::ordered order{waiting_};
        return owner_ == &this_scheduler().current();
    }

private:
    friend struct detail::lock_access;

    void take(sleeper& by) noexcept {
        owner_ = &by;
        ++by.locks;
    }
    void hand_over() noexcept {
        owner_ = nullptr;
        if (waiting_.empty())
            return;
        take(*waiting_.front().who);
        this_scheduler().signal(waiting_.front());
    }

    const void* owner_ = nullptr;
    wait_queue waiting_{"mutex"};
};

/// A mutex that its owner may lock again; given up when it was unlocked as often.
class recursive_mutex {
public:
    void lock() noexcept { lock(wait_limit{}); }
    bool lock(const wait_limit& limit) noexcept {
        if (!inner_.held() && !inner_.lock(limit))
            return false;
        ++depth_;
        return true;
    }
    bool try_lock() noexcept {
        if (!inner_.held() && !inner_.try_lock())
            return false;
        ++depth_;
        return true;
    }
    void unlock() noexcept {
        if (!inner_.held())
            broken_rule("unlocked by a fiber that does not hold it", "recursive mutex");
        if (--depth_ == 0)
            inner_.unlock();
    }

private:
    friend struct detail::lock_access;

    mutex inner_;
    std::size_t depth_ = 0;
};

/// Many readers or one writer. Who comes later waits behind who waits already, so that writers do not starve. A fiber
/// that ends while it writes panics.
class shared_mutex {
public:
    void lock() noexcept { lock(wait_limit{}); }
    /// Panics when the caller holds it to write already.
    bool lock(const wait_limit& limit) noexcept { return enter(writer, limit); }
    bool try_lock() noexcept { return try_enter(writer); }
    /// Panics when it is not the caller who holds it to write.
    void unlock() noexcept {
        const detail::ordered order{waiting_};
        if (writing_ != &this_scheduler().current())
            broken_rule("unlocked by a fiber that does not hold it to write", "shared mutex");
        --this_scheduler().current().locks;
        end_writing();
    }
    void lock_shared() noexcept { lock_shared(wait_limit{}); }
    /// Panics when the caller holds it to write.
    bool lock_shared(const wait_limit& limit) noexcept { return enter(reader, limit); }
    bool try_lock_shared() noexcept { return try_enter(reader); }
    void unlock_shared() noexcept {
        const detail::ordered order{waiting_};
        if (holders_ <= 0)
            broken_rule("unlocked while nobody holds it to read", "shared mutex");
        --holders_;
        admit();
    }

private:
    friend struct detail::lock_access;

    static constexpr long writer = -1;
    static constexpr long reader = 1;

    [[nodiscard]] bool free_for(long kind) const noexcept { return kind == writer ? holders_ == 0 : holders_ >= 0; }

    bool try_enter(long kind) noexcept {
        const detail::ordered order{waiting_};
        if (!waiting_.empty() || !free_for(kind))
            return false;
        hold(kind, this_scheduler().current());
        return true;
    }
    void hold(long kind, sleeper& by) noexcept {
        holders_ += kind;
        if (kind != writer)
            return;
        writing_ = &by;
        ++by.locks;
    }
    void end_writing() noexcept {
        holders_ = 0;
        writing_ = nullptr;
        admit();
    }
    bool enter(long kind, const wait_limit& limit) noexcept {
        const detail::ordered order{waiting_};
        if (try_enter(kind))
            return true;
        if (writing_ == &this_scheduler().current())
            broken_rule("locked again by the fiber that holds it to write", "shared mutex");
        // The slot tells admit() what this fiber waits to be.
        long wanted = kind;
        if (detail::wait_in(waiting_, limit, &wanted) == wake::signalled)
            return true;
        // A writer that gives up may have been what readers behind it waited for.
        admit();
        return false;
    }
    void admit() noexcept {
        while (!waiting_.empty()) {
            waiter& first = waiting_.front();
            const long kind = *static_cast<const long*>(first.slot);
            if (!free_for(kind))
                return;
            hold(kind, *first.who);
            this_scheduler().signal(first);
        }
    }

    long holders_ = 0;
    const void* writing_ = nullptr;
    wait_queue waiting_{"shared mutex"};
};

}  // namespace halvm::fiber
