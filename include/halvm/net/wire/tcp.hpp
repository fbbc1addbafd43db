// SPDX-License-Identifier: BSD-3-Clause
// TCP segments with the options of today: MSS, window scale, SACK, timestamps. [rfc9293 3.1] [rfc7323] [rfc2018]
#pragma once

#include <halvm/net/checksum.hpp>
#include <halvm/net/wire/options.hpp>

#include <optional>

namespace halvm::net::wire {

enum class tcp_option : std::uint8_t { mss = 2, window_scale = 3, sack_permitted = 4, sack = 5, timestamps = 8 };

namespace tcp_field {
inline constexpr std::size_t source_port = 0, destination_port = 2, sequence = 4, acknowledgment = 8, data_offset = 12,
                             flags = 13, window = 14, checksum = 16, urgent = 18, size = 20;
inline constexpr std::size_t greatest_options = 40;
inline constexpr std::uint8_t fin = 0x01, syn = 0x02, rst = 0x04, psh = 0x08, ack = 0x10, urg = 0x20, ece = 0x40,
                              cwr = 0x80;
}  // namespace tcp_field

/// A place in the stream, which wraps around. [rfc9293 3.4]
class tcp_sequence {
public:
    constexpr tcp_sequence() noexcept = default;
    constexpr explicit tcp_sequence(std::uint32_t value) noexcept : value_{value} {}
    [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }

    friend constexpr tcp_sequence operator+(tcp_sequence from, std::uint32_t count) noexcept {
        return tcp_sequence{from.value_ + count};
    }
    friend constexpr tcp_sequence operator-(tcp_sequence from, std::uint32_t count) noexcept {
        return tcp_sequence{from.value_ - count};
    }
    /// How far `from` is behind `to`; negative if it is ahead.
    friend constexpr std::int32_t operator-(tcp_sequence to, tcp_sequence from) noexcept {
        return static_cast<std::int32_t>(to.value_ - from.value_);
    }
    friend constexpr bool operator==(tcp_sequence, tcp_sequence) noexcept = default;
    // Not an order of all numbers, only of those less than 2^31 apart; so there is no operator<=>.
    friend constexpr bool operator<(tcp_sequence left, tcp_sequence right) noexcept { return left - right < 0; }
    friend constexpr bool operator>(tcp_sequence left, tcp_sequence right) noexcept { return right < left; }
    friend constexpr bool operator<=(tcp_sequence left, tcp_sequence right) noexcept { return !(right < left); }
    friend constexpr bool operator>=(tcp_sequence left, tcp_sequence right) noexcept { return !(left < right); }

private:
    std::uint32_t value_ = 0;
};

struct tcp_timestamps {
    std::uint32_t value = 0;
    std::uint32_t echo = 0;

    friend constexpr bool operator==(const tcp_timestamps&, const tcp_timestamps&) noexcept = default;
};

/// Bytes that have arrived, from `begin` up to before `end`.
struct tcp_sack_block {
    tcp_sequence begin;
    tcp_sequence end;

    friend constexpr bool operator==(const tcp_sack_block&, const tcp_sack_block&) noexcept = default;
};

/// At most four, which is what fits. [rfc2018 3]
class tcp_sack_blocks {
public:
    static constexpr std::size_t capacity = 4;

    /// Whether there was room.
    constexpr bool push_back(const tcp_sack_block& block) noexcept {
        if (count_ == capacity)
            return false;
        blocks_[count_++] = block;
        return true;
    }
    [[nodiscard]] constexpr const tcp_sack_block* begin() const noexcept { return blocks_.data(); }
    [[nodiscard]] constexpr const tcp_sack_block* end() const noexcept { return blocks_.data() + count_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return count_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0; }

    friend constexpr bool operator==(const tcp_sack_blocks&, const tcp_sack_blocks&) noexcept = default;

private:
    std::array<tcp_sack_block, capacity> blocks_{};
    std::uint8_t count_ = 0;
};

struct tcp_options {
    static constexpr std::uint8_t greatest_window_scale = 14;

    std::optional<std::uint16_t> mss{};
    std::optional<std::uint8_t> window_scale{};
    bool sack_permitted = false;
    std::optional<tcp_timestamps> timestamps{};
    tcp_sack_blocks sack{};

    /// In the header, each padded to a multiple of 4 bytes.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return (mss ? 4u : 0u) +
               (timestamps       ? 12u
                : sack_permitted ? 4u
                                 : 0u) +
               (window_scale ? 4u : 0u) + (sack.empty() ? 0u : 4u + 8u * sack.size());
    }

