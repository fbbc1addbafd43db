// SPDX-License-Identifier: BSD-3-Clause
// The checksum of IPv4, ICMP, UDP and TCP: the ones' complement of the ones' complement sum of 16-bit words.
// [rfc1071] [rfc1624]
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/net/ip_address.hpp>

#include <bit>
#include <cstring>
#include <type_traits>

namespace halvm::net {

/// The number of a protocol over IP. [rfc790] [iana/protocol-numbers]
enum class ip_protocol : std::uint8_t { icmp = 1, igmp = 2, tcp = 6, udp = 17, icmpv6 = 58 };

/// Sums up bytes that come in pieces of any length, as if they stood one after the other. It also counts them, so
/// that a header's writer has a payload's sum and size from one hand.
class checksum {
public:
    constexpr checksum() noexcept = default;
    constexpr explicit checksum(const_bytes piece) noexcept { add(piece); }

    /// What stands before a segment's own bytes in a sum: addresses, protocol and the segment's length. It does not
    /// count for size(). Pre: the addresses are of one family. [rfc768] [rfc9293 3.1] [rfc8200 8.1]
    static constexpr checksum pseudo_header(const ip_address& source, const ip_address& destination,
                                            ip_protocol protocol, std::size_t length) noexcept {
        Expects(source.family() == destination.family());
        checksum sum;
        sum.add_address(source);
        sum.add_address(destination);
        sum.add_number(static_cast<std::uint64_t>(length) + static_cast<std::uint8_t>(protocol));
        return sum;
    }

    constexpr void add(const_bytes piece) noexcept {
        std::uint64_t sum = sum_of(piece);
        if (size_ % 2 != 0)
            sum = swapped(fold(sum));
        add_raw(sum);
        size_ += piece.size();
    }
    /// The bytes that `other` has summed up. Pre: as many bytes as are there so far are even.
    constexpr void add(const checksum& other) noexcept {
        Expects(size_ % 2 == 0);
        add_raw(other.sum_);
        size_ += other.size_;
    }

    /// How many bytes were added.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    /// The sum itself, as a number; what a device is given that will complete it.
    [[nodiscard]] constexpr std::uint16_t sum() const noexcept {
        const std::uint16_t folded = fold(sum_);
        return std::endian::native == std::endian::little ? swapped(folded) : folded;
    }
    /// What goes into a packet's checksum field.
    [[nodiscard]] constexpr std::uint16_t value() const noexcept { return static_cast<std::uint16_t>(~sum()); }
    /// Of a whole packet, its checksum field included: whether it is as it was sent.
    [[nodiscard]] constexpr bool is_right() const noexcept { return sum() == 0xffff; }

    /// A packet's new checksum when a 16-bit word in it changes. [rfc1624 3, equation 3]
    static constexpr std::uint16_t updated(std::uint16_t before, std::uint16_t old_word,
                                           std::uint16_t new_word) noexcept {
        const std::uint64_t sum = static_cast<std::uint64_t>(before ^ 0xffff) + (old_word ^ 0xffff) + new_word;
        return static_cast<std::uint16_t>(~fold(sum));
    }
    /// The same for an IPv4 address.
    static constexpr std::uint16_t updated(std::uint16_t before, ipv4_address old_address,
                                           ipv4_address new_address) noexcept {
        const std::uint64_t sum =
            static_cast<std::uint64_t>(before ^ 0xffff) + (~old_address.bits() & 0xffff'ffffull) + new_address.bits();
        return static_cast<std::uint16_t>(~fold(sum));
    }

private:
    // All sums are of words in the machine's own byte order: such a sum is the other order's with its bytes swapped,
    // so one swap at the end does. [rfc1071 2.B]
    static constexpr std::uint16_t swapped(std::uint16_t word) noexcept {
        return static_cast<std::uint16_t>(word << 8 | word >> 8);
    }
    static constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
        sum = (sum & 0xffff'ffff) + (sum >> 32);
        sum = (sum & 0xffff'ffff) + (sum >> 32);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        return static_cast<std::uint16_t>(sum);
    }
    constexpr void add_raw(std::uint64_t sum) noexcept {
        sum_ += sum;
        sum_ += sum_ < sum ? 1 : 0;
    }
    constexpr void add_number(std::uint64_t number) noexcept {
        const std::uint16_t folded = fold(number);
        add_raw(std::endian::native == std::endian::little ? swapped(folded) : folded);
    }
    constexpr void add_address(const ip_address& address) noexcept {
        if (address.is_v4()) {
            add_number(address.v4().bits());
        } else {
            add_number(address.v6().high_bits());
            add_number(address.v6().low_bits());
        }
    }

    static constexpr std::uint64_t sum_of(const_bytes piece) noexcept {
        return std::is_constant_evaluated() ? slow_sum_of(piece) : fast_sum_of(piece);
    }
    // In one copy: it is called from everywhere.
    [[gnu::noinline, gnu::noclone]] static std::uint64_t fast_sum_of(const_bytes piece) noexcept {
        const std::byte* from = piece.data();
        std::size_t left = piece.size();
        checksum total;
        if (left >= 2 * block_size) {
            total.add_raw(sum_of_blocks(from, left / block_size));
            from += left / block_size * block_size;
            left %= block_size;
        }
        for (; left >= 8; from += 8, left -= 8)
            total.add_raw(load<std::uint64_t>(from, 8));
        if (left != 0)
            total.add_raw(load_tail(from, left));
        return total.sum_;
    }

    static constexpr std::size_t block_size = 64;

    // 32-bit halves in 64-bit lanes: no addition can carry out of its lane, and the compiler makes vector
    // instructions of it, whichever the program is built for.
    static std::uint64_t sum_of_blocks(const std::byte* from, std::size_t blocks) noexcept {
        using lanes = std::uint64_t __attribute__((vector_size(32)));
        lanes low{}, high{};
        for (; blocks != 0; --blocks, from += block_size) {
            lanes first, second;
            std::memcpy(&first, from, 32);
            std::memcpy(&second, from + 32, 32);
            low += (first & 0xffff'ffffull) + (second & 0xffff'ffffull);
            high += (first >> 32) + (second >> 32);
        }
        low = (low & 0xffff'ffffull) + (low >> 32) + (high & 0xffff'ffffull) + (high >> 32);
        return low[0] + low[1] + low[2] + low[3];
    }

    template <class Word>
    static std::uint64_t load(const std::byte* from, std::size_t count) noexcept {
        Word word = 0;
        std::memcpy(&word, from, count);
        return word;
    }
    // Fewer than 8 bytes, as if zeros followed.
    static std::uint64_t load_tail(const std::byte* from, std::size_t count) noexcept {
        std::uint64_t sum = 0;
        if ((count & 4) != 0) {
            sum += load<std::uint32_t>(from, 4);
            from += 4;
        }
        if ((count & 2) != 0) {
            sum += load<std::uint16_t>(from, 2);
            from += 2;
        }
        if ((count & 1) != 0)
            sum += load<std::uint16_t>(from, 1);
        return sum;
    }

    static constexpr std::uint64_t slow_sum_of(const_bytes piece) noexcept {
        std::uint64_t sum = 0;
        for (std::size_t at = 0; at < piece.size(); ++at) {
            const bool is_low = (at % 2 == 0) == (std::endian::native == std::endian::little);
            sum += static_cast<std::uint64_t>(piece[at]) << (is_low ? 0 : 8);
        }
        return sum;
    }

    std::uint64_t sum_ = 0;
    std::size_t size_ = 0;
};

}  // namespace halvm::net
