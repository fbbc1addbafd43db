// SPDX-License-Identifier: BSD-3-Clause
// Counts the frames that the first NIC receives, by protocol. An argument ends it after so many frames.
#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/wire/ethernet.hpp>
#include <halvm/net/wire/ipv4.hpp>
#include <halvm/nic.hpp>
#include <halvm/program.hpp>
#include <halvm/shutdown.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>

namespace {

using namespace halvm;
using namespace halvm::net;

/// "ARP", "IPv4 UDP", "ethertype 0x88cc".
std::string protocol_of(packet& frame) {
    std::array<char, 40> room{};
    text_sink out{room};
    const auto front = frame.linearize(std::min<std::size_t>(frame.size(), 60));
    const auto outside = front ? wire::ethernet_view::parse(*front) : failure{front.error()};
    if (!outside)
        return "not Ethernet";
    describe(outside->type(), out);
    if (outside->type() == wire::ethertype::ipv4 && outside->payload().size() >= wire::ipv4_field::size) {
        switch (const auto number = wire::load8(outside->payload(), wire::ipv4_field::protocol); ip_protocol{number}) {
        case ip_protocol::icmp: out.text(" ICMP"); break;
        case ip_protocol::igmp: out.text(" IGMP"); break;
        case ip_protocol::tcp: out.text(" TCP"); break;
        case ip_protocol::udp: out.text(" UDP"); break;
        default: out.text(" protocol "), out.decimal(number);
        }
    }
    return std::string{out.view()};
}

struct counter {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
};

}  // namespace

int halvm_main() {
    auto console = open_console().value();
    std::stop_source enough;
    const std::stop_callback asked{shutdown_token(), [&] { enough.request_stop(); }};
    std::uint64_t wanted = UINT64_MAX;
    for (const std::string_view word : arguments())
        std::from_chars(word.begin(), word.end(), wanted);

    auto device = open_nic();
    if (!device) {
        console.print(device.error().message() + "\n");
        return 1;
    }
    const auto introduce = [&] {
        const nic_info info = device->info();
        console.print(std::string{info.mac.to_text().view()} + ", mtu " + std::to_string(info.mtu) +
                      (info.link_up ? ", link up\n" : ", no link\n"));
    };
    introduce();

    std::map<std::string, counter> counters;
    std::uint64_t total = 0;
    std::uint64_t told = 0;
    const auto tell = [&] {
        for (const auto& [protocol, count] : counters)
            console.print(protocol + ": " + std::to_string(count.frames) + " frames, " + std::to_string(count.bytes) +
                          " bytes\n");
        told = total;
    };
    // Once a second, if there is something new.
    auto teller = fiber::spawn([&] {
        while (fiber::sleep(fiber::within(std::chrono::seconds{1}, enough.get_token())))
            if (told != total)
                tell();
    });
    while (total < wanted) {
        std::array<packet, 32> frames;
        const auto got = device->receive(frames, enough.get_token());
        if (!got)
            break;
        if (*got == 0)
            introduce();
        for (packet& frame : std::span{frames}.first(*got)) {
            counter& count = counters[protocol_of(frame)];
            ++count.frames;
            count.bytes += frame.size();
            ++total;
        }
    }
    enough.request_stop();
    teller.join();
    tell();
    return 0;
}
