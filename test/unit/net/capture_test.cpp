// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz/net/oracles.hpp"
#include "net/packets.hpp"

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::test;
using namespace std::chrono_literals;
using halvm::fuzz::collecting_sink;

constexpr capture_time noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 12h};

// As tcpdump 4.99 writes it here: two packets, of 3 and 4 bytes, the second cut to 2.
const char* const of_tcpdump =
    "d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000 "
    "c0f70365 40e20100 03000000 03000000 aabbcc "
    "c1f70365 01000000 02000000 04000000 ddee";

TEST_CASE("pcap: what is written is read again, to the nanosecond") {
    collecting_sink sink;
    auto writer = pcap_writer<collecting_sink>::create(sink, 100).value();
    const packet small(60, std::byte{1}), large(1500, std::byte{2});
    CHECK(writer.write(noon + 1ns, small).has_value());
    CHECK(writer.write(noon + 999'999'999ns, large).has_value());
    auto reader = pcap_reader::parse(sink.bytes).value();
    CHECK(reader.link() == pcap_link::ethernet);
    CHECK(reader.snap_length() == 100);
    CHECK(reader.has_nanoseconds());
    const auto first_packet = reader.next().value().value();
    CHECK(first_packet.when == noon + 1ns);
    CHECK(first_packet.original_size == 60);
    CHECK(std::ranges::equal(first_packet.data, small));
    const auto second_packet = reader.next().value().value();
    CHECK(second_packet.when == noon + 999'999'999ns);
    CHECK(second_packet.original_size == 1500);
    CHECK(second_packet.data.size() == 100);
    CHECK(reader.next().value() == std::nullopt);
    CHECK(reader.next().value() == std::nullopt);
}

