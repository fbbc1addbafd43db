// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <halvm/device/mac_address.hpp>
#include <halvm/net/endpoint.hpp>
#include <halvm/net/ip_prefix.hpp>

#include <string>
#include <unordered_set>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::literals;
using namespace halvm::net::literals;

template <class Address>
std::error_code refusal(std::string_view text) {
    const auto address = Address::parse(text);
    CHECK_MESSAGE(!address, text);
    return address ? std::error_code{} : address.error().code();
}

template <class Address>
std::string canonical(std::string_view text) {
    const auto address = Address::parse(text);
    REQUIRE_MESSAGE(address, text);
    return std::string{address->to_text()};
}

TEST_CASE("mac_address: six pairs of digits with colons, in any case") {
    CHECK(canonical<mac_address>("00:16:3E:aB:cd:0f") == "00:16:3e:ab:cd:0f");
    CHECK("ff:ff:ff:ff:ff:ff"_mac == mac_address::broadcast());
    CHECK(refusal<mac_address>("") == address_errc::empty);
    CHECK(refusal<mac_address>("00:16:3e:ab:cd") == address_errc::bad_count);
    CHECK(refusal<mac_address>("00:16:3e:ab:cd:0f:00") == address_errc::bad_count);
    CHECK(refusal<mac_address>("0:16:3e:ab:cd:0f") == address_errc::bad_character);
    CHECK(refusal<mac_address>("00:16:3e:ab:cd:0f0") == address_errc::number_too_big);
    CHECK(refusal<mac_address>("00-16-3e-ab-cd-0f") == address_errc::bad_character);
    CHECK(refusal<mac_address>("00:16:3e:ab:cd:0g") == address_errc::bad_character);
    CHECK(refusal<mac_address>("00:16:3e:ab:cd:0f ") == address_errc::bad_character);
}

TEST_CASE("mac_address: what it says of itself") {
    CHECK("02:00:00:00:00:01"_mac.is_local());
    CHECK("02:00:00:00:00:01"_mac.is_unicast());
    CHECK_FALSE("00:16:3e:00:00:01"_mac.is_local());
    CHECK("01:00:5e:00:00:01"_mac.is_multicast());
    CHECK_FALSE("01:00:5e:00:00:01"_mac.is_unicast());
    CHECK(mac_address::broadcast().is_broadcast());
    CHECK(mac_address::broadcast().is_multicast());
    CHECK(mac_address{}.is_unspecified());
    CHECK_FALSE(mac_address{}.is_unicast());
    CHECK("02:00:00:00:00:01"_mac < "02:00:00:00:00:02"_mac);
}

TEST_CASE("ipv4_address: RFC 791 2.3: four decimal numbers, no octal, no short forms") {
    CHECK(canonical<ipv4_address>("192.0.2.1") == "192.0.2.1");
    CHECK(canonical<ipv4_address>("0.0.0.0") == "0.0.0.0");
    CHECK(canonical<ipv4_address>("255.255.255.255") == "255.255.255.255");
    CHECK("127.0.0.1"_ipv4.bits() == 0x7f000001);
    CHECK(refusal<ipv4_address>("") == address_errc::empty);
    CHECK(refusal<ipv4_address>("192.0.2") == address_errc::bad_count);
    CHECK(refusal<ipv4_address>("3221225985") == address_errc::number_too_big);
    CHECK(refusal<ipv4_address>("192.0.2.1.5") == address_errc::bad_count);
    CHECK(refusal<ipv4_address>("192.0.2.") == address_errc::bad_character);
    CHECK(refusal<ipv4_address>("192.0..1") == address_errc::bad_character);
    CHECK(refusal<ipv4_address>("192.0.2.256") == address_errc::number_too_big);
    CHECK(refusal<ipv4_address>("192.0.2.4294967297") == address_errc::number_too_big);
    CHECK(refusal<ipv4_address>("192.0.02.1") == address_errc::leading_zero);
    CHECK(refusal<ipv4_address>("192.0.2.00") == address_errc::leading_zero);
    CHECK(refusal<ipv4_address>("0xc0.0.2.1") == address_errc::bad_character);
    CHECK(refusal<ipv4_address>(" 192.0.2.1") == address_errc::bad_character);
    CHECK(refusal<ipv4_address>("192.0.2.1\n") == address_errc::bad_character);
    CHECK(refusal<ipv4_address>("-1.0.2.1") == address_errc::bad_character);
}

