// SPDX-License-Identifier: BSD-3-Clause
// A packet: a chain of slices of shared memory, with what a device needs to know or has found out. One type for every
// NIC, so that one's packet can be sent by another, and a stack needs no template for it.
//
// Taking apart, joining and cloning copy no data; nothing here allocates. Who writes into bytes that a clone shares
// writes for both; writable() is the way around that. A packet without nodes, as a default-constructed one is, has no
// size and no metadata, and most of what follows asks for one that is there.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/device/packet_metadata.hpp>
#include <halvm/device/packet_storage.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <system_error>
#include <type_traits>
#include <utility>

namespace halvm {

/// A run of a packet's bytes, and the storage that it lies in.
struct packet_slice {
    packet_storage& storage;
    std::byte* data;
    std::size_t size;

    operator bytes() const noexcept { return {data, size}; }
};

/// The runs of a packet in their order, none of them empty. A forward range.
template <class Piece>
class packet_pieces {
public:
    class iterator {
    public:
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = Piece;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = Piece;

        iterator() noexcept = default;
        explicit iterator(const detail::packet_node* at) noexcept : at_{at} {}
        Piece operator*() const noexcept {
            if constexpr (std::is_same_v<Piece, packet_slice>)
                return {*at_->storage, at_->data(), at_->size};
            else
                return {at_->data(), at_->size};
        }
        iterator& operator++() noexcept {
            at_ = at_->next;
            return *this;
        }
        iterator operator++(int) noexcept { return iterator{std::exchange(at_, at_->next)}; }
        friend bool operator==(const iterator&, const iterator&) noexcept = default;

    private:
        const detail::packet_node* at_ = nullptr;
    };

    explicit packet_pieces(const detail::packet_node* first) noexcept : first_{first} {}
    [[nodiscard]] iterator begin() const noexcept { return iterator{first_}; }
    [[nodiscard]] iterator end() const noexcept { return iterator{}; }

private:
    const detail::packet_node* first_;
};

class packet {
public:
    packet() noexcept = default;
    packet(packet&& other) noexcept : head_{std::exchange(other.head_, nullptr)} {}
    packet& operator=(packet&& other) noexcept {
        packet old{std::move(other)};
        std::swap(head_, old.head_);
        return *this;
    }
    ~packet() {
        if (head_ != nullptr)
            drop(head_);
    }

    /// Whether there is one at all, be it of no bytes.
    explicit operator bool() const noexcept { return head_ != nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return head_ != nullptr ? head_->total : 0; }

    /// Pre: there is one.
    [[nodiscard]] packet_metadata& metadata() noexcept { return head().about; }
    [[nodiscard]] const packet_metadata& metadata() const noexcept { return head().about; }
    /// When a device received it, since the beginning of the scheduler's clock; 0 when it did not look.
    [[nodiscard]] std::chrono::nanoseconds arrival() const noexcept { return head().arrival; }
    void set_arrival(std::chrono::nanoseconds when) noexcept { head().arrival = when; }

    [[nodiscard]] packet_pieces<bytes> pieces() noexcept { return packet_pieces<bytes>{first_piece()}; }
    [[nodiscard]] packet_pieces<const_bytes> pieces() const noexcept {
        return packet_pieces<const_bytes>{first_piece()};
    }
    /// The same for a driver.
    [[nodiscard]] packet_pieces<packet_slice> slices() const noexcept {
        return packet_pieces<packet_slice>{first_piece()};
    }
    [[nodiscard]] std::size_t piece_count() const noexcept {
        std::size_t count = 0;
        for (auto* at = first_piece(); at != nullptr; at = at->next)
            ++count;
        return count;
    }
    /// The first run of bytes, empty when there are none.
    [[nodiscard]] bytes front() noexcept { return front_of(first_piece()); }
    [[nodiscard]] const_bytes front() const noexcept { return front_of(first_piece()); }

    /// How many bytes prepend() has room for without new memory, and extend() at the end.
    [[nodiscard]] std::size_t headroom() const noexcept {
        return head_ == nullptr || head_->is_shared() ? 0 : head_->begin;
    }
    [[nodiscard]] std::size_t tailroom() const noexcept {
        return head_ == nullptr || last().is_shared() ? 0 : last().room_behind();
    }