    friend constexpr bool operator==(const tcp_options&, const tcp_options&) noexcept = default;
};

class tcp_view {
public:
    /// `segment` is all of the IP payload. Options of unknown kinds are none of ours [rfc9293 3.1, MUST-6], and so is
    /// a known one of the wrong length. Errors: truncated; bad_length for a data offset that cannot be; bad_option
    /// when one does not end within the header. [rfc9293 3.2, MUST-7]
    static result<tcp_view> parse(const_bytes segment) noexcept {
        constexpr const char* attempted = "parse a TCP segment";
        if (segment.size() < tcp_field::size)
            return wire_failure(wire_errc::truncated, attempted);
        const std::size_t header = (load8(segment, tcp_field::data_offset) >> 4) * std::size_t{4};
        if (header < tcp_field::size)
            return wire_failure(wire_errc::bad_length, attempted);
        if (header > segment.size())
            return wire_failure(wire_errc::truncated, attempted);
        if (!option_list::is_well_formed(segment.subspan(tcp_field::size, header - tcp_field::size)))
            return wire_failure(wire_errc::bad_option, attempted);
        return tcp_view{segment, header};
    }

    [[nodiscard]] constexpr std::uint16_t source_port() const noexcept {
        return load16(segment_, tcp_field::source_port);
    }
    [[nodiscard]] constexpr std::uint16_t destination_port() const noexcept {
        return load16(segment_, tcp_field::destination_port);
    }
    [[nodiscard]] constexpr tcp_sequence sequence() const noexcept {
        return tcp_sequence{load32(segment_, tcp_field::sequence)};
    }
    /// What the peer expects next; nothing without the ACK flag.
    [[nodiscard]] constexpr std::optional<tcp_sequence> acknowledgment() const noexcept {
        if (!has(tcp_field::ack))
            return std::nullopt;
        return tcp_sequence{load32(segment_, tcp_field::acknowledgment)};
    }
    [[nodiscard]] constexpr bool is_syn() const noexcept { return has(tcp_field::syn); }
    [[nodiscard]] constexpr bool is_fin() const noexcept { return has(tcp_field::fin); }
    [[nodiscard]] constexpr bool is_rst() const noexcept { return has(tcp_field::rst); }
    [[nodiscard]] constexpr bool is_push() const noexcept { return has(tcp_field::psh); }
    /// [rfc3168 6.1]
    [[nodiscard]] constexpr bool has_ecn_echo() const noexcept { return has(tcp_field::ece); }
    [[nodiscard]] constexpr bool has_window_reduced() const noexcept { return has(tcp_field::cwr); }
    /// As it stands there, not scaled.
    [[nodiscard]] constexpr std::uint16_t window() const noexcept { return load16(segment_, tcp_field::window); }
    /// Where urgent data ends, from sequence(); nothing without the URG flag.
    [[nodiscard]] constexpr std::optional<std::uint16_t> urgent() const noexcept {
        if (!has(tcp_field::urg))
            return std::nullopt;
        return load16(segment_, tcp_field::urgent);
    }
    [[nodiscard]] constexpr const_bytes payload() const noexcept { return segment_.subspan(header_size_); }
    /// What the segment takes of the sequence space: its payload, SYN and FIN. [rfc9293 3.4]
    [[nodiscard]] constexpr std::uint32_t sequence_length() const noexcept {
        return static_cast<std::uint32_t>(payload().size()) + (is_syn() ? 1 : 0) + (is_fin() ? 1 : 0);
    }

    /// Of an option that comes twice, the later one; a window scale above 14 is 14 [rfc7323 2.3]. Whether an option
    /// may stand in this segment is the connection's affair.
    [[nodiscard]] constexpr tcp_options options() const noexcept {
        tcp_options found;
        for (const option one : option_list{option_area()}) {
            const std::size_t size = one.data.size();
            switch (tcp_option{one.kind}) {
            case tcp_option::mss:
                if (size == 2)
                    found.mss = load16(one.data, 0);
                break;
            case tcp_option::window_scale:
                if (size == 1)
                    found.window_scale = std::min(load8(one.data, 0), tcp_options::greatest_window_scale);
                break;
            case tcp_option::sack_permitted: found.sack_permitted = found.sack_permitted || size == 0; break;
            case tcp_option::timestamps:
                if (size == 8)
                    found.timestamps = tcp_timestamps{load32(one.data, 0), load32(one.data, 4)};
                break;
            case tcp_option::sack:
                if (size == 0 || size % 8 != 0)
                    break;
                found.sack = {};
                for (std::size_t at = 0; at < size; at += 8)
                    found.sack.push_back({tcp_sequence{load32(one.data, at)}, tcp_sequence{load32(one.data, at + 4)}});
                break;
            }
        }
        return found;
    }