TEST_CASE("ipv4_address: RFC 1122 3.2.1.3 and others: kinds, at the edges of their blocks") {
    CHECK("127.0.0.0"_ipv4.is_loopback());
    CHECK("127.255.255.255"_ipv4.is_loopback());
    CHECK_FALSE("128.0.0.0"_ipv4.is_loopback());
    CHECK("224.0.0.0"_ipv4.is_multicast());
    CHECK("239.255.255.255"_ipv4.is_multicast());
    CHECK_FALSE("223.255.255.255"_ipv4.is_multicast());
    CHECK_FALSE("240.0.0.0"_ipv4.is_multicast());
    CHECK("255.255.255.255"_ipv4.is_broadcast());
    CHECK_FALSE("255.255.255.254"_ipv4.is_broadcast());
    CHECK("169.254.0.0"_ipv4.is_link_local());
    CHECK_FALSE("169.255.0.0"_ipv4.is_link_local());
    for (const auto inside : {"10.0.0.0"_ipv4, "10.255.255.255"_ipv4, "172.16.0.0"_ipv4, "172.31.255.255"_ipv4,
                              "192.168.0.0"_ipv4, "192.168.255.255"_ipv4})
        CHECK(inside.is_private());
    for (const auto outside : {"9.255.255.255"_ipv4, "11.0.0.0"_ipv4, "172.15.255.255"_ipv4, "172.32.0.0"_ipv4,
                               "192.167.255.255"_ipv4, "192.169.0.0"_ipv4})
        CHECK_FALSE(outside.is_private());
    CHECK(ipv4_address{}.is_unspecified());
    CHECK_FALSE("0.0.0.1"_ipv4.is_unicast());
    CHECK("1.0.0.0"_ipv4.is_unicast());
    CHECK("223.255.255.255"_ipv4.is_unicast());
    CHECK_FALSE("240.0.0.1"_ipv4.is_unicast());
}

