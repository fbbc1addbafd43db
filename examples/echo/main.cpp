// SPDX-License-Identifier: BSD-3-Clause
// Sends back what comes to UDP port 7. Its address is its first argument, as in 10.0.0.2/24, or else a DHCP server's;
// each further argument is a name or an address that it looks up and pings first.
#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/dhcp.hpp>
#include <halvm/net/dns.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/nic.hpp>
#include <halvm/program.hpp>
#include <halvm/shutdown.hpp>

#include <array>
#include <chrono>
#include <string>

namespace {

using namespace halvm;
using namespace std::chrono_literals;

/// "10.0.0.2/24", and from whom.
result<std::string> configure(net::stack& stack, std::string_view address) {
    if (!address.empty()) {
        if (const auto done = stack.configure(address); !done)
            return failure{done.error()};
        return std::string{address};
    }
    const auto lease = stack.dhcp(fiber::within(60s, shutdown_token()));
    if (!lease)
        return failure{lease.error()};
    return std::string{lease->address.to_text()} + " from " + std::string{lease->server.to_text()};
}

/// "example.org: 192.0.2.80, 0.3 ms".
std::string look_up(net::stack& stack, std::string_view name) {
    const auto found = stack.dns().resolve(name, fiber::within(10s));
    if (!found)
        return found.error().message();
    const auto time = stack.ping(found->front(), fiber::within(5s));
    return std::string{name} + ": " + std::string{found->front().to_text()} + ", " +
           (time ? "answers" : time.error().message());
}

}  // namespace

int halvm_main() {
    auto console = open_console().value();
    auto device = open_nic();
    if (!device) {
        console.print(device.error().message() + "\n");
        return 1;
    }
    net::stack stack{std::move(*device)};
    std::string_view address;
    for (const std::string_view word : arguments())
        if (address.empty() && word.find('/') != word.npos)
            address = word;
    const auto done = configure(stack, address);
    console.print((done ? *done : done.error().message()) + "\n");
    if (!done)
        return 1;
    for (const std::string_view word : arguments())
        if (word != address)
            console.print(look_up(stack, word) + "\n");

    auto socket = stack.udp().bind(7).value();
    console.print("ready\n");
    std::array<net::datagram, 32> batch;
    while (const auto count = socket.receive_from(batch, shutdown_token()))
        (void)socket.send_to(std::span{batch}.first(*count));
    return 0;
}