    [[nodiscard]] constexpr bool has_right_checksum(const ip_address& source,
                                                    const ip_address& destination) const noexcept {
        auto sum = checksum::pseudo_header(source, destination, ip_protocol::tcp, segment_.size());
        sum.add(segment_);
        return sum.is_right();
    }

private:
    constexpr tcp_view(const_bytes segment, std::size_t header_size) noexcept
        : segment_{segment}, header_size_{header_size} {}
    [[nodiscard]] constexpr bool has(std::uint8_t flag) const noexcept {
        return (load8(segment_, tcp_field::flags) & flag) != 0;
    }
    [[nodiscard]] constexpr const_bytes option_area() const noexcept {
        return segment_.subspan(tcp_field::size, header_size_ - tcp_field::size);
    }

    const_bytes segment_;
    std::size_t header_size_;
};

struct tcp_header {
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    tcp_sequence sequence{};
    std::optional<tcp_sequence> acknowledgment{};  // with it, the ACK flag
    bool is_syn = false;
    bool is_fin = false;
    bool is_rst = false;
    bool is_push = false;
    bool has_ecn_echo = false;
    bool has_window_reduced = false;
    std::uint16_t window = 0;
    std::optional<std::uint16_t> urgent{};  // with it, the URG flag
    tcp_options options{};

    [[nodiscard]] constexpr std::size_t size() const noexcept { return tcp_field::size + options.size(); }

    /// The header of a payload that `payload` has summed up. Pre: `out` holds size() bytes; the options fit into 40
    /// bytes; header and payload are at most 65535; the ports are not 0; a window scale is at most 14.
    constexpr void write(bytes out, const ip_address& source, const ip_address& destination,
                         const checksum& payload) const noexcept {
        checksum sum = write_without(out, source, destination, payload.size());
        sum.add(const_bytes{out.first(size())});
        sum.add(payload);
        store16(out, tcp_field::checksum, sum.value());
    }
    /// The same for a device that completes the checksum: the field holds the pseudo-header's sum.
    constexpr void write_for_device(bytes out, const ip_address& source, const ip_address& destination,
                                    std::size_t payload_size) const noexcept {
        store16(out, tcp_field::checksum, write_without(out, source, destination, payload_size).sum());
    }

    friend constexpr bool operator==(const tcp_header&, const tcp_header&) noexcept = default;

private:
    // Returns the sum of the pseudo-header.
    constexpr checksum write_without(bytes out, const ip_address& source, const ip_address& destination,
                                     std::size_t payload_size) const noexcept {
        Expects(options.size() <= tcp_field::greatest_options);
        Expects(out.size() >= size());
        Expects(payload_size <= 65535 - size());
        Expects(source_port != 0 && destination_port != 0);
        out = out.first(size());
        const auto flag = [](bool is_set, std::uint8_t bit) { return is_set ? bit : std::uint8_t{0}; };
        store16(out, tcp_field::source_port, source_port);
        store16(out, tcp_field::destination_port, destination_port);
        store32(out, tcp_field::sequence, sequence.value());
        store32(out, tcp_field::acknowledgment, acknowledgment ? acknowledgment->value() : 0);
        store8(out, tcp_field::data_offset, static_cast<std::uint8_t>(size() / 4 << 4));
        store8(out, tcp_field::flags,
               static_cast<std::uint8_t>(flag(is_fin, tcp_field::fin) | flag(is_syn, tcp_field::syn) |
                                         flag(is_rst, tcp_field::rst) | flag(is_push, tcp_field::psh) |
                                         flag(acknowledgment.has_value(), tcp_field::ack) |
                                         flag(urgent.has_value(), tcp_field::urg) | flag(has_ecn_echo, tcp_field::ece) |
                                         flag(has_window_reduced, tcp_field::cwr)));
        store16(out, tcp_field::window, window);
        store16(out, tcp_field::checksum, 0);
        store16(out, tcp_field::urgent, urgent ? *urgent : 0);
        write_options(out.subspan(tcp_field::size));
        return checksum::pseudo_header(source, destination, ip_protocol::tcp, size() + payload_size);
    }

