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
