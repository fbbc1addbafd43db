// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/event_signals.hpp>

#include <halvm/contract.hpp>

#include <bit>
#include <utility>

namespace halvm::xen {
namespace {

using words = xen_ulong_t[sizeof(xen_ulong_t) * 8];
constexpr std::size_t bits = sizeof(xen_ulong_t) * 8;

std::atomic_ref<xen_ulong_t> word(words& of, port local) noexcept {
    return std::atomic_ref{of[raw(local) / bits % bits]};
}
xen_ulong_t bit(port local) noexcept { return xen_ulong_t{1} << raw(local) % bits; }
shared_info_t& info(event_abi& abi) noexcept { return static_cast<two_level_abi&>(abi).shared; }

}  // namespace

void two_level_abi::collect_words(event_abi& abi, event_dispatch& to) noexcept {
    shared_info_t& shared = info(abi);
    auto selected = std::atomic_ref{shared.vcpu_info[0].evtchn_pending_sel}.exchange(0);
    for (; selected != 0; selected &= selected - 1) {
        const auto first = static_cast<evtchn_port_t>(std::countr_zero(selected)) * evtchn_port_t{bits};
        const auto pending = word(shared.evtchn_pending, port{first});
        const auto mask = word(shared.evtchn_mask, port{first});
        const xen_ulong_t found = pending.load() & ~mask.load();
        mask.fetch_or(found);
        xen_ulong_t taken = 0;
        for (auto left = found; left != 0; left &= left - 1)
            if (to.signalled(port{first + static_cast<evtchn_port_t>(std::countr_zero(left))}))
                taken |= left & -left;
        pending.fetch_and(~taken);
    }
}

bool two_level_abi::take_bit(event_abi& abi, port local) noexcept {
    const auto pending = word(info(abi).evtchn_pending, local);
    return (pending.load() & bit(local)) != 0 && (pending.fetch_and(~bit(local)) & bit(local)) != 0;
}

void two_level_abi::mask_bit(event_abi& abi, port local) noexcept {
    word(info(abi).evtchn_mask, local).fetch_or(bit(local));
}

void two_level_abi::unmask_bit(event_abi& abi, port local) noexcept {
    word(info(abi).evtchn_mask, local).fetch_and(~bit(local));
}

event_listener::event_listener(event_dispatch& dispatch, port number) noexcept
    : dispatch_{&dispatch}, next_{std::exchange(dispatch.bucket_of(number), this)}, number_{number} {
    dispatch.abi_->mask(*dispatch.abi_, number);
}

fiber::wake event_listener::wait(const fiber::wait_limit& limit) noexcept {
    return listen() ? fiber::wake::signalled : fiber::this_scheduler().wait(queue_, limit);
}

bool event_listener::take() noexcept { return !held_ && dispatch_->abi_->take(*dispatch_->abi_, number_); }

bool event_listener::listen() noexcept {
    if (held_)
        return false;
    listening_ = true;
    return dispatch_->listen(number_);
}

void event_listener::hold() noexcept {
    held_ = true;
    listening_ = false;
    dispatch_->abi_->mask(*dispatch_->abi_, number_);
}

void event_listener::unhold() noexcept {
    held_ = false;
    if (!queue_.empty() && listen())
        fiber::this_scheduler().signal_all(queue_);
}

void event_listener::detach() noexcept {
    if (dispatch_ == nullptr)
        return;
    while (!queue_.empty()) {
        queue_.front().handed = true;
        fiber::this_scheduler().signal(queue_);
    }
    dispatch_->abi_->mask(*dispatch_->abi_, number_);
    *dispatch_->place_of(number_) = next_;
    dispatch_ = nullptr;
    next_ = nullptr;
    number_ = port{};
    held_ = listening_ = false;
}

void event_listener::take_over(event_listener& other) noexcept {
    Expects(other.queue_.empty());
    if (other.dispatch_ == nullptr)
        return;
    *other.dispatch_->place_of(other.number_) = this;
    dispatch_ = std::exchange(other.dispatch_, nullptr);
    next_ = std::exchange(other.next_, nullptr);
    number_ = std::exchange(other.number_, port{});
    held_ = std::exchange(other.held_, false);
    listening_ = std::exchange(other.listening_, false);
}

// In this order, because a signal of a masked port is told to nobody: what comes before the second step is taken, what
// comes after the first ends the sleep.
bool event_dispatch::listen(port local) noexcept {
    abi_->unmask(*abi_, local);
    return abi_->take(*abi_, local);
}

bool event_dispatch::signalled(port local) noexcept {
    event_listener* const one = *place_of(local);
    if (one == nullptr)
        return false;
    one->listening_ = false;
    return fiber::this_scheduler().signal_all(one->queue_) != 0;
}

void event_dispatch::use(event_abi& other) noexcept {
    abi_ = &other;
    for (event_listener* one : buckets_)
        for (; one != nullptr; one = one->next_)
            if (one->listening_) {
                abi_->unmask(*abi_, one->number_);
                if (!one->queue_.empty() && one->take())
                    fiber::this_scheduler().signal_all(one->queue_);
            }
}

void event_dispatch::use(std::span<event_listener*> buckets) noexcept {
    for (event_listener* next : std::exchange(buckets_, buckets))
        while (next != nullptr) {
            event_listener& one = *std::exchange(next, next->next_);
            one.next_ = std::exchange(bucket_of(one.number_), &one);
        }
}

event_listener** event_dispatch::place_of(port local) noexcept {
    event_listener** place = &bucket_of(local);
    while (*place != nullptr && (*place)->number_ != local)
        place = &(*place)->next_;
    return place;
}

}  // namespace halvm::xen