    /// Puts `size` bytes in front, all in one run, for the caller to fill in. Takes them from the headroom, or a new
    /// storage if that is too small or shared. Pre: there is a packet, and a large storage of its pool holds as many.
    /// Errors: std::errc::not_enough_memory, and the packet is as it was.
    result<bytes> prepend(std::size_t size) noexcept;
    /// Puts `size` bytes at the end, for the caller to fill in. Pre: the tailroom is enough.
    bytes extend(std::size_t size) noexcept;
    /// Pre: there are as many bytes.
    void trim_front(std::size_t size) noexcept;
    void trim_back(std::size_t size) noexcept;

    /// Puts all of `other` behind; its metadata is lost. When this is none, it becomes `other`.
    void append(packet other) noexcept;
    /// Puts a copy of `data` behind, into the tailroom and new storages. Pre: there is a packet.
    /// Errors: std::errc::not_enough_memory, and the packet is as it was.
    result<void> append_copy(const_bytes data) noexcept;

    /// This becomes its first `at` bytes, and what is returned is the rest, whose metadata says only where it came
    /// from. Pre: 0 < at < size(). Errors: std::errc::not_enough_memory, and the packet is as it was.
    result<packet> split(std::size_t at) noexcept;

    /// Another packet of the same bytes, in the same memory, with the same metadata.
    /// Pre: there is one. Errors: std::errc::not_enough_memory.
    [[nodiscard]] result<packet> clone() const noexcept;
    /// Of some of them; its metadata says only where it came from. Pre: there are as many, and a packet.
    [[nodiscard]] result<packet> clone(std::size_t offset, std::size_t size) const noexcept;

    /// Pre: the bytes are there.
    void copy_out(std::size_t offset, bytes into) const noexcept;
    void copy_in(std::size_t offset, const_bytes from) noexcept;

    /// The first `size` bytes in one run, for parsing; copied together if they are not. Pre: there are as many.
    /// Errors: std::errc::not_enough_memory; std::errc::value_too_large when no storage holds as many. The packet's
    /// bytes are as they were.
    result<const_bytes> linearize(std::size_t size) noexcept {
        auto first = gather(size, false);
        return first ? result<const_bytes>{*first} : failure(first.error());
    }
    /// The same for writing: in memory that no other packet shares.
    result<bytes> writable(std::size_t size) noexcept { return gather(size, true); }

private:
    friend class packet_pool;
    using node = detail::packet_node;
    using arena = detail::packet_arena;

    explicit packet(node* head) noexcept : head_{head} {}

    [[nodiscard]] node& head() const noexcept {
        Expects(head_ != nullptr);
        return *head_;
    }
    // Only the first node may be of no bytes: it keeps room for headers.
    [[nodiscard]] node* first_piece() const noexcept {
        return head_ != nullptr && head_->size == 0 ? head_->next : head_;
    }
    static bytes front_of(const node* first) noexcept {
        return first != nullptr ? bytes{first->data(), first->size} : bytes{};
    }
    [[nodiscard]] node& last() const noexcept {
        node* at = head_;
        while (at->next != nullptr)
            at = at->next;
        return *at;
    }

    static failure exhausted() noexcept {
        return failure(error{std::make_error_code(std::errc::not_enough_memory), "take a packet from its pool"});
    }
    static void drop(node* first) noexcept;
    static node* take(arena& from, std::size_t size) noexcept;
    static node* share(arena& from, const node& other, std::size_t skip, std::size_t size) noexcept;
    void link(node*& end, node& one) noexcept;
    void move_offsets(std::ptrdiff_t by) noexcept;
    void move_set_offsets(std::ptrdiff_t by) noexcept;
    void drop_first_bytes(std::size_t size) noexcept;
    void put_in_front(node& first) noexcept;
    result<bytes> prepend_storage(std::size_t size) noexcept;
    void copy_origin(const node& from) noexcept;
    result<bytes> gather(std::size_t size, bool alone) noexcept;

    node* head_ = nullptr;
};

}  // namespace halvm

#include <halvm/device/packet_operations.hpp>
