// SPDX-License-Identifier: BSD-3-Clause
// Parsing, checking and writing packets in a domain, counted: run where one instruction is one tick of the time stamp
// counter.
#include <halvm/net/wire/ethernet.hpp>
#include <halvm/net/wire/ipv4.hpp>
#include <halvm/net/wire/tcp.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using namespace halvm::net::wire;
using halvm::bytes;
using halvm::const_bytes;

constexpr ip_address here = "192.0.2.1"_ip, there = "192.0.2.2"_ip;
constexpr std::size_t payload_size = 1448;

std::array<std::byte, 14 + 20 + 32 + payload_size> frame;

// What a stack asks of a segment that arrives; the sum keeps it from being left out.
[[gnu::noinline]] std::uint64_t parse(const_bytes data, bool checks_sums) {
    const auto link = ethernet_view::parse(data);
    if (!link || link->type() != ethertype::ipv4)
        return 0;
    const auto datagram = ipv4_view::parse(link->payload());
    if (!datagram || datagram->protocol() != ip_protocol::tcp)
        return 0;
    const auto segment = tcp_view::parse(datagram->payload());
    if (!segment)
        return 0;
    if (checks_sums &&
        !(datagram->has_right_checksum() && segment->has_right_checksum(datagram->source(), datagram->destination())))
        return 0;
    const tcp_options options = segment->options();
    return datagram->source().bits() + segment->destination_port() + segment->sequence().value() +
           segment->acknowledgment()->value() + segment->window() + options.timestamps->value +
           segment->payload().size();
}

[[gnu::noinline]] void write(bytes out, bool sums_payload) {
    const const_bytes payload = out.subspan(14 + 20 + 32);
    const tcp_header segment{.source_port = 80,
                             .destination_port = 4000,
                             .sequence = tcp_sequence{1000},
                             .acknowledgment = tcp_sequence{2000},
                             .is_push = true,
                             .window = 500,
                             .options = {.timestamps = tcp_timestamps{1, 2}}};
    if (sums_payload)
        segment.write(out.subspan(34), here, there, checksum{payload});
    else
        segment.write_for_device(out.subspan(34), here, there, payload.size());
    ipv4_header{.source = here.v4(), .destination = there.v4(), .protocol = ip_protocol::tcp}.write(
        out.subspan(14), segment.size() + payload.size());
    ethernet_header{"02:00:00:00:00:01"_mac, "02:00:00:00:00:02"_mac}.write(out);
}

template <class Run>
void print(const char* metric, Run run) {
    constexpr std::uint64_t times = 1000;
    const std::uint64_t before = __builtin_ia32_rdtsc();
    for (std::uint64_t at = 0; at < times; ++at) {
        run();
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    std::printf("%s\t%lu\n", metric, static_cast<unsigned long>((__builtin_ia32_rdtsc() - before) / times));
}

}  // namespace

int halvm_main() {
    std::uint64_t seen = 0;
    print("write Ethernet, IPv4, TCP with timestamps; the device sums", [] { write(frame, false); });
    print("write Ethernet, IPv4, TCP with timestamps; 1448 bytes summed", [] { write(frame, true); });
    print("parse Ethernet, IPv4, TCP with timestamps; the device has summed", [&] { seen += parse(frame, false); });
    print("parse Ethernet, IPv4, TCP with timestamps; 1448 bytes summed", [&] { seen += parse(frame, true); });
    print("checksum of 1448 bytes", [&] { seen += checksum{const_bytes{frame}.last(payload_size)}.sum(); });
    print("checksum of 20 bytes", [&] { seen += checksum{const_bytes{frame}.subspan(14, 20)}.sum(); });
    return seen != 0 && parse(frame, true) != 0 ? 0 : 1;
}
