// SPDX-License-Identifier: BSD-3-Clause
// The FIFO ABI of event channels: a word for each port in pages of the domain's, 131,072 ports, and a queue for each
// of 16 priorities, linked through the words. Xen appends to the queues, we take from their heads.
// [xen/event_channel.h: FIFO ABI; David Vrabel, Event Channel Scalability]
#pragma once

#include <halvm/panic.hpp>
#include <halvm/result.hpp>
#include <halvm/xen/event_signals.hpp>
#include <halvm/xen/platform.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace halvm::xen {

template <Platform Domain>
class fifo_abi final : public event_abi {
public:
    explicit fifo_abi(Domain& domain) noexcept
        : event_abi{collect_queues, take_word, mask_word, unmask_word}, domain_{domain} {}
    fifo_abi(const fifo_abi&) = delete;
    fifo_abi& operator=(const fifo_abi&) = delete;
    /// Xen uses the pages for as long as the domain lives, so they stay.
    ~fifo_abi() = default;

    /// Has Xen go over to this ABI, with room for ports up to `last`. What has come to ports before is carried over,
    /// and all of them are masked.
    /// Errors: std::errc::function_not_supported when Xen does not offer it, not_enough_memory. Then nothing has
    /// changed.
    result<void> start(port last) noexcept {
        constexpr auto attempted = "use the FIFO ABI for event channels";
        void* const control = domain_.allocate_pages(1);
        const std::size_t pages = raw(last) / words_in_page + 1;
        for (std::size_t page = 0; control != nullptr && page < pages; ++page)
            if (!allocate_words(page))
                break;
        long status = -XEN_ENOMEM;
        if (control != nullptr && words_[pages - 1] != nullptr) {
            evtchn_init_control_t request{raw(domain_.frame_of(control)), 0, 0, 0, {}};
            status = call(domain_, __HYPERVISOR_event_channel_op, EVTCHNOP_init_control, &request);
        }
        if (status < 0) {
            for (auto& page : words_)
                if (page != nullptr)
                    domain_.free_pages(std::exchange(page, nullptr), 1);
            if (control != nullptr)
                domain_.free_pages(control, 1);
            return failure(hypercall_error(status, attempted));
        }
        control_ = static_cast<evtchn_fifo_control_block*>(control);
        // Xen carries over what it finds pending by itself, although its header promises nothing; the bitmap does not
        // change any more.
        const shared_info_t& shared = domain_.shared_info();
        for (std::uint32_t number = 1; number < EVTCHN_2L_NR_CHANNELS && number / words_in_page < pages; ++number)
            if ((shared.evtchn_pending[number / 64] >> number % 64 & 1) != 0)
                words_[number / words_in_page][number % words_in_page] |= pending;
        for (std::size_t page = 0; page < pages; ++page)
            if (expand(page) < 0)
                panic("event channels: Xen took the FIFO control block and refused the event array");
        return {};
    }

    /// Makes room for a port: 0, or minus an errno of Xen's.
    long admit(port local) noexcept {
        if (raw(local) >= EVTCHN_FIFO_NR_CHANNELS)
            return -XEN_ENOSPC;
        while (pages_ <= raw(local) / words_in_page) {
            if (!allocate_words(pages_))
                return -XEN_ENOMEM;
            if (const long status = expand(pages_); status < 0) {
                domain_.free_pages(std::exchange(words_[pages_], nullptr), 1);
                return status;
            }
        }
        return 0;
    }

private:
    static constexpr std::uint32_t words_in_page = page_size / sizeof(event_word_t);
    static constexpr event_word_t pending = 1u << EVTCHN_FIFO_PENDING;
    static constexpr event_word_t masked = 1u << EVTCHN_FIFO_MASKED;
    static constexpr event_word_t linked = 1u << EVTCHN_FIFO_LINKED;
    static constexpr event_word_t busy = 1u << EVTCHN_FIFO_BUSY;
    static constexpr event_word_t link = EVTCHN_FIFO_LINK_MASK;

    bool allocate_words(std::size_t page) noexcept {
        words_[page] = static_cast<event_word_t*>(domain_.allocate_pages(1));
        if (words_[page] == nullptr)
            return false;
        std::fill_n(words_[page], words_in_page, masked);
        return true;
    }

    long expand(std::size_t page) noexcept {
        evtchn_expand_array_t request{raw(domain_.frame_of(words_[page]))};
        const long status = call(domain_, __HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, &request);
        if (status == 0)
            ++pages_;
        return status;
    }

    // Shared: Xen changes the words from any CPU, so they are changed with locked instructions only.
    static std::atomic_ref<event_word_t> word(event_abi& abi, port local) noexcept {
        auto& words = static_cast<fifo_abi&>(abi).words_;
        return std::atomic_ref{words[raw(local) / words_in_page][raw(local) % words_in_page]};
    }

    static bool take_word(event_abi& abi, port local) noexcept {
        const auto at = word(abi, local);
        return (at.load() & pending) != 0 && (at.fetch_and(~pending) & pending) != 0;
    }
    static void mask_word(event_abi& abi, port local) noexcept { word(abi, local).fetch_or(masked); }
    static void unmask_word(event_abi& abi, port local) noexcept {
        // While Xen links another port behind this one, for a moment, the word is its.
        const auto at = word(abi, local);
        event_word_t before = at.load() & ~busy;
        while (!at.compare_exchange_weak(before, before & ~masked))
            before &= ~busy;
    }

    /// Takes the port at a queue's head off it; which one is next, 0 when that was the last.
    static std::uint32_t unlink(std::atomic_ref<event_word_t> at) noexcept {
        event_word_t before = at.load();
        while (!at.compare_exchange_weak(before, before & ~(linked | link))) {}
        return before & link;
    }

    // It ends, however fast others signal: a port that was told of is masked, and Xen queues no masked port.
    static void collect_queues(event_abi& abi, event_dispatch& to) noexcept {
        auto& control = *static_cast<fifo_abi&>(abi).control_;
        // Shared: Xen sets a bit after it has written the queue's head.
        std::atomic_ref ready{control.ready};
        for (event_word_t queues = ready.exchange(0); queues != 0; queues = (queues & (queues - 1)) | ready.exchange(0))
            drain(abi, to, std::atomic_ref{control.head[std::countr_zero(queues)]}.load());
    }

    static void drain(event_abi& abi, event_dispatch& to, std::uint32_t head) noexcept {
        while (head != 0) {
            const port local{head};
            const auto at = word(abi, local);
            head = unlink(at);
            if ((at.load() & (pending | masked)) != pending)
                continue;
            at.fetch_or(masked);
            if (to.signalled(local))
                at.fetch_and(~pending);
        }
    }

    Domain& domain_;
    evtchn_fifo_control_block* control_ = nullptr;
    std::array<event_word_t*, EVTCHN_FIFO_NR_CHANNELS / words_in_page> words_{};
    std::size_t pages_ = 0;  // that Xen knows
};

}  // namespace halvm::xen
