// SPDX-License-Identifier: BSD-3-Clause
// The operations of packets. Nothing to include by itself: packet.hpp does. What is seldom needed, or large, is kept
// out of line, and in one copy: each of these is called from very many places.
#pragma once

#include <halvm/device/packet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <system_error>
#include <utility>

namespace halvm {

[[gnu::noinline, gnu::noclone]] inline void packet::drop(node* first) noexcept {
    while (first != nullptr)
        arena::release(*std::exchange(first, first->next));
}

/// A node with a storage of at least `size` bytes.
inline packet::node* packet::take(arena& from, std::size_t size) noexcept {
    packet_storage* const storage = from.take_storage(size);
    if (storage == nullptr)
        return nullptr;
    node* const one = from.take_node();
    if (one == nullptr) {
        arena::release(*storage);
        return nullptr;
    }
    one->storage = storage;
    one->begin = 0;
    one->size = 0;
    return one;
}

/// Puts a node with its bytes behind `end`, or into an empty packet; it is the new end.
inline void packet::link(node*& end, node& one) noexcept {
    (end == nullptr ? head_ : end->next) = &one;
    end = &one;
    one.total = 0;
    head_->total += one.size;
}

/// Some bytes of another node, in the same storage.
inline packet::node* packet::share(arena& from, const node& other, std::size_t skip, std::size_t size) noexcept {
    node* const one = from.take_node();
    if (one == nullptr)
        return nullptr;
    arena::retain(*other.storage);
    one->storage = other.storage;
    one->begin = other.begin + static_cast<std::uint32_t>(skip);
    one->size = static_cast<std::uint32_t>(size);
    return one;
}

inline void packet::copy_origin(const node& from) noexcept {
    head_->about.flow_hash = from.about.flow_hash;
    head_->about.queue = from.about.queue;
    head_->about.interface = from.about.interface;
    head_->arrival = from.arrival;
}

inline void packet::move_offsets(std::ptrdiff_t by) noexcept {
    if (head_->about.checksum == packet_checksum::blank || head_->about.header_length != 0)
        move_set_offsets(by);
}

[[gnu::noinline, gnu::noclone]] inline void packet::move_set_offsets(std::ptrdiff_t by) noexcept {
    packet_metadata& about = head_->about;
    const auto moved = [by](std::uint16_t offset) {
        return std::clamp<std::ptrdiff_t>(offset + by, 0, std::numeric_limits<std::uint16_t>::max());
    };
    if (about.checksum == packet_checksum::blank) {
        if (about.checksum_start + by < 0)
            about.checksum = packet_checksum::present;
        about.checksum_start = static_cast<std::uint16_t>(moved(about.checksum_start));
    }
    if (about.header_length != 0)
        about.header_length = static_cast<std::uint16_t>(moved(about.header_length));
}

/// Takes bytes off the front and leaves the offsets.
[[gnu::noinline, gnu::noclone]] inline void packet::drop_first_bytes(std::size_t size) noexcept {
    node& first = *head_;
    first.total -= static_cast<std::uint32_t>(size);
    const auto here = static_cast<std::uint32_t>(std::min<std::size_t>(size, first.size));
    first.begin += here;
    first.size -= here;
    for (size -= here; size != 0;) {
        node& second = *first.next;
        const auto there = static_cast<std::uint32_t>(std::min<std::size_t>(size, second.size));
        second.begin += there;
        second.size -= there;
        size -= there;
        if (second.size == 0) {
            first.next = second.next;
            arena::release(second);
        }
    }
    // An empty first node is kept for its headroom while nothing was taken off; then its memory serves others better.
    if (first.size == 0 && first.next != nullptr) {
        node& second = *first.next;
        std::swap(first.storage, second.storage);
        first.begin = second.begin;
        first.size = second.size;
        first.next = second.next;
        arena::release(second);
    }
}

/// `first` becomes the head, with its bytes.
[[gnu::noinline, gnu::noclone]] inline void packet::put_in_front(node& first) noexcept {
    node& second = *head_;
    first.total = second.total + first.size;
    first.about = second.about;
    first.arrival = second.arrival;
    head_ = &first;
    if (second.size != 0) {
        first.next = &second;
    } else {
        first.next = second.next;
        arena::release(second);
    }
}

inline result<bytes> packet::prepend(std::size_t size) noexcept {
    node& first = head();
    if (headroom() < size)
        return prepend_storage(size);
    const auto count = static_cast<std::uint32_t>(size);
    first.begin -= count;
    first.size += count;
    first.total += count;
    move_offsets(static_cast<std::ptrdiff_t>(size));
    return bytes{first.data(), size};
}

[[gnu::cold, gnu::noinline, gnu::noclone]] inline result<bytes> packet::prepend_storage(std::size_t size) noexcept {
    Expects(size <= head_->arena->shape().large);
    node* const added = take(*head_->arena, size);
    if (added == nullptr)
        return exhausted();
    // At the end, so that what is left is headroom again.
    added->begin = static_cast<std::uint32_t>(added->storage->capacity() - size);
    added->size = static_cast<std::uint32_t>(size);
    put_in_front(*added);
    move_offsets(static_cast<std::ptrdiff_t>(size));
    return front().first(size);
}

inline bytes packet::extend(std::size_t size) noexcept {
    Expects(size <= tailroom());
    if (size == 0)
        return {};
    node& end = last();
    std::byte* const added = end.data() + end.size;
    end.size += static_cast<std::uint32_t>(size);
    head_->total += static_cast<std::uint32_t>(size);
    return {added, size};
}

inline void packet::trim_front(std::size_t count) noexcept {
    Expects(count <= size());
    if (count == 0)
        return;
    if (node& first = *head_; count < first.size) {
        const auto here = static_cast<std::uint32_t>(count);
        first.begin += here;
        first.size -= here;
        first.total -= here;
    } else {
        drop_first_bytes(count);
    }
    move_offsets(-static_cast<std::ptrdiff_t>(count));
}

[[gnu::noinline, gnu::noclone]] inline void packet::trim_back(std::size_t count) noexcept {
    Expects(count <= size());
    if (count == 0)
        return;
    head_->total -= static_cast<std::uint32_t>(count);
    node* at = head_;
    std::uint32_t left = head_->total;
    for (; left > at->size; at = at->next)
        left -= at->size;
    at->size = left;
    drop(std::exchange(at->next, nullptr));
}

[[gnu::noinline, gnu::noclone]] inline void packet::append(packet other) noexcept {
    if (head_ == nullptr) {
        std::swap(head_, other.head_);
    } else if (other.size() != 0) {
        Expects(other.size() <= std::numeric_limits<std::uint32_t>::max() - size());
        head_->total += other.head_->total;
        node* const first = other.first_piece();
        if (first != other.head_)
            arena::release(*other.head_);
        last().next = first;
        other.head_ = nullptr;
    }
}

inline result<void> packet::append_copy(const_bytes data) noexcept {
    arena& from = *head().arena;
    const std::size_t here = std::min(tailroom(), data.size());
    const const_bytes rest = data.subspan(here);
    packet added;
    node* end = nullptr;
    for (std::size_t at = 0; at != rest.size();) {
        node* const one = take(from, std::min(rest.size() - at, from.shape().large));
        if (one == nullptr)
            return exhausted();
        const std::size_t size = std::min(rest.size() - at, one->storage->capacity());
        std::copy_n(rest.data() + at, size, one->storage->data());
        one->size = static_cast<std::uint32_t>(size);
        added.link(end, *one);
        at += size;
    }
    std::copy_n(data.data(), here, extend(here).data());
    append(std::move(added));
    return {};
}

[[gnu::noinline, gnu::noclone]] inline result<packet> packet::split(std::size_t at) noexcept {
    Expects(at != 0 && at < size());
    node* before = head_;
    std::size_t left = at;
    for (; left > before->size; before = before->next)
        left -= before->size;
    node* rest = before->next;
    if (left != before->size) {
        rest = share(*head_->arena, *before, left, before->size - left);
        if (rest == nullptr)
            return exhausted();
        rest->next = before->next;
        before->size = static_cast<std::uint32_t>(left);
    }
    before->next = nullptr;
    packet behind{rest};
    rest->about = {};
    rest->total = head_->total - static_cast<std::uint32_t>(at);
    behind.copy_origin(*head_);
    head_->total = static_cast<std::uint32_t>(at);
    return behind;
}

inline result<packet> packet::clone() const noexcept {
    auto copy = clone(0, head().total);
    if (copy)
        copy->head_->about = head_->about;
    return copy;
}

[[gnu::noinline, gnu::noclone]] inline result<packet> packet::clone(std::size_t offset,
                                                                    std::size_t count) const noexcept {
    Expects(offset <= head().total && count <= head().total - offset);
    const node* from = head_;
    for (; offset > from->size || (offset == from->size && count != 0); from = from->next)
        offset -= from->size;
    packet made;
    for (node* end = nullptr; count != 0 || made.head_ == nullptr; from = from->next, offset = 0) {
        const std::size_t here = std::min<std::size_t>(from->size - offset, count);
        node* const one = share(*head_->arena, *from, offset, here);
        if (one == nullptr)
            return exhausted();
        made.link(end, *one);
        count -= here;
    }
    made.copy_origin(*head_);
    return made;
}

inline void packet::copy_out(std::size_t offset, bytes into) const noexcept {
    Expects(offset <= size() && into.size() <= size() - offset);
    for (const node* from = first_piece(); !into.empty(); from = from->next) {
        if (offset >= from->size) {
            offset -= from->size;
            continue;
        }
        const std::size_t here = std::min<std::size_t>(from->size - offset, into.size());
        std::copy_n(from->data() + offset, here, into.data());
        into = into.subspan(here);
        offset = 0;
    }
}

inline void packet::copy_in(std::size_t offset, const_bytes data) noexcept {
    Expects(offset <= size() && data.size() <= size() - offset);
    for (node* to = first_piece(); !data.empty(); to = to->next) {
        if (offset >= to->size) {
            offset -= to->size;
            continue;
        }
        const std::size_t here = std::min<std::size_t>(to->size - offset, data.size());
        std::copy_n(data.data(), here, to->data() + offset);
        data = data.subspan(here);
        offset = 0;
    }
}

/// The first bytes in one run, in memory of this packet alone if that is asked for.
[[gnu::noinline, gnu::noclone]] inline result<bytes> packet::gather(std::size_t count, bool alone) noexcept {
    Expects(count <= size());
    if (count == 0)
        return bytes{};
    const node& first = *first_piece();
    if (count <= first.size && !(alone && first.is_shared()))
        return bytes{first.data(), count};
    node& own = *head_;
    if (!own.is_shared() && own.size < count && own.room_behind() >= count - own.size) {
        const std::uint32_t size = own.size;
        const auto missing = static_cast<std::uint32_t>(count - size);
        copy_out(size, {own.data() + size, missing});
        // They are dropped from what follows, as if it were another packet.
        node* const rest = std::exchange(own.next, nullptr);
        rest->total = own.total - size;
        packet behind{rest};
        behind.drop_first_bytes(missing);
        own.size = static_cast<std::uint32_t>(count);
        own.total = own.size;
        append(std::move(behind));
        return bytes{own.data(), count};
    }
    if (count > own.arena->shape().large)
        return failure(error{std::make_error_code(std::errc::value_too_large), "have a packet's headers in one piece"});
    node* const added = take(*own.arena, count);
    if (added == nullptr)
        return exhausted();
    added->begin =
        static_cast<std::uint32_t>(std::min(own.arena->shape().headroom, added->storage->capacity() - count));
    added->size = static_cast<std::uint32_t>(count);
    copy_out(0, {added->data(), count});
    drop_first_bytes(count);
    put_in_front(*added);
    return bytes{added->data(), count};
}

}  // namespace halvm
