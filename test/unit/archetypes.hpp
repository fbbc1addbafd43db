// SPDX-License-Identifier: BSD-3-Clause
// The least that each device concept asks for, in memory: what algorithms and front doors are tested with.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/device/clock.hpp>
#include <halvm/device/console.hpp>
#include <halvm/device/nic.hpp>

#include <chrono>
#include <stop_token>
#include <string>

namespace halvm::archetype {

/// A console whose other side is a pair of strings.
class console {
public:
    console(std::string& input, std::string& output) : input_{&input}, output_{&output} {}
    console(console&&) = default;
    console& operator=(console&&) = default;

    result<void> write(const_bytes out, std::stop_token = {}) {
        output_->append(as_text(out));
        return {};
    }
    result<std::size_t> read(bytes in, std::stop_token = {}) { return try_read(in); }
    result<std::size_t> try_read(bytes in) {
        const std::size_t count = input_->copy(reinterpret_cast<char*>(in.data()), in.size());
        input_->erase(0, count);
        return count;
    }

private:
    std::string* input_;
    std::string* output_;
};

/// A disk of one sector that holds nothing.
class block {
public:
    class buffer {
    public:
        buffer(buffer&&) = default;
        buffer& operator=(buffer&&) = default;
        operator bytes() noexcept { return {}; }

    private:
        friend class block;
        buffer() = default;
    };

    block() = default;
    block(block&&) = default;
    block& operator=(block&&) = default;

    [[nodiscard]] block_info info() const noexcept { return {.sectors = 1}; }
    result<buffer> allocate(std::size_t) { return buffer{}; }
    result<void> transfer(std::span<block_request> batch) { return first_failure(batch); }
};

/// An interface of a link that nobody else is on.
class nic {
public:
    nic(nic&&) = default;
    nic& operator=(nic&&) = default;

    [[nodiscard]] nic_info info() const noexcept { return {}; }
    [[nodiscard]] nic_statistics statistics() const noexcept { return {}; }
    result<packet> allocate(std::size_t) { return packet{}; }
    result<std::size_t> receive(std::span<packet>, std::stop_token) { return 0; }
    std::size_t try_transmit(std::span<packet> frames) { return frames.size(); }
    result<void> transmit(std::span<packet>, std::stop_token) { return {}; }
};

/// A clock that stands still until a test moves it; sleeping on it moves it to the deadline.
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept { return current; }
    static inline time_point current;
};

static_assert(Block<block>);
static_assert(Console<console>);
static_assert(Clock<clock>);
static_assert(NIC<nic>);

}  // namespace halvm::archetype
