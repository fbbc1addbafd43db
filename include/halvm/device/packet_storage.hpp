// SPDX-License-Identifier: BSD-3-Clause
// The memory under packets, and the account of it. The account lies beside the memory and never in it: a device's other
// end, which may write to the memory, can spoil what a packet says, but not who owns what. Everything here belongs to
// one VCPU.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/device/memory_buffer.hpp>
#include <halvm/device/packet_metadata.hpp>
#include <halvm/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace halvm {

class packet_pool;
namespace detail {
class packet_arena;
}

/// The memory of a pool, with whatever a driver keeps for it: its grants. It lives until the last packet in it has
/// gone, which may be after the device that it was made for.
class packet_memory {
public:
    packet_memory() noexcept = default;
    packet_memory(const packet_memory&) = delete;
    packet_memory& operator=(const packet_memory&) = delete;
    virtual ~packet_memory() = default;

    /// The same bytes each time.
    [[nodiscard]] virtual bytes run() noexcept = 0;
    /// Storage has come back to a pool that could not give what it was last asked for. Is called by whoever let go of
    /// a packet: it must not block, and must not take from the pool.
    virtual void returned() noexcept {}
};

/// A piece of a pool's memory, as long as somebody refers to it.
class packet_storage {
public:
    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// How many packets, or parts of them, lie in it.
    [[nodiscard]] std::uint32_t references() const noexcept { return references_; }
    /// Unlike that of any other storage of its pool, and less than how many there are: where a driver keeps what it
    /// knows of it.
    [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
    /// By its address a driver knows its own; `data() - memory().run().data()` tells the page.
    [[nodiscard]] packet_memory& memory() const noexcept;

private:
    friend class detail::packet_arena;

    std::byte* data_ = nullptr;
    detail::packet_arena* arena_ = nullptr;
    packet_storage* next_free_ = nullptr;
    std::uint32_t capacity_ = 0;
    std::uint32_t references_ = 0;
    std::uint32_t number_ = 0;
    bool small_ = false;
};

/// How a pool's memory is cut. The large pieces come first, then the small ones.
struct packet_pool_shape {
    std::size_t large = 2048;  ///< bytes; a divisor of the page's size, or a multiple of it
    std::size_t large_count = 0;
    std::size_t small = 256;  ///< bytes, a divisor of the page's size: for headers and short packets
    std::size_t small_count = 0;
    std::size_t nodes = 0;       ///< slices that all packets together have at most; 0 is two for each storage
    std::size_t headroom = 128;  ///< in front of what allocate() gives: Ethernet with a tag, IPv6, TCP with options

    [[nodiscard]] std::size_t bytes_in_all() const noexcept { return large * large_count + small * small_count; }
};

/// What allocate() and headers find without asking anybody.
struct packet_pool_counts {
    std::size_t large = 0;
    std::size_t small = 0;
    std::size_t nodes = 0;
    friend bool operator==(const packet_pool_counts&, const packet_pool_counts&) = default;
};

namespace detail {

/// One slice. The first one of a packet carries what is known of the whole.
struct packet_node {
    packet_node* next = nullptr;
    packet_storage* storage = nullptr;
    packet_arena* arena = nullptr;
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
    std::uint32_t total = 0;
    packet_metadata about;
    std::chrono::nanoseconds arrival{};

