// SPDX-License-Identifier: BSD-3-Clause
#include "net/packets.hpp"

#include <halvm/net/checksum.hpp>

#include <random>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using halvm::const_bytes;
using halvm::test::from_hex;
using halvm::test::packet;

// One byte at a time, as RFC 1071 defines it.
std::uint16_t naive_sum(const_bytes data) {
    std::uint32_t sum = 0;
    for (std::size_t at = 0; at < data.size(); ++at) {
        sum += static_cast<std::uint32_t>(data[at]) << (at % 2 == 0 ? 8 : 0);
        if (sum > 0xffff)
            sum -= 0xffff;
    }
    return static_cast<std::uint16_t>(sum);
}

packet random_bytes(std::mt19937_64& random, std::size_t size) {
    packet made(size);
    for (std::byte& one : made)
        one = std::byte{static_cast<std::uint8_t>(random())};
    return made;
}

TEST_CASE("checksum: RFC 1071 3: the example") {
    const packet data = from_hex("0001 f203 f4f5 f6f7");
    CHECK(checksum{data}.sum() == 0xddf2);
    CHECK(checksum{data}.value() == 0x220d);
}

TEST_CASE("checksum: equals the plain sum at every alignment and length") {
    std::mt19937_64 random{1};
    const packet data = random_bytes(random, 700);
    for (std::size_t at = 0; at < 70; ++at)
        for (std::size_t size = 0; at + size <= 350; ++size)
            REQUIRE(checksum{const_bytes{data}.subspan(at, size)}.sum() ==
                    naive_sum(const_bytes{data}.subspan(at, size)));
    for (std::size_t at = 0; at < 4; ++at)
        for (std::size_t size = 350; at + size <= data.size(); ++size)
            REQUIRE(checksum{const_bytes{data}.subspan(at, size)}.sum() ==
                    naive_sum(const_bytes{data}.subspan(at, size)));
}

TEST_CASE("checksum: 64 KiB of ones, where every addition carries") {
    const packet data(65536, std::byte{0xff});
    for (std::size_t size : {65536u, 65535u, 65534u, 64001u})
        CHECK(checksum{const_bytes{data}.first(size)}.sum() == naive_sum(const_bytes{data}.first(size)));
}

TEST_CASE("checksum: RFC 1071 2.A: pieces of any length add up to the whole") {
    std::mt19937_64 random{2};
    for (int times = 0; times < 3000; ++times) {
        const packet data = random_bytes(random, random() % 300);
        checksum sum;
        for (const_bytes rest = data; !rest.empty();) {
            const std::size_t size = random() % (rest.size() + 1);
            sum.add(rest.first(size));
            rest = rest.subspan(size);
        }
        REQUIRE(sum.size() == data.size());
        REQUIRE(sum.sum() == naive_sum(data));
    }
}

TEST_CASE("checksum: a sum joins another behind an even number of bytes") {
    std::mt19937_64 random{3};
    const packet header = random_bytes(random, 20), payload = random_bytes(random, 333);
    checksum whole{header};
    whole.add(checksum{payload});
    CHECK(whole.sum() == naive_sum(halvm::test::joined(header, payload)));
    CHECK(whole.size() == 353);
}

TEST_CASE("checksum: RFC 1624 4: the example, where equation 2 fails") {
    CHECK(checksum::updated(0xdd2f, 0x5555, 0x3285) == 0x0000);
}

TEST_CASE("checksum: RFC 1624 3: an update is what a new sum would be") {
    std::mt19937_64 random{4};
    for (int times = 0; times < 20000; ++times) {
        packet data = random_bytes(random, 40);
        const std::uint16_t before = checksum{data}.value();
        const std::size_t at = random() % 18 * 2;
        const std::uint16_t old_word = wire::load16(data, at);
        const auto new_word = static_cast<std::uint16_t>(random());
        const ipv4_address old_address = wire::load_ipv4(data, at);
        wire::store16(data, at, new_word);
        REQUIRE(checksum::updated(before, old_word, new_word) == checksum{data}.value());
        wire::store16(data, at, old_word);
        const auto new_address = ipv4_address::from_bits(static_cast<std::uint32_t>(random()));
        wire::store_ipv4(data, at, new_address);
        REQUIRE(checksum::updated(before, old_address, new_address) == checksum{data}.value());
    }
}

TEST_CASE("checksum: RFC 768 and RFC 8200 8.1: the pseudo-header is summed like its bytes") {
    const packet four = from_hex("c0000201 c0000264 00 11 0123");
    CHECK(checksum::pseudo_header("192.0.2.1"_ip, "192.0.2.100"_ip, ip_protocol::udp, 0x123).sum() == naive_sum(four));
    const packet six = from_hex("20010db8000000000000000000000001 20010db8ffffffffffffffffffffff02 00012345 000000 06");
    CHECK(checksum::pseudo_header("2001:db8::1"_ip, "2001:db8:ffff:ffff:ffff:ffff:ffff:ff02"_ip, ip_protocol::tcp,
                                  0x12345)
              .sum() == naive_sum(six));
    CHECK(checksum::pseudo_header("192.0.2.1"_ip, "192.0.2.2"_ip, ip_protocol::udp, 8).size() == 0);
}

TEST_CASE("checksum: is the same at compile time") {
    static constexpr std::array data{std::byte{0x00}, std::byte{0x01}, std::byte{0xf2}, std::byte{0x03},
                                     std::byte{0x7f}};
    static_assert(checksum{data}.sum() == 0x7105);
    CHECK(checksum{data}.sum() == 0x7105);
}

}  // namespace
