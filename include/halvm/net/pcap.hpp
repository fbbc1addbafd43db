// SPDX-License-Identifier: BSD-3-Clause
// Captures in the classic pcap format, to write for tcpdump and Wireshark and to read theirs. [draft-ietf-opsawg-pcap]
#pragma once

#include <halvm/net/wire/fields.hpp>

#include <chrono>
#include <concepts>
#include <optional>

namespace halvm::net {

/// What takes bytes in order; a Console is one.
template <class Sink>
concept ByteSink = requires(Sink& sink, const_bytes out) {
    // Takes all of `out`, or says why not.
    { sink.write(out) } -> std::same_as<result<void>>;
};

/// Since 1970, UTC.
using capture_time = std::chrono::sys_time<std::chrono::nanoseconds>;

enum class pcap_link : std::uint32_t { ethernet = 1, raw_ip = 101 };

namespace pcap_field {
inline constexpr std::size_t magic = 0, major = 4, minor = 6, snap_length = 16, link = 20, file_header = 24;
inline constexpr std::size_t seconds = 0, fraction = 4, captured = 8, original = 12, record_header = 16;
inline constexpr std::uint32_t magic_microseconds = 0xa1b2c3d4, magic_nanoseconds = 0xa1b23c4d;
/// What tcpdump takes a larger snap length for an error at.
inline constexpr std::uint32_t greatest_snap_length = 262144;
}  // namespace pcap_field

/// Writes with the highest byte first and times in nanoseconds.
template <ByteSink Sink>
class pcap_writer {
public:
    /// The file's header is written at once. `sink` must outlive the writer; of longer packets the first `snap_length`
    /// bytes are kept. Errors: the sink's. Pre: `snap_length` is 1 to 262144.
    static result<pcap_writer> create(Sink& sink, std::uint32_t snap_length = pcap_field::greatest_snap_length,
                                      pcap_link link = pcap_link::ethernet) {
        Expects(snap_length != 0 && snap_length <= pcap_field::greatest_snap_length);
        std::array<std::byte, pcap_field::file_header> header{};
        wire::store32(header, pcap_field::magic, pcap_field::magic_nanoseconds);
        wire::store16(header, pcap_field::major, 2);
        wire::store16(header, pcap_field::minor, 4);
        wire::store32(header, pcap_field::snap_length, snap_length);
        wire::store32(header, pcap_field::link, static_cast<std::uint32_t>(link));
        if (auto written = sink.write(header); !written)
            return failure{written.error()};
        return pcap_writer{sink, snap_length};
    }

