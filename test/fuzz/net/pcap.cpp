// SPDX-License-Identifier: BSD-3-Clause
#include "net/oracles.hpp"
#include "net/seeds.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const halvm::fuzz::exact_copy copy{{reinterpret_cast<const std::byte*>(data), size}};
    halvm::fuzz::pcap(copy);
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() {
    collecting_sink ours;
    auto writer = net::pcap_writer<collecting_sink>::create(ours, 60);
    net::capture_time when{std::chrono::seconds{1'700'000'000}};
    for (const input& packet : captured_from(0, {"arp", "tcp"}))
        must(writer->write(when += std::chrono::milliseconds{3}, packet).has_value(), "a seed can be written");
    // As tcpdump writes them on this machine, in microseconds and in nanoseconds.
    return {ours.bytes,
            from_hex("d4c3b2a1 0200 0400 00000000 00000000 00000400 01000000 10203040 01000000 02000000 03000000 abcd"),
            from_hex("4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000")};
}
