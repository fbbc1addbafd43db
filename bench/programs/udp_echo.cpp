// SPDX-License-Identifier: BSD-3-Clause
// A UDP echo server with an address of its own: the least that uses the network, for the size of its parts.
#include <halvm/net/stack.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/nic.hpp>

#include <array>

int halvm_main() {
    using namespace halvm::net::literals;
    halvm::net::stack stack{halvm::open_nic().value()};
    if (!stack.configure("10.0.0.2/24", "10.0.0.1"_ip))
        return 1;
    auto socket = stack.udp().bind(7).value();
    std::array<halvm::net::datagram, 32> batch;
    while (const auto count = socket.receive_from(batch))
        (void)socket.send_to(std::span{batch}.first(*count));
    return 0;
}
