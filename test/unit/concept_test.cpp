// SPDX-License-Identifier: BSD-3-Clause
// The concepts take their archetypes and nothing that only looks like one. All of it happens at compile time.
#include "archetypes.hpp"

namespace {

using namespace halvm;

struct copyable_console : archetype::console {
    using archetype::console::console;
    copyable_console(const copyable_console&);
    copyable_console& operator=(const copyable_console&);
};
static_assert(!UniqueDevice<copyable_console> && !Console<copyable_console>);

struct immovable_console : archetype::console {
    immovable_console(immovable_console&&) = delete;
};
static_assert(!UniqueDevice<immovable_console> && !Console<immovable_console>);

struct silent_write : archetype::console {
    void write(const_bytes);
};
static_assert(UniqueDevice<silent_write> && !Console<silent_write>);

struct short_write : archetype::console {
    result<std::size_t> write(const_bytes);
};
static_assert(!Console<short_write>);

struct throwing_read : archetype::console {
    std::size_t read(bytes);
};
static_assert(!Console<throwing_read>);

struct write_takes_writable : archetype::console {
    result<void> write(bytes);
};
static_assert(!Console<write_takes_writable>);

struct endless_read : archetype::console {
    result<std::size_t> read(bytes);
};
static_assert(!Console<endless_read>);

struct no_try_read : archetype::console {
    void try_read() const;
};
static_assert(!Console<no_try_read>);

struct copyable_block : archetype::block {
    copyable_block(const copyable_block&);
    copyable_block& operator=(const copyable_block&);
};
static_assert(!UniqueDevice<copyable_block> && !Block<copyable_block>);

struct block_with_one_request : archetype::block {
    result<void> transfer(block_request&);
};
static_assert(!Block<block_with_one_request>);

struct block_without_outcome : archetype::block {
    void transfer(std::span<block_request>);
};
static_assert(!Block<block_without_outcome>);

struct block_with_copyable_buffer : archetype::block {
    using buffer = bytes;
    result<buffer> allocate(std::size_t);
};
static_assert(!Block<block_with_copyable_buffer>);

struct block_with_unknown_memory : archetype::block {
    struct buffer {
        buffer(buffer&&);
        buffer& operator=(buffer&&);
    };
    result<buffer> allocate(std::size_t);
};
static_assert(!Block<block_with_unknown_memory>);

struct block_of_throwing_info : archetype::block {
    block_info info() const;
};
static_assert(!Block<block_of_throwing_info>);

struct copyable_nic : archetype::nic {
    copyable_nic(const copyable_nic&);
    copyable_nic& operator=(const copyable_nic&);
};
static_assert(!UniqueDevice<copyable_nic> && !NIC<copyable_nic>);

struct nic_of_one_frame : archetype::nic {
    result<packet> receive(std::stop_token);
};
static_assert(!NIC<nic_of_one_frame>);

struct nic_that_cannot_be_stopped : archetype::nic {
    result<std::size_t> receive(std::span<packet>);
};
static_assert(!NIC<nic_that_cannot_be_stopped>);

struct nic_without_back_pressure : archetype::nic {
    void transmit(std::span<packet>, std::stop_token);
};
static_assert(!NIC<nic_without_back_pressure>);

struct nic_that_takes_all_or_none : archetype::nic {
    bool try_transmit(std::span<packet>);
};
static_assert(!NIC<nic_that_takes_all_or_none>);

struct nic_of_foreign_memory : archetype::nic {
    result<bytes> allocate(std::size_t);
};
static_assert(!NIC<nic_of_foreign_memory>);

struct nic_of_throwing_info : archetype::nic {
    [[nodiscard]] nic_info info() const;
};
static_assert(!NIC<nic_of_throwing_info>);

struct nic_without_statistics : archetype::nic {
    void statistics() const noexcept;
};
static_assert(!NIC<nic_without_statistics>);

static_assert(Clock<std::chrono::steady_clock>);
static_assert(!Clock<std::chrono::system_clock>, "it can go back");

struct clock_without_now {
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<clock_without_now>;
    static constexpr bool is_steady = true;
};
static_assert(!Clock<clock_without_now>);

struct clock_of_counts : clock_without_now {
    static long now();
};
static_assert(!Clock<clock_of_counts>);

struct clock_that_is_an_object : clock_without_now {
    time_point now() const;
};
static_assert(!Clock<clock_that_is_an_object>);

}  // namespace
