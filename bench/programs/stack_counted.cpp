// SPDX-License-Identifier: BSD-3-Clause
// A frame's way through the stack, counted by layer: run where one instruction is one tick of the time stamp counter.
// Its NIC is nothing but memory, so that what is counted is the stack's own and the fibers'.
#include <halvm/device/packet_pool.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/net/wire/udp.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;

constexpr mac_address ours{{2, 0, 0, 0, 0, 1}}, theirs{{2, 0, 0, 0, 0, 2}};
constexpr ip_address here = "10.0.0.2"_ip, there = "10.0.0.1"_ip;
constexpr std::size_t batch = 32;

/// What the program has put in is received; what is sent is gone.
struct wire_memory {
    packet_pool pool = packet_pool::make({.large_count = 256, .small_count = 256}).value();
    std::array<packet, batch> waiting;
    std::size_t count = 0;
    std::size_t sent = 0;
    bool sums = false;
    fiber::wait_queue receiver{"a frame of memory", true};
};

class memory_nic {
public:
    explicit memory_nic(wire_memory& wire) : wire_{&wire} {}
    memory_nic(memory_nic&&) noexcept = default;
    memory_nic& operator=(memory_nic&&) noexcept = default;

    [[nodiscard]] nic_info info() const noexcept {
        return {.mac = ours, .mtu = 1500, .most_pieces = 18, .transmit = {.checksum_ipv4 = wire_->sums}};
    }
    [[nodiscard]] nic_statistics statistics() const noexcept { return {}; }
    result<packet> allocate(std::size_t size) { return wire_->pool.allocate(size); }
    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        while (wire_->count == 0)
            if (fiber::this_scheduler().wait(wire_->receiver, fiber::wait_limit{stop}) != fiber::wake::signalled)
                return failure(error{std::make_error_code(std::errc::operation_canceled)});
        std::move(wire_->waiting.begin(), wire_->waiting.begin() + static_cast<std::ptrdiff_t>(wire_->count),
                  frames.begin());
        return std::exchange(wire_->count, 0);
    }
    std::size_t try_transmit(std::span<packet> frames) {
        for (packet& one : frames)
            one = {};
        wire_->sent += frames.size();
        return frames.size();
    }
    result<void> transmit(std::span<packet> frames, const std::stop_token&) {
        try_transmit(frames);
        return {};
    }

private:
    wire_memory* wire_;
};

packet make(wire_memory& wire, std::size_t size, ip_address to, std::uint16_t port, wire::ethertype type) {
    packet frame = wire.pool.allocate(14 + 20 + 8 + size).value();
    const bytes out = frame.front();
    std::fill(out.begin(), out.end(), std::byte{0x5a});
    wire::udp_header{4000, port}.write(out.subspan(34), there, to, checksum{out.subspan(42)});
    wire::ipv4_header{.source = there.v4(), .destination = to.v4()}.write(out.subspan(14), 8 + size);
    wire::ethernet_header{ours, theirs, type}.write(out);
    frame.metadata().checksum = wire.sums ? packet_checksum::verified : packet_checksum::present;
    return frame;
}

struct frame_kind {
    std::size_t size;
    ip_address to = here;
    std::uint16_t port = 7;
    wire::ethertype type = wire::ethertype::ipv4;
};

/// Instructions a frame, in batches that come together, until everybody waits again.
std::uint64_t count(wire_memory& wire, const frame_kind& what) {
    constexpr unsigned rounds = 32;
    std::uint64_t spent = 0;
    for (unsigned round = 0; round < rounds; ++round) {
        for (packet& one : wire.waiting)
            one = make(wire, what.size, what.to, what.port, what.type);
        wire.count = batch;
        const std::uint64_t before = __builtin_ia32_rdtsc();
        fiber::this_scheduler().signal(wire.receiver);
        for (int i = 0; i < 4; ++i)
            fiber::yield();
        if (round != 0)
            spent += __builtin_ia32_rdtsc() - before;
    }
    return spent / ((rounds - 1) * batch);
}