    /// Errors: the sink's; what was written then ends in the middle. Pre: the time is from 1970 to 2106.
    result<void> write(capture_time when, const_bytes packet) {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
        Expects(seconds.time_since_epoch().count() >= 0 && seconds.time_since_epoch().count() <= 0xffff'ffff);
        Expects(packet.size() <= 0xffff'ffff);
        const const_bytes kept = packet.first(std::min<std::size_t>(packet.size(), snap_length_));
        std::array<std::byte, pcap_field::record_header> header{};
        wire::store32(header, pcap_field::seconds, static_cast<std::uint32_t>(seconds.time_since_epoch().count()));
        wire::store32(header, pcap_field::fraction, static_cast<std::uint32_t>((when - seconds).count()));
        wire::store32(header, pcap_field::captured, static_cast<std::uint32_t>(kept.size()));
        wire::store32(header, pcap_field::original, static_cast<std::uint32_t>(packet.size()));
        if (auto written = sink_->write(header); !written)
            return written;
        return sink_->write(kept);
    }

private:
    pcap_writer(Sink& sink, std::uint32_t snap_length) noexcept : sink_{&sink}, snap_length_{snap_length} {}

    Sink* sink_;
    std::uint32_t snap_length_;
};

struct pcap_packet {
    capture_time when;
    const_bytes data;             // what was kept of it
    std::uint32_t original_size;  // what it was
};

/// Reads a capture in memory, of either byte order and either precision.
class pcap_reader {
public:
    /// Errors: truncated; bad_type for another magic number; bad_version.
    static result<pcap_reader> parse(const_bytes file) noexcept {
        constexpr const char* attempted = "parse a capture's header";
        if (file.size() < pcap_field::file_header)
            return wire_failure(wire_errc::truncated, attempted);
        pcap_reader reader;
        const std::uint32_t magic = wire::load32(file, pcap_field::magic);
        reader.is_swapped_ =
            magic == swapped(pcap_field::magic_microseconds) || magic == swapped(pcap_field::magic_nanoseconds);
        const std::uint32_t plain = reader.is_swapped_ ? swapped(magic) : magic;
        if (plain != pcap_field::magic_microseconds && plain != pcap_field::magic_nanoseconds)
            return wire_failure(wire_errc::bad_type, attempted);
        reader.has_nanoseconds_ = plain == pcap_field::magic_nanoseconds;
        const std::uint32_t versions = wire::load32(file, pcap_field::major);
        if (versions != (reader.is_swapped_ ? 0x02000400u : 0x00020004u))
            return wire_failure(wire_errc::bad_version, attempted);
        reader.snap_length_ = reader.number(file, pcap_field::snap_length);
        // The upper bits say how a frame's check sequence was kept.
        reader.link_ = pcap_link{reader.number(file, pcap_field::link) & 0xffff};
        reader.rest_ = file.subspan(pcap_field::file_header);
        return reader;
    }

    [[nodiscard]] pcap_link link() const noexcept { return link_; }
    [[nodiscard]] std::uint32_t snap_length() const noexcept { return snap_length_; }
    [[nodiscard]] bool has_nanoseconds() const noexcept { return has_nanoseconds_; }

    /// Nothing at the end. Errors: truncated when the capture ends within a packet; bad_length for a packet of more
    /// bytes than it had, or than tcpdump would keep; bad_value for a fraction above a second. After an error there
    /// are no more packets.
    result<std::optional<pcap_packet>> next() noexcept {
        constexpr const char* attempted = "read a packet of a capture";
        const const_bytes record = rest_;
        rest_ = {};
        if (record.empty())
            return std::nullopt;
        if (record.size() < pcap_field::record_header)
            return wire_failure(wire_errc::truncated, attempted);
        const std::uint32_t captured = number(record, pcap_field::captured);
        const std::uint32_t original = number(record, pcap_field::original);
        const std::uint32_t fraction = number(record, pcap_field::fraction);
        if (captured > original || captured > pcap_field::greatest_snap_length)
            return wire_failure(wire_errc::bad_length, attempted);
        if (fraction >= (has_nanoseconds_ ? 1'000'000'000u : 1'000'000u))
            return wire_failure(wire_errc::bad_value, attempted);
        if (captured > record.size() - pcap_field::record_header)
            return wire_failure(wire_errc::truncated, attempted);
        rest_ = record.subspan(pcap_field::record_header + captured);
        const std::chrono::nanoseconds behind{std::uint64_t{fraction} * (has_nanoseconds_ ? 1u : 1000u)};
        return pcap_packet{capture_time{std::chrono::seconds{number(record, pcap_field::seconds)} + behind},
                           record.subspan(pcap_field::record_header, captured), original};
    }

private:
    pcap_reader() noexcept = default;

    static constexpr std::uint32_t swapped(std::uint32_t number) noexcept {
        return number << 24 | (number & 0xff00) << 8 | (number >> 8 & 0xff00) | number >> 24;
    }
    [[nodiscard]] std::uint32_t number(const_bytes from, std::size_t at) const noexcept {
        const std::uint32_t number = wire::load32(from, at);
        return is_swapped_ ? swapped(number) : number;
    }

    const_bytes rest_;
    pcap_link link_{};
    std::uint32_t snap_length_ = 0;
    bool is_swapped_ = false;
    bool has_nanoseconds_ = false;
};

}  // namespace halvm::net