TEST_CASE("pcap: the other byte order and microseconds, as tcpdump writes them on this machine") {
    const packet file = from_hex(of_tcpdump);
    auto reader = pcap_reader::parse(file).value();
    CHECK_FALSE(reader.has_nanoseconds());
    CHECK(reader.snap_length() == 262144);
    const auto one = reader.next().value().value();
    CHECK(one.when == capture_time{1694758848s + 123'456us});
    CHECK(one.data.size() == 3);
    const auto two = reader.next().value().value();
    CHECK(two.when == capture_time{1694758849s + 1us});
    CHECK(two.data.size() == 2);
    CHECK(two.original_size == 4);
    CHECK(reader.next().value() == std::nullopt);
    const packet nanoseconds = with(file, 0, {0x4d, 0x3c, 0xb2, 0xa1});
    auto precise = pcap_reader::parse(nanoseconds).value();
    CHECK(precise.next().value().value().when == capture_time{1694758848s + 123'456ns});
}

TEST_CASE("pcap: a file that ends anywhere else than behind a packet is refused there") {
    const packet file = from_hex(of_tcpdump);
    for (std::size_t size = 0; size < file.size(); ++size) {
        const packet part = first(file, size);
        auto reader = pcap_reader::parse(part);
        if (size < 24) {
            CHECK(reader.error().code() == wire_errc::truncated);
            continue;
        }
        auto read = reader->next();
        while (read && *read)
            read = reader->next();
        if (size == 24 || size == 24 + 19)
            CHECK(read.has_value());
        else
            CHECK(read.error().code() == wire_errc::truncated);
        CHECK(reader->next().value() == std::nullopt);
    }
}

TEST_CASE("pcap: other files, versions, and sizes and times that cannot be, are refused") {
    const packet file = from_hex(of_tcpdump);
    CHECK(refusal<pcap_reader>(with(file, 0, {0x0a, 0x0d, 0x0d, 0x0a})) == wire_errc::bad_type);
    CHECK(refusal<pcap_reader>(with(file, 4, {3})) == wire_errc::bad_version);
    const auto error_of = [](const packet& data) { return pcap_reader::parse(data).value().next().error().code(); };
    CHECK(error_of(with(file, 24 + 8, {4})) == wire_errc::bad_length);
    CHECK(error_of(with(file, 24 + 8, {0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f})) == wire_errc::bad_length);
    CHECK(error_of(with(file, 24 + 4, {0x40, 0x42, 0x0f, 0})) == wire_errc::bad_value);
}

struct full_sink {
    int left;
    halvm::result<void> write(halvm::const_bytes) {
        if (left-- > 0)
            return {};
        return halvm::failure{halvm::error{make_error_code(std::errc::no_space_on_device), "write to the sink"}};
    }
};

TEST_CASE("pcap: an error of the sink is handed on") {
    full_sink none{0}, header{1}, half{2};
    CHECK(pcap_writer<full_sink>::create(none).error().code() == std::errc::no_space_on_device);
    CHECK(pcap_writer<full_sink>::create(header).value().write(noon, packet(4)).error().code() ==
          std::errc::no_space_on_device);
    CHECK_FALSE(pcap_writer<full_sink>::create(half).value().write(noon, packet(4)).has_value());
}

std::string line_of(const packet& frame) {
    std::array<char, 512> room{};
    text_sink out{room};
    wire::describe_frame(frame, out);
    return std::string{out.view()};
}

TEST_CASE("frame: one line from the outside in") {
    CHECK(line_of(from_hex(captured::arp_request.hex)) ==
          "02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff, ARP, length 42; ARP, who-has 192.0.2.1 tell 192.0.2.100");
    CHECK(line_of(from_hex(captured::dns_a_query.hex)) ==
          "02:00:00:00:00:0a > 02:00:00:00:00:0b, IPv4, length 75; 192.0.2.100 > 192.0.2.1, UDP, ttl 64, length 61; "
          "UDP 47292 > 53, length 33; DNS query 4097+, A? www.example.org.");
    CHECK(line_of(from_hex(captured::udp_over_ipv6.hex)) == "02:00:00:00:00:0a > 02:00:00:00:00:0b, IPv6, length 65");
    CHECK(line_of(from_hex(captured::dhcp_offer.hex)).find("; DHCP offer, xid ") != std::string::npos);
    CHECK(line_of(from_hex(captured::tcp_fin.hex)).find("; TCP 80 > ") != std::string::npos);
    packet tagged = first(from_hex(captured::arp_request.hex), 12);
    tagged = joined(joined(tagged, from_hex("8100 0007")), behind(12, captured::arp_request));
    CHECK(line_of(tagged) ==
          "02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff, VLAN, length 46; vlan 7, p 0, ARP; ARP, who-has "
          "192.0.2.1 tell 192.0.2.100");
}

TEST_CASE("frame: what cannot be parsed is said with the reason, behind what could") {
    const packet data = from_hex(captured::dns_a_query.hex);
    CHECK(line_of(first(data, 10)) == "; bad Ethernet (truncated)");
    CHECK(line_of(first(data, 40)).ends_with("; bad IPv4 (truncated)"));
    CHECK(line_of(with(data, 14, {0x55})).ends_with("; bad IPv4 (version)"));
    CHECK(line_of(with(data, 38, {0, 7})).ends_with("; bad UDP (length)"));
    CHECK(line_of(with(data, 54, {0xc0, 0xff})).ends_with("; bad DNS (name)"));
}

// Every truncation of the named frames from their layer's start on, and every byte of them with every `step`th value.
void mutate(std::initializer_list<std::string_view> names, std::size_t headers, void (*check)(halvm::const_bytes),
            unsigned step = 1) {
    std::size_t found = 0;
    for (const captured::frame& frame : captured::frames) {
        if (std::ranges::none_of(names, [&](std::string_view name) { return frame.name.starts_with(name); }))
            continue;
        ++found;
        const packet data = behind(headers, frame);
        for (std::size_t size = 0; size <= data.size(); ++size)
            check(halvm::fuzz::exact_copy{first(data, size)});
        packet changed = data;
        for (std::size_t at = 0; at < data.size(); ++at) {
            for (unsigned value = 0; value < 256; value += step) {
                changed[at] = std::byte{static_cast<std::uint8_t>(value)};
                check(halvm::fuzz::exact_copy{changed});
            }
            changed[at] = data[at];
        }
    }
    CHECK(found == names.size());
}

TEST_CASE("mutations: ARP") { mutate({"arp_request", "arp_reply"}, 14, halvm::fuzz::arp); }
TEST_CASE("mutations: Ethernet") { mutate({"arp_reply", "tcp_rst"}, 0, halvm::fuzz::ethernet); }
TEST_CASE("mutations: IPv4") { mutate({"udp_with_router", "udp_with_record", "tcp_rst"}, 14, halvm::fuzz::ipv4); }
TEST_CASE("mutations: ICMP") { mutate({"echo_reply", "port", "time"}, 34, halvm::fuzz::icmpv4); }
TEST_CASE("mutations: UDP") { mutate({"dns_a_response", "udp_without"}, 34, halvm::fuzz::udp); }
TEST_CASE("mutations: TCP") { mutate({"tcp_syn_ack", "tcp_rst"}, 34, halvm::fuzz::tcp); }
// Its messages are long, and most of their bytes are zeros; the fuzz tier does more.
TEST_CASE("mutations: DHCP") { mutate({"dhcp_ack", "dhcp_discover_of"}, 42, halvm::fuzz::dhcpv4, 51); }
TEST_CASE("mutations: DNS") { mutate({"dns_cname_response", "dns_soa_response"}, 42, halvm::fuzz::dns); }
TEST_CASE("mutations: whole frames") { mutate({"arp_reply", "dns_cname_response"}, 0, halvm::fuzz::frame); }

}  // namespace
