// SPDX-License-Identifier: BSD-3-Clause
// The user network, from a guest: an address from its DHCP server, its router pinged, and datagrams sent back that come
// to UDP port 7, until one says "end". See user_network_test.py.
#include <halvm/fiber.hpp>
#include <halvm/main.hpp>
#include <halvm/net/command_line.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/nic.hpp>

#include <chrono>
#include <cstdio>
#include <string>

int halvm_main() {
    using namespace halvm;
    using namespace std::chrono_literals;
    net::stack stack{open_nic().value()};
    const auto network = net::configure(stack, net::network_words{}, fiber::within(60s)).value();
    const std::string address{network.address.address().to_text().view()};
    std::printf("Assigned IP: %s, %zu name server\n", address.c_str(), stack.name_service().servers.size());
    const auto router = network.lease.value().server;
    const std::string server{router.to_text().view()};
    std::printf("ping %s: %s\n", server.c_str(), stack.ping(router, fiber::within(10s)) ? "answered" : "not answered");
    auto socket = stack.udp().bind(7).value();
    std::printf("ready\n");
    for (;;) {
        auto got = socket.receive_from().value();
        const auto text = got.payload.linearize(got.payload.size()).value();
        const bool is_end = as_text(text) == "end";
        if (!socket.send_to(std::move(got.payload), got.remote))
            return 1;
        if (is_end)
            break;
    }
    // Until the NIC has sent the last answer.
    stack.ping(router, fiber::within(10s)).value();
    return 7;
}
