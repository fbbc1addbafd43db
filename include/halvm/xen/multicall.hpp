// SPDX-License-Identifier: BSD-3-Clause
// Several hypercalls for the price of entering Xen once. Of cheap ones it pays from four on, and saves a quarter of
// sixteen; bench/xen.py counts it.
// [xen/xen.h: HYPERVISOR_multicall]
#pragma once

#include <halvm/contract.hpp>
#include <halvm/xen/platform.hpp>

#include <array>

namespace halvm::xen {

/// A batch of up to `Capacity` hypercalls. Xen does them in order, each whether or not the ones before it succeeded.
template <std::size_t Capacity>
class multicall {
public:
    /// Adds a call as xen::call() takes it; what its pointers point at must live until issue(). Returns where its
    /// answer will be. Pre: size() < Capacity.
    template <class... Arguments>
    std::size_t add(unsigned long number, Arguments... arguments) noexcept {
        static_assert(sizeof...(Arguments) <= 5);
        Expects(count_ < Capacity);
        entries_[count_] = {number, 0, {(unsigned long)(arguments)...}};
        return count_++;
    }

    /// Has Xen do all of them. Errors: only what is wrong with the batch as a whole, which then was not done; each
    /// call's own is in its answer.
    template <Platform Domain>
    result<void> issue(Domain& domain) noexcept {
        if (const long status = try_issue(domain); status < 0)
            return failure(hypercall_error(status, "multicall"));
        return {};
    }
    /// The same, with Xen's errno as it is: 0, or negative.
    template <Platform Domain>
    long try_issue(Domain& domain) noexcept {
        return count_ == 0 ? 0 : call(domain, __HYPERVISOR_multicall, entries_.data(), count_);
    }

    /// What Xen returned for the call at `at`, or its refusal as an error that says what was `attempted`.
    /// Pre: at < size(), and issue() has succeeded.
    [[nodiscard]] result<long> answer(std::size_t at, const char* attempted) const noexcept {
        const long returned = status(at);
        if (returned < 0)
            return failure(hypercall_error(returned, attempted));
        return returned;
    }
    /// The same as it is.
    [[nodiscard]] long status(std::size_t at) const noexcept {
        Expects(at < count_);
        return static_cast<long>(entries_[at].result);
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// Makes room for the next batch.
    void clear() noexcept { count_ = 0; }

private:
    std::array<multicall_entry_t, Capacity> entries_;
    std::size_t count_ = 0;
};

}  // namespace halvm::xen
