// SPDX-License-Identifier: BSD-3-Clause
// How the signals of a domain's ports lie in memory that Xen writes. There are two ways, and a domain starts with
// the first: two_level_signals, bitmaps in the shared_info page; and fifo_signals (event_fifo.hpp), queues by
// priority. Who waits for what is none of their business. [xen/event_channel.h]
#pragma once

#include <halvm/xen/numbers.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace halvm::xen {

/// Takes the signals that were found.
class event_sink {
public:
    /// `local` was signalled, and is masked now. True takes the signal; else it stays, for a later take().
    virtual bool signalled(port local) noexcept = 0;

protected:
    ~event_sink() = default;
};

class event_signals {
public:
    /// Tells `to` of each port that is unmasked and signalled, once, and masks it: so that a port which is signalled
    /// without end costs nothing until somebody listens to it again.
    virtual void collect(event_sink& to) noexcept = 0;
    /// Clears the signal of a port; whether there was one.
    virtual bool take(port local) noexcept = 0;
    virtual void mask(port local) noexcept = 0;
    /// A signal that has come before is not told to collect(): take() it after this.
    virtual void unmask(port local) noexcept = 0;
    /// Makes room for a port. 0, or minus an errno of Xen's.
    virtual long admit(port local) noexcept = 0;

protected:
    ~event_signals() = default;
};

/// The ABI that every Xen has, with 4096 ports.
class two_level_signals final : public event_signals {
public:
    constexpr explicit two_level_signals(shared_info_t& shared) noexcept : shared_{shared} {}

    void collect(event_sink& to) noexcept override {
        auto words = std::atomic_ref{shared_.vcpu_info[0].evtchn_pending_sel}.exchange(0);
        for (; words != 0; words &= words - 1) {
            const auto index = static_cast<std::size_t>(std::countr_zero(words));
            std::atomic_ref mask{shared_.evtchn_mask[index]};
            std::atomic_ref pending{shared_.evtchn_pending[index]};
            const xen_ulong_t found = pending.load() & ~mask.load();
            mask.fetch_or(found);
            xen_ulong_t taken = 0;
            for (auto left = found; left != 0; left &= left - 1)
                if (to.signalled(port{static_cast<evtchn_port_t>(index * bits + std::size_t(std::countr_zero(left)))}))
                    taken |= left & -left;
            pending.fetch_and(~taken);
        }
    }

    bool take(port local) noexcept override {
        std::atomic_ref word{shared_.evtchn_pending[raw(local) / bits]};
        return (word.load() & bit_of(local)) != 0 && (word.fetch_and(~bit_of(local)) & bit_of(local)) != 0;
    }
    void mask(port local) noexcept override {
        std::atomic_ref{shared_.evtchn_mask[raw(local) / bits]}.fetch_or(bit_of(local));
    }
    void unmask(port local) noexcept override {
        std::atomic_ref{shared_.evtchn_mask[raw(local) / bits]}.fetch_and(~bit_of(local));
    }
    long admit(port local) noexcept override { return raw(local) < EVTCHN_2L_NR_CHANNELS ? 0 : -XEN_ENOSPC; }

private:
    static constexpr std::size_t bits = sizeof(xen_ulong_t) * 8;
    static xen_ulong_t bit_of(port local) noexcept { return xen_ulong_t{1} << raw(local) % bits; }

    // Shared: Xen sets pending bits, and reads mask bits, from any CPU; so both are changed with locked instructions.
    // It sets a pending bit before it looks at the mask, and we clear a mask bit before we look at the pending bit:
    // one of the two sees the other.
    shared_info_t& shared_;
};

}  // namespace halvm::xen