    // Padding stands before an option, so that what is 32 bits wide is aligned; leave for SACK takes the place of the
    // timestamps' padding.
    constexpr void write_options(bytes area) const noexcept {
        std::size_t at = 0;
        const auto start = [&](tcp_option kind, std::size_t size) {
            store8(area, at, static_cast<std::uint8_t>(kind));
            store8(area, at + 1, static_cast<std::uint8_t>(size));
            at += size;
            return at - size + 2;
        };
        const auto pad = [&](std::size_t count) {
            for (; count != 0; --count)
                store8(area, at++, option_list::nothing);
        };
        if (options.mss)
            store16(area, start(tcp_option::mss, 4), *options.mss);
        if (options.sack_permitted) {
            pad(options.timestamps ? 0 : 2);
            start(tcp_option::sack_permitted, 2);
        }
        if (options.timestamps) {
            pad(options.sack_permitted ? 0 : 2);
            const std::size_t data = start(tcp_option::timestamps, 10);
            store32(area, data, options.timestamps->value);
            store32(area, data + 4, options.timestamps->echo);
        }
        if (options.window_scale) {
            Expects(*options.window_scale <= tcp_options::greatest_window_scale);
            pad(1);
            store8(area, start(tcp_option::window_scale, 3), *options.window_scale);
        }
        if (!options.sack.empty()) {
            pad(2);
            std::size_t data = start(tcp_option::sack, 2 + 8 * options.sack.size());
            for (const tcp_sack_block& block : options.sack) {
                store32(area, data, block.begin.value());
                store32(area, data + 4, block.end.value());
                data += 8;
            }
        }
    }
};

constexpr tcp_header header_of(const tcp_view& segment) noexcept {
    return {segment.source_port(),  segment.destination_port(),
            segment.sequence(),     segment.acknowledgment(),
            segment.is_syn(),       segment.is_fin(),
            segment.is_rst(),       segment.is_push(),
            segment.has_ecn_echo(), segment.has_window_reduced(),
            segment.window(),       segment.urgent(),
            segment.options()};
}

/// "mss 1460, sackOK, TS val 1 ecr 0, wscale 10", or nothing.
constexpr void describe(const tcp_options& options, text_sink& out) noexcept {
    const char* before = "";
    const auto next = [&](std::string_view name) {
        out.text(before);
        out.text(name);
        before = ", ";
    };
    if (options.mss) {
        next("mss ");
        out.decimal(*options.mss);
    }
    if (options.sack_permitted)
        next("sackOK");
    if (options.timestamps) {
        next("TS val ");
        out.decimal(options.timestamps->value);
        out.text(" ecr ");
        out.decimal(options.timestamps->echo);
    }
    if (options.window_scale) {
        next("wscale ");
        out.decimal(*options.window_scale);
    }
    if (!options.sack.empty()) {
        next("sack");
        for (const tcp_sack_block& block : options.sack) {
            out.text(" {");
            out.decimal(block.begin.value());
            out.character(':');
            out.decimal(block.end.value());
            out.character('}');
        }
    }
}

/// "TCP 33224 > 80, [S.], seq 1, ack 2, win 64240, options [mss 1460], length 0", with tcpdump's letters for flags.
constexpr void describe(const tcp_view& segment, text_sink& out) noexcept {
    out.text("TCP ");
    out.decimal(segment.source_port());
    out.text(" > ");
    out.decimal(segment.destination_port());
    out.text(", [");
    out.text(segment.is_fin() ? "F" : "");
    out.text(segment.is_syn() ? "S" : "");
    out.text(segment.is_rst() ? "R" : "");
    out.text(segment.is_push() ? "P" : "");
    out.text(segment.urgent() ? "U" : "");
    out.text(segment.has_ecn_echo() ? "E" : "");
    out.text(segment.has_window_reduced() ? "W" : "");
    out.text(segment.acknowledgment() ? "." : "");
    out.text("], seq ");
    out.decimal(segment.sequence().value());
    if (const auto acknowledged = segment.acknowledgment()) {
        out.text(", ack ");
        out.decimal(acknowledged->value());
    }
    out.text(", win ");
    out.decimal(segment.window());
    if (const tcp_options options = segment.options(); options != tcp_options{}) {
        out.text(", options [");
        describe(options, out);
        out.character(']');
    }
    out.text(", length ");
    out.decimal(segment.payload().size());
}

}  // namespace halvm::net::wire