TEST_CASE("ipv6_address: RFC 4291 2.2: the forms of text, all the examples") {
    CHECK(canonical<ipv6_address>("ABCD:EF01:2345:6789:ABCD:EF01:2345:6789") ==
          "abcd:ef01:2345:6789:abcd:ef01:2345:6789");
    CHECK("2001:DB8:0:0:8:800:200C:417A"_ipv6 == "2001:DB8::8:800:200C:417A"_ipv6);
    CHECK("FF01:0:0:0:0:0:0:101"_ipv6 == "FF01::101"_ipv6);
    CHECK("0:0:0:0:0:0:0:1"_ipv6 == "::1"_ipv6);
    CHECK("0:0:0:0:0:0:0:0"_ipv6 == "::"_ipv6);
    CHECK("0:0:0:0:0:0:13.1.68.3"_ipv6 == "::13.1.68.3"_ipv6);
    CHECK("0:0:0:0:0:FFFF:129.144.52.38"_ipv6 == "::FFFF:129.144.52.38"_ipv6);
    CHECK("1::"_ipv6 == ipv6_address{0x0001'0000'0000'0000, 0});
    CHECK("::8"_ipv6 == ipv6_address{0, 8});
    CHECK("1:2:3:4:5:6:7::"_ipv6 == ipv6_address{0x0001'0002'0003'0004, 0x0005'0006'0007'0000});
    CHECK("::2:3:4:5:6:7:8"_ipv6 == ipv6_address{0x0000'0002'0003'0004, 0x0005'0006'0007'0008});
    CHECK("1:2::192.0.2.1"_ipv6 == ipv6_address{0x0001'0002'0000'0000, 0xc000'0201});
    CHECK("1:2:3:4:5:6:192.0.2.1"_ipv6 == ipv6_address{0x0001'0002'0003'0004, 0x0005'0006'c000'0201});
}

TEST_CASE("ipv6_address: RFC 4291 2.2: what is none of the forms") {
    CHECK(refusal<ipv6_address>("") == address_errc::empty);
    for (const char* text :
         {":", ":1", "1:", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:", "::g", "::1%eth0", "::1 ", " ::1",
          "fe80::1%1", "::1/64", "[::1]", ":::", "1:::2", "::1.2.3.4.", "::1.2.3.", "2001:db8::-1", "::.1.2.3"})
        CHECK(refusal<ipv6_address>(text).category() == address_category());
    CHECK(refusal<ipv6_address>("1:2:3:4:5:6:7") == address_errc::bad_count);
    CHECK(refusal<ipv6_address>("1:2:3:4:5:6:7:8:9") == address_errc::bad_count);
    CHECK(refusal<ipv6_address>("1::2::3") == address_errc::bad_count);
    CHECK(refusal<ipv6_address>("::2::") == address_errc::bad_count);
    CHECK(refusal<ipv6_address>("1:2:3:4::5:6:7:8") == address_errc::bad_count);
    CHECK(refusal<ipv6_address>("1:2:3:4:5:6:7:192.0.2.1") == address_errc::bad_count);
    CHECK(refusal<ipv6_address>("1:2:3:4:5:192.0.2.1") == address_errc::bad_count);
    CHECK(refusal<ipv6_address>("12345::") == address_errc::number_too_big);
    CHECK(refusal<ipv6_address>("00001::") == address_errc::number_too_big);
    CHECK(refusal<ipv6_address>("::192.0.2.256") == address_errc::number_too_big);
    CHECK(refusal<ipv6_address>("::192.0.02.1") == address_errc::leading_zero);
    CHECK(refusal<ipv6_address>("::192.0.2") == address_errc::bad_count);
}

TEST_CASE("ipv6_address: RFC 5952 4: one canonical text") {
    CHECK(canonical<ipv6_address>("2001:0db8::0001") == "2001:db8::1");               // 4.1
    CHECK(canonical<ipv6_address>("2001:db8:0:0:0:0:2:1") == "2001:db8::2:1");        // 4.2.1
    CHECK(canonical<ipv6_address>("2001:db8::1:1:1:1:1") == "2001:db8:0:1:1:1:1:1");  // 4.2.2
    CHECK(canonical<ipv6_address>("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");          // 4.2.3: the longest
    CHECK(canonical<ipv6_address>("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");    // 4.2.3: the first
    CHECK(canonical<ipv6_address>("2001:DB8::AAAA") == "2001:db8::aaaa");             // 4.3
    CHECK(canonical<ipv6_address>("::ffff:c000:0201") == "::ffff:192.0.2.1");         // 5
    CHECK(canonical<ipv6_address>("::") == "::");
    CHECK(canonical<ipv6_address>("::1") == "::1");
    CHECK(canonical<ipv6_address>("1::") == "1::");
    CHECK(canonical<ipv6_address>("0:1:2:3:4:5:6:7") == "0:1:2:3:4:5:6:7");
    CHECK(canonical<ipv6_address>("1:0:0:2:3:4:0:0") == "1::2:3:4:0:0");
    CHECK(canonical<ipv6_address>("1:2:3:4:5:6:0:0") == "1:2:3:4:5:6::");
}

TEST_CASE("ipv6_address: RFC 4291 2.4: kinds") {
    CHECK("::"_ipv6.is_unspecified());
    CHECK("::1"_ipv6.is_loopback());
    CHECK("ff02::1"_ipv6.is_multicast());
    CHECK("fe80::1"_ipv6.is_link_local());
    CHECK("febf::1"_ipv6.is_link_local());
    CHECK_FALSE("fec0::1"_ipv6.is_link_local());
    CHECK("fc00::1"_ipv6.is_private());
    CHECK("fdff::1"_ipv6.is_private());
    CHECK_FALSE("fe00::1"_ipv6.is_private());
    CHECK("::ffff:192.0.2.1"_ipv6.is_v4_mapped());
    CHECK(ipv6_address::mapped("192.0.2.1"_ipv4) == "::ffff:192.0.2.1"_ipv6);
    CHECK("2001:db8::1"_ipv6.is_unicast());
    CHECK_FALSE("::"_ipv6.is_unicast());
}

TEST_CASE("ip_address: keeps its family") {
    CHECK("192.0.2.1"_ip.v4() == "192.0.2.1"_ipv4);
    CHECK("2001:db8::1"_ip.v6() == "2001:db8::1"_ipv6);
    CHECK("192.0.2.1"_ip != "::ffff:192.0.2.1"_ip);
    CHECK("0.0.0.0"_ip != "::"_ip);
    CHECK("255.255.255.255"_ip < "::"_ip);
    CHECK("127.0.0.1"_ip.is_loopback());
    CHECK("::1"_ip.is_loopback());
    CHECK_FALSE("::ffff:127.0.0.1"_ip.is_loopback());
    CHECK("255.255.255.255"_ip.is_broadcast());
    CHECK_FALSE("::ffff:ffff"_ip.is_broadcast());
    CHECK(canonical<ip_address>("2001:DB8::1") == "2001:db8::1");
    CHECK(canonical<ip_address>("192.0.2.1") == "192.0.2.1");
    CHECK(refusal<ip_address>("") == address_errc::empty);
    CHECK(refusal<ip_address>("example.org") == address_errc::bad_character);
}

TEST_CASE("ip_prefix: RFC 4632 3.1: the address and how much of it is the network's") {
    CHECK(canonical<ip_prefix>("10.0.0.0/8") == "10.0.0.0/8");
    CHECK(canonical<ip_prefix>("0.0.0.0/0") == "0.0.0.0/0");
    CHECK(canonical<ip_prefix>("192.0.2.1/32") == "192.0.2.1/32");
    CHECK(canonical<ip_prefix>("2001:DB8::/32") == "2001:db8::/32");
    CHECK(canonical<ip_prefix>("::/0") == "::/0");
    CHECK(refusal<ip_prefix>("10.0.0.1/8") == address_errc::host_bits_set);
    CHECK(refusal<ip_prefix>("2001:db8::1/64") == address_errc::host_bits_set);
    CHECK(refusal<ip_prefix>("10.0.0.0/33") == address_errc::bad_prefix);
    CHECK(refusal<ip_prefix>("::/129") == address_errc::bad_prefix);
    CHECK(refusal<ip_prefix>("10.0.0.0/08") == address_errc::leading_zero);
    CHECK(refusal<ip_prefix>("10.0.0.0/") == address_errc::bad_character);
    CHECK(refusal<ip_prefix>("10.0.0.0") == address_errc::bad_character);
    CHECK(refusal<ip_prefix>("10/8") == address_errc::bad_count);
    CHECK(refusal<ip_prefix>("10.0.0.0/8 ") == address_errc::bad_character);
    CHECK(refusal<ip_prefix>("10.0.0.0/255.0.0.0") == address_errc::bad_prefix);
    CHECK(refusal<ip_prefix>("") == address_errc::empty);
}

TEST_CASE("ip_prefix: holds just what begins with its bits, at every length") {
    for (unsigned length = 0; length <= 32; ++length) {
        const ip_prefix network{"198.51.100.77"_ipv4, length};
        CHECK(network.contains("198.51.100.77"_ip));
        if (length != 0)
            CHECK_FALSE(network.contains(ipv4_address::from_bits("198.51.100.77"_ipv4.bits() ^ 1u << (32 - length))));
        if (length != 32)
            CHECK(network.contains(ipv4_address::from_bits("198.51.100.77"_ipv4.bits() ^ 1u << (31 - length))));
        CHECK(ip_prefix::length_of_mask(network.mask()) == length);
    }
    const ipv6_address whole{0x2001'0db8'1234'5678, 0x9abc'def0'1122'3344};
    for (unsigned length = 0; length <= 128; ++length) {
        const ip_prefix network{whole, length};
        const auto flipped = [&](unsigned bit) {
            return bit < 64 ? ipv6_address{whole.high_bits() ^ 1ull << (63 - bit), whole.low_bits()}
                            : ipv6_address{whole.high_bits(), whole.low_bits() ^ 1ull << (127 - bit)};
        };
        CHECK(network.contains(whole));
        if (length != 0)
            CHECK_FALSE(network.contains(flipped(length - 1)));
        if (length != 128)
            CHECK(network.contains(flipped(length)));
    }
    CHECK_FALSE("0.0.0.0/0"_prefix.contains("::"_ip));
    CHECK_FALSE("::/0"_prefix.contains("192.0.2.1"_ip));
    CHECK("10.0.0.0/8"_prefix.contains("10.1.0.0/16"_prefix));
    CHECK_FALSE("10.1.0.0/16"_prefix.contains("10.0.0.0/8"_prefix));
}

TEST_CASE("ip_prefix: RFC 1122 3.2.1.3(e): the broadcast address of a network, RFC 3021 2.1: /31 has none") {
    CHECK("192.0.2.0/24"_prefix.broadcast() == "192.0.2.255"_ipv4);
    CHECK("10.0.0.0/8"_prefix.broadcast() == "10.255.255.255"_ipv4);
    CHECK("192.0.2.4/30"_prefix.broadcast() == "192.0.2.7"_ipv4);
    CHECK("192.0.2.4/31"_prefix.broadcast() == std::nullopt);
    CHECK("192.0.2.4/32"_prefix.broadcast() == std::nullopt);
    CHECK("2001:db8::/32"_prefix.broadcast() == std::nullopt);
}

TEST_CASE("ip_prefix: RFC 1519 2: a netmask's ones are in front") {
    CHECK(ip_prefix::length_of_mask("255.255.255.0"_ipv4) == 24);
    CHECK(ip_prefix::length_of_mask("0.0.0.0"_ipv4) == 0);
    CHECK(ip_prefix::length_of_mask("255.255.255.255"_ipv4) == 32);
    CHECK(ip_prefix::length_of_mask("255.0.255.0"_ipv4) == std::nullopt);
    CHECK(ip_prefix::length_of_mask("0.0.0.1"_ipv4) == std::nullopt);
}

TEST_CASE("interface_address: keeps the whole address and knows its network") {
    const auto address = interface_address::parse("10.1.2.3/8").value();
    CHECK(address.address() == "10.1.2.3"_ip);
    CHECK(address.network() == "10.0.0.0/8"_prefix);
    CHECK(std::string{address.to_text()} == "10.1.2.3/8");
}

TEST_CASE("endpoint: RFC 5952 6: a colon before the port, and brackets around an IPv6 address") {
    CHECK(canonical<endpoint>("192.0.2.1:80") == "192.0.2.1:80");
    CHECK(canonical<endpoint>("[2001:DB8::1]:443") == "[2001:db8::1]:443");
    CHECK("192.0.2.1:65535"_endpoint == endpoint{"192.0.2.1"_ipv4, 65535});
    CHECK(refusal<endpoint>("") == address_errc::empty);
    CHECK(refusal<endpoint>("192.0.2.1") == address_errc::bad_character);
    CHECK(refusal<endpoint>("192.0.2.1:") == address_errc::bad_character);
    CHECK(refusal<endpoint>("192.0.2.1:65536") == address_errc::number_too_big);
    CHECK(refusal<endpoint>("192.0.2.1:080") == address_errc::leading_zero);
    CHECK(refusal<endpoint>("192.0.2.1:80x") == address_errc::bad_character);
    CHECK(refusal<endpoint>("[192.0.2.1]:80") == address_errc::bad_count);
    CHECK(refusal<endpoint>("2001:db8::1:80").category() == address_category());
    CHECK(refusal<endpoint>("[2001:db8::1]") == address_errc::bad_character);
    CHECK(refusal<endpoint>("[2001:db8::1:80") == address_errc::bad_character);
}

TEST_CASE("addresses: hashes tell apart what differs in one bit") {
    std::unordered_set<std::size_t> seen;
    for (unsigned bit = 0; bit < 32; ++bit)
        seen.insert(std::hash<ip_address>{}(ipv4_address::from_bits(1u << bit)));
    for (unsigned bit = 0; bit < 64; ++bit) {
        seen.insert(std::hash<ip_address>{}(ipv6_address{1ull << bit, 0}));
        seen.insert(std::hash<ip_address>{}(ipv6_address{0, 1ull << bit}));
    }
    for (std::uint16_t port = 0; port < 1000; ++port)
        seen.insert(std::hash<endpoint>{}(endpoint{"192.0.2.1"_ip, port}));
    // IPv4's 32 are also IPv6's low ones if the hash does not know of families; 0.0.0.0 is not among them.
    CHECK(seen.size() >= 128 + 1000);
}

TEST_CASE("addresses: errors say what was attempted and why it failed") {
    const auto address = ipv4_address::parse("10.0.0.08");
    REQUIRE_FALSE(address);
    CHECK(address.error().message() == "parse an IPv4 address: a number begins with 0");
}

TEST_CASE("text_sink: cuts off what does not fit and says so") {
    std::array<char, 4> room{};
    text_sink out{room};
    out.text("ab");
    out.decimal(7);
    CHECK_FALSE(out.is_cut());
    out.hex(0xbeef);
    CHECK(out.is_cut());
    CHECK(out.view() == "ab7b");
    out.clear();
    CHECK(out.view().empty());
    CHECK_FALSE(out.is_cut());
    out.hex(0xa, 4);
    CHECK(out.view() == "000a");
}

}  // namespace