template <class Act>
std::uint64_t count_sent(wire_memory& wire, std::size_t size, Act act) {
    constexpr unsigned rounds = 32;
    std::uint64_t spent = 0;
    std::array<packet, batch> some;
    for (unsigned round = 0; round < rounds; ++round) {
        for (packet& one : some)
            one = wire.pool.allocate(size).value();
        const std::uint64_t before = __builtin_ia32_rdtsc();
        act(some);
        if (round != 0)
            spent += __builtin_ia32_rdtsc() - before;
    }
    return spent / ((rounds - 1) * batch);
}

void print(const char* what, std::size_t size, std::uint64_t figure) {
    std::printf("%s, %zu bytes\t%lu\n", what, size, static_cast<unsigned long>(figure));
}

int run(bool sums, std::size_t size) {
    wire_memory wire;
    wire.sums = sums;
    stack own{memory_nic{wire}, {.limits = {.announcements = 0, .icmp_errors_per_second = 0, .icmp_error_burst = 0}}};
    if (!own.configure("10.0.0.2/24"))
        return 1;
    own.neighbours().learn(own.at(1), there, theirs, true, true);
    auto server_socket = own.udp().bind(7).value(), silent = own.udp().bind(8).value(),
         sender = own.udp().bind(9).value();
    auto server = fiber::spawn(
        [&](std::stop_token stop) {
            std::array<datagram, batch> some;
            while (const auto got = server_socket.receive_from(some, stop))
                (void)server_socket.send_to(std::span{some}.first(*got));
        },
        {.service = true});
    auto sink = fiber::spawn(
        [&](std::stop_token stop) {
            std::array<datagram, batch> some;
            while (const auto got = silent.receive_from(some, stop))
                for (datagram& one : std::span{some}.first(*got))
                    one.payload = {};
        },
        {.service = true});
    fiber::yield();

    const std::uint64_t link = count(wire, {size, here, 7, wire::ethertype{0x1234}});
    const std::uint64_t ip = count(wire, {size, "10.0.0.9"_ip});
    const std::uint64_t refused = count(wire, {size, here, 99});
    const std::uint64_t received = count(wire, {size, here, 8});
    const std::uint64_t echoed = count(wire, {size});
    if (wire.sent != std::size_t{32} * batch)
        return 1;
    if (!sums) {
        print("received, to the end of Ethernet", size, link);
        print("received, IPv4 on top", size, ip - link);
        print("received, to a UDP port that nobody has, on top of IPv4", size, refused - ip);
    }
    print(sums ? "received by a UDP socket, in all; the device sums" : "received by a UDP socket, in all", size,
          received);

    const path way = own.find_path(there).value();
    interface& nic = own.at(1);
    const std::uint64_t bare = count_sent(wire, size + 28, [&](std::span<packet> some) {
        const stack::batch together{own};
        for (packet& one : some)
            nic.send(std::move(one), theirs, wire::ethertype::ipv4);
    });
    const std::uint64_t datagrams = count_sent(wire, size + 8, [&](std::span<packet> some) {
        const stack::batch together{own};
        for (packet& one : some)
            (void)own.send(way, {}, std::move(one));
    });
    std::array<datagram, batch> out;
    const std::uint64_t sent = count_sent(wire, size, [&](std::span<packet> some) {
        for (std::size_t i = 0; i < batch; ++i)
            out[i] = {std::move(some[i]), {there, 4000}};
        (void)sender.send_to(out);
    });
    if (!sums) {
        print("sent by Ethernet", size, bare);
        print("sent by IPv4, on top", size, datagrams - bare);
    }
    print(sums ? "sent by a UDP socket, in all; the device sums" : "sent by a UDP socket, in all", size, sent);
    print(sums ? "UDP echo, in and out; the device sums" : "UDP echo, in and out", size, echoed);
    return 0;
}

}  // namespace

int halvm_main() {
    for (const bool sums : {false, true})
        for (const std::size_t size : {std::size_t{64}, std::size_t{1472}})
            if (const int wrong = run(sums, size))
                return wrong;
    return 0;
}
