// SPDX-License-Identifier: BSD-3-Clause
// Decorators that make a Block as bad as real ones can be: late, failing, torn by a loss of power. All that they do
// follows from a seed.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/fiber/clock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace halvm::model {

struct block_fault_plan {
    std::uint64_t seed = 1;
    double error_share = 0;  ///< of requests, 0 to 1, that fail with std::errc::io_error
    /// A batch takes between these, on the scheduler's clock; those of several fibers overtake each other.
    std::chrono::nanoseconds least_delay{0};
    std::chrono::nanoseconds most_delay{0};
};

/// Fails and delays. A write that fails has written some of its sectors.
template <Block Inner>
class faulty_block {
public:
    using buffer = typename Inner::buffer;

    faulty_block(Inner inner, const block_fault_plan& plan)
        : inner_{std::move(inner)}, plan_{plan}, random_{plan.seed} {}

    [[nodiscard]] block_info info() const noexcept { return inner_.info(); }
    result<buffer> allocate(std::size_t size) { return inner_.allocate(size); }

    /// Blocks as long as the plan says. Errors: the inner device's, and std::errc::io_error.
    result<void> transfer(std::span<block_request> batch) {
        if (plan_.most_delay.count() > 0)
            fiber::sleep(fiber::within(std::chrono::nanoseconds{std::uniform_int_distribution<std::int64_t>{
                plan_.least_delay.count(), plan_.most_delay.count()}(random_)}));
        for (std::size_t i = 0; i < batch.size();) {
            std::size_t end = i;
            while (end < batch.size() && !std::bernoulli_distribution{plan_.error_share}(random_))
                ++end;
            if (end != i)
                static_cast<void>(inner_.transfer(batch.subspan(i, end - i)));
            if (end < batch.size())
                fail(batch[end++]);
            i = end;
        }
        return first_failure(batch);
    }

    [[nodiscard]] Inner& inner() noexcept { return inner_; }

private:
    void fail(block_request& request) {
        request.outcome = check(request, info());
        if (!request.outcome)
            return;
        if (request.operation == block_operation::write)
            write_some(request);
        request.outcome = failure(error{std::make_error_code(std::errc::io_error), "use a disk that fails by plan"});
    }

    void write_some(const block_request& request) {
        const std::size_t size = info().sector_size;
        std::uint64_t at = request.first;
        for (const const_bytes piece : request.out)
            for (std::size_t offset = 0; offset < piece.size(); offset += size, ++at)
                if (random_() % 2 == 0)
                    static_cast<void>(write(inner_, at, piece.subspan(offset, size)));
    }

    Inner inner_;
    block_fault_plan plan_;
    std::mt19937_64 random_;
};

/// A device with a write cache, whose power can be cut: of what was written since the last flush, each sector keeps
/// its new bytes or falls back to the old ones.
template <Block Inner>
class power_cut_block {
public:
    using buffer = typename Inner::buffer;

    power_cut_block(Inner inner, std::uint64_t seed) : inner_{std::move(inner)}, random_{seed} {}

    [[nodiscard]] block_info info() const noexcept { return inner_.info(); }
    result<buffer> allocate(std::size_t size) { return inner_.allocate(size); }

    /// Errors: the inner device's, and std::errc::io_error while the power is off.
    result<void> transfer(std::span<block_request> batch) {
        for (block_request& one : batch) {
            one.outcome = off_ ? failure(error{std::make_error_code(std::errc::io_error), "use a disk without power"})
                               : check(one, info());
            if (!one.outcome)
                continue;
            if (one.operation == block_operation::write || one.operation == block_operation::discard)
                remember(one);
            static_cast<void>(inner_.transfer({&one, 1}));
            if (one.operation == block_operation::flush && one.outcome)
                old_.clear();
        }
        return first_failure(batch);
    }

    /// Power fails now; until power_on() every request fails.
    void power_off() {
        for (auto& [sector, bytes_before] : old_)
            if (random_() % 2 == 0)
                static_cast<void>(write(inner_, sector, bytes_before));
        old_.clear();
        off_ = true;
    }
    void power_on() noexcept { off_ = false; }

    [[nodiscard]] Inner& inner() noexcept { return inner_; }

private:
    void remember(const block_request& request) {
        const auto size = info().sector_size;
        for (std::uint64_t i = 0; i < sectors_of(request, size); ++i) {
            const auto [place, is_new] = old_.try_emplace(request.first + i, size);
            if (is_new)
                static_cast<void>(read(inner_, request.first + i, place->second));
        }
    }

    Inner inner_;
    std::mt19937_64 random_;
    std::map<std::uint64_t, std::vector<std::byte>> old_;  // since the last flush, by sector
    bool off_ = false;
};

}  // namespace halvm::model
