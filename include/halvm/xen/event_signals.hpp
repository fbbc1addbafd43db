// SPDX-License-Identifier: BSD-3-Clause
// Who is signalled: the ports of a domain, how their signals lie in memory that Xen writes, and the fibers that wait
// for them. Nothing here asks Xen for anything; event_channel.hpp binds ports, and is what programs use.
// [xen/event_channel.h]
#pragma once

#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/numbers.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halvm::xen {

class event_dispatch;

/// How the signals of ports lie in memory. There are two ways, and a domain starts with the first: two_level_abi, and
/// fifo_abi (event_fifo.hpp). Plain pointers, because a class with virtual functions would bring the descriptions of
/// its type into every kernel.
struct event_abi {
    /// Tells the dispatch of each port that is unmasked and signalled, once, and masks it: a port that is signalled
    /// without end costs nothing until somebody listens to it again.
    void (*collect)(event_abi& abi, event_dispatch& to) noexcept;
    /// Clears the signal of a port; whether there was one.
    bool (*take)(event_abi& abi, port local) noexcept;
    void (*mask)(event_abi& abi, port local) noexcept;
    /// A signal that has come before is not told to collect(): take() it after this.
    void (*unmask)(event_abi& abi, port local) noexcept;
};

/// Bitmaps in the shared_info page; every Xen has it, with 4096 ports.
struct two_level_abi : event_abi {
    constexpr explicit two_level_abi(shared_info_t& info) noexcept
        : event_abi{collect_words, take_bit, mask_bit, unmask_bit}, shared{info} {}

    static void collect_words(event_abi& abi, event_dispatch& to) noexcept;
    static bool take_bit(event_abi& abi, port local) noexcept;
    static void mask_bit(event_abi& abi, port local) noexcept;
    static void unmask_bit(event_abi& abi, port local) noexcept;

    // Shared: Xen sets pending bits, and reads mask bits, from any CPU; so both are changed with locked instructions.
    // It sets a pending bit before it looks at the mask, and we clear a mask bit before we look at the pending bit:
    // one of the two sees the other.
    shared_info_t& shared;
};

/// A port, and the fibers that wait for it. It is unmasked from when one begins to wait, or listen() is called, until
/// its next signal.
class event_listener {
public:
    event_listener() noexcept = default;
    /// Masks the port. Pre: it has no listener yet.
    event_listener(event_dispatch& dispatch, port number) noexcept;
    event_listener(const event_listener&) = delete;
    event_listener& operator=(const event_listener&) = delete;
    /// Masks the port, and ends all waits with `here.handed` set.
    ~event_listener() { detach(); }

    /// Blocks until the port is signalled, and takes the signal; one that has come already comes before the limit.
    /// Pre: it has a port, and keeps it.
    fiber::wake wait(const fiber::wait_limit& limit) noexcept;
    /// Takes a signal that has come; false when there is none. Never blocks. Pre: it has a port.
    bool take() noexcept;
    /// Unmasks the port, so that its next signal ends the sleep of the domain although no fiber waits for it. True
    /// when one has come already, which is taken. Never blocks. Pre: it has a port.
    bool listen() noexcept;
    /// Until unhold(), signals are kept and end no wait. Pre: it has a port.
    void hold() noexcept;
    void unhold() noexcept;
    void detach() noexcept;

    [[nodiscard]] port number() const noexcept { return number_; }
    [[nodiscard]] bool attached() const noexcept { return dispatch_ != nullptr; }
    [[nodiscard]] fiber::wait_queue& queue() noexcept { return queue_; }

protected:
    /// Pre: no fiber waits for `other`, and this has no port.
    void take_over(event_listener& other) noexcept;

private:
    friend class event_dispatch;

    event_dispatch* dispatch_ = nullptr;
    event_listener* next_ = nullptr;  // in its bucket
    port number_{};
    bool held_ = false;
    bool listening_ = false;  // unmasked
    fiber::wait_queue queue_{"event channel", true};
};

/// All ports of a domain that somebody listens to.
class event_dispatch {
public:
    constexpr explicit event_dispatch(shared_info_t& shared) noexcept : two_level_{shared} {}
    event_dispatch(const event_dispatch&) = delete;
    event_dispatch& operator=(const event_dispatch&) = delete;

    /// Ends the waits of fibers whose ports were signalled. For the machine below the scheduler; cheap when nothing
    /// has come, and at most one turn for each port.
    void poll() noexcept {
        // Shared: Xen sets it after the pending bits, so it is cleared before they are looked at. What comes later
        // sets it again.
        std::atomic_ref upcall{two_level_.shared.vcpu_info[0].evtchn_upcall_pending};
        if (upcall.load(std::memory_order_relaxed) == 0)
            return;
        upcall.store(0);
        abi_->collect(*abi_, *this);
    }

    /// Unmasks a port that nobody waits for, so that its next signal ends the sleep of the domain. True when one has
    /// come already, which is taken.
    bool listen(port local) noexcept;

    /// For an ABI: `local` was signalled, and is masked now. True takes the signal; else it stays, for a later take().
    bool signalled(port local) noexcept;

protected:
    ~event_dispatch() = default;

    [[nodiscard]] two_level_abi& two_level() noexcept { return two_level_; }
    [[nodiscard]] event_abi& abi() noexcept { return *abi_; }

    /// Goes over to other memory for signals. What came to a port before is to be there too.
    void use(event_abi& other) noexcept;
    /// More buckets, a power of two of empty ones, for more ports.
    void use(std::span<event_listener*> buckets) noexcept;
    [[nodiscard]] std::span<event_listener*> buckets() const noexcept { return buckets_; }
    [[nodiscard]] bool listens(port local) noexcept { return *place_of(local) != nullptr; }
    /// Calls `visit(port)` for each.
    template <class Visit>
    void for_each(Visit visit) {
        for (event_listener* one : buckets_)
            for (; one != nullptr; one = one->next_)
                visit(one->number_);
    }

private:
    friend class event_listener;

    event_listener*& bucket_of(port local) noexcept { return buckets_[raw(local) & (buckets_.size() - 1)]; }
    /// Where the port's listener hangs, or would.
    event_listener** place_of(port local) noexcept;

    two_level_abi two_level_;
    event_abi* abi_ = &two_level_;
    std::array<event_listener*, 16> few_{};  // enough for most, and there before there is a heap
    std::span<event_listener*> buckets_{few_};
};

}  // namespace halvm::xen
