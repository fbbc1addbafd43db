// SPDX-License-Identifier: BSD-3-Clause
// Frames to a peer in dom0, which sends them back and counts them (tools/lab/dom0/frames.c).
#pragma once

#include "report.hpp"

#include <halvm/xen/nics.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <utility>
#include <vector>

namespace peer_test {

using namespace halvm;

using frame_data = std::vector<std::byte>;

inline constexpr mac_address peer{{2, 0, 0, 0, 0x88, 0xb5}};

inline void put16(std::span<std::byte> at, std::size_t offset, std::size_t value) {
    at[offset] = static_cast<std::byte>(value >> 8);
    at[offset + 1] = static_cast<std::byte>(value);
}
inline std::uint64_t get(std::span<const std::byte> at, std::size_t offset, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value = value << 8 | std::to_integer<std::uint64_t>(at[offset + i]);
    return value;
}

inline frame_data make_frame(mac_address from, std::size_t size, std::size_t type, std::uint32_t number) {
    frame_data made(size);
    for (std::size_t i = 0; i < 6; ++i) {
        made[i] = static_cast<std::byte>(peer.octets()[i]);
        made[6 + i] = static_cast<std::byte>(from.octets()[i]);
    }
    put16(made, 12, type);
    for (std::size_t i = 14; i < size; ++i)
        made[i] = static_cast<std::byte>(i * 7 + number * 13 + i / 251);
    return made;
}

struct exchange {
    explicit exchange(xen::netfront& of) : nic{of}, mac{of.info().mac} {}

    packet memory(const frame_data& data) {
        packet made = nic.allocate(data.size()).value();
        made.copy_in(0, data);
        return made;
    }
    void send(packet frame) {
        bytes_sent += frame.size();
        ++frames_sent;
        HALVM_CHECK(transmit(nic, std::move(frame)));
    }
    /// The next frame of the peer's.
    packet receive() {
        for (;;) {
            if (next == ready) {
                next = 0;
                ready = nic.receive(some, {}).value();
                continue;
            }
            packet one = std::move(some[next++]);
            std::array<std::byte, 6> from;
            one.copy_out(6, from);
            if (std::ranges::equal(from, peer.octets(), [](std::byte a, std::uint8_t b) { return a == std::byte{b}; }))
                return one;
        }
    }
    /// Whether it is what was sent, with its addresses exchanged.
    void expect(const packet& got, const frame_data& sent) {
        frame_data data(got.size());
        got.copy_out(0, data);
        HALVM_CHECK(data.size() == sent.size());
        HALVM_CHECK(std::equal(data.begin(), data.begin() + 6, sent.begin() + 6));
        HALVM_CHECK(std::equal(data.begin() + 12, data.end(), sent.begin() + 12, sent.end()));
    }
    /// The peer and we count the same.
    void compare_counts() {
        send(memory(make_frame(mac, 60, 0x88b6, 0)));
        frame_data answer(60);
        receive().copy_out(0, answer);
        std::printf("dom0 counted %lu frames of %lu bytes\n", get(answer, 14, 8), get(answer, 22, 8));
        HALVM_CHECK(get(answer, 14, 8) == frames_sent - 1);
        HALVM_CHECK(get(answer, 22, 8) == bytes_sent - 60);
        frames_sent = bytes_sent = 0;
    }

    xen::netfront& nic;
    mac_address mac;
    std::uint64_t frames_sent = 0;
    std::uint64_t bytes_sent = 0;
    std::array<packet, 32> some;
    std::size_t next = 0;
    std::size_t ready = 0;
};

}  // namespace peer_test