    [[nodiscard]] std::byte* data() const noexcept { return storage->data() + begin; }
    [[nodiscard]] std::size_t room_behind() const noexcept { return storage->capacity() - begin - size; }
    [[nodiscard]] bool is_shared() const noexcept { return storage->references() != 1; }
};
static_assert(sizeof(packet_node) == 64, "one cache line");

/// The insides of a pool. Lives as long as a handle, a storage or a node of it is in use.
class packet_arena {
public:
    packet_arena(std::unique_ptr<packet_memory> memory, const packet_pool_shape& shape)
        : memory_{std::move(memory)}, shape_{shape}, storages_(shape.large_count + shape.small_count) {
        Expects(is_cut_of_page(shape.large) && is_cut_of_page(shape.small) && shape.large >= shape.small);
        const bytes run = memory_->run();
        Expects(run.size() >= shape.bytes_in_all());
        nodes_.resize(shape.nodes != 0 ? shape.nodes : 2 * storages_.size());
        for (std::size_t i = storages_.size(); i-- != 0;) {
            packet_storage& one = storages_[i];
            const bool small = i >= shape.large_count;
            one.small_ = small;
            one.arena_ = this;
            one.number_ = static_cast<std::uint32_t>(i);
            one.capacity_ = static_cast<std::uint32_t>(small ? shape.small : shape.large);
            one.data_ = run.data() + (small ? shape.large * shape.large_count + shape.small * (i - shape.large_count)
                                            : shape.large * i);
            put_back(one);
        }
        for (packet_node& one : nodes_) {
            one.arena = this;
            one.next = std::exchange(free_nodes_, &one);
        }
        idle_.nodes = nodes_.size();
    }
    packet_arena(const packet_arena&) = delete;
    packet_arena& operator=(const packet_arena&) = delete;

    /// With one reference. Null when there is none of at least `size` bytes; a small one may be answered by a large.
    packet_storage* take_storage(std::size_t size) noexcept {
        const bool small = size <= shape_.small && free_small_ != nullptr;
        packet_storage*& from = small ? free_small_ : free_large_;
        if (from == nullptr || size > shape_.large) {
            wanted_ = true;
            return nullptr;
        }
        packet_storage& one = *std::exchange(from, from->next_free_);
        --(small ? idle_.small : idle_.large);
        one.references_ = 1;
        ++users_;
        return &one;
    }
    /// Without storage. Null when there is none.
    packet_node* take_node() noexcept {
        if (free_nodes_ == nullptr) {
            wanted_ = true;
            return nullptr;
        }
        packet_node& one = *std::exchange(free_nodes_, free_nodes_->next);
        --idle_.nodes;
        ++users_;
        one.next = nullptr;
        return &one;
    }
    static void retain(packet_storage& one) noexcept { ++one.references_; }
    static void release(packet_storage& one) noexcept {
        if (--one.references_ != 0)
            return;
        packet_arena& own = *one.arena_;
        own.put_back(one);
        own.came_back();
    }
    /// With its storage, if it has one.
    static void release(packet_node& one) noexcept {
        packet_arena& own = *one.arena;
        if (one.storage != nullptr)
            release(*std::exchange(one.storage, nullptr));
        one.about = {};
        one.arrival = {};
        one.next = std::exchange(own.free_nodes_, &one);
        ++own.idle_.nodes;
        own.came_back();
    }

    void enter() noexcept { ++users_; }
    void leave() noexcept {
        if (--users_ == 0)
            end();
    }

    [[nodiscard]] packet_memory& memory() const noexcept { return *memory_; }
    [[nodiscard]] const packet_pool_shape& shape() const noexcept { return shape_; }
    [[nodiscard]] const packet_pool_counts& idle() const noexcept { return idle_; }

private:
    static constexpr std::size_t page = memory_buffer::alignment;

    ~packet_arena() = default;
    [[gnu::cold, gnu::noinline]] void end() noexcept { delete this; }

    static bool is_cut_of_page(std::size_t size) noexcept {
        return size != 0 && (page % size == 0 || size % page == 0) && size <= std::numeric_limits<std::uint32_t>::max();
    }
    void put_back(packet_storage& one) noexcept {
        one.next_free_ = std::exchange(one.small_ ? free_small_ : free_large_, &one);
        ++(one.small_ ? idle_.small : idle_.large);
    }
    void came_back() noexcept {
        if (std::exchange(wanted_, false))
            memory_->returned();
        leave();
    }

    std::unique_ptr<packet_memory> memory_;
    packet_pool_shape shape_;
    std::vector<packet_storage> storages_;
    std::vector<packet_node> nodes_;
    packet_storage* free_large_ = nullptr;
    packet_storage* free_small_ = nullptr;
    packet_node* free_nodes_ = nullptr;
    packet_pool_counts idle_;
    std::size_t users_ = 0;
    bool wanted_ = false;
};

}  // namespace detail

inline packet_memory& packet_storage::memory() const noexcept { return arena_->memory(); }

}  // namespace halvm
