// SPDX-License-Identifier: BSD-3-Clause
// Sends back what comes to port 7, by UDP and by TCP. The network is configured by the words of
// halvm/net/command_line.hpp; each other argument is a name or an address that it looks up and pings first.
#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/command_line.hpp>
#include <halvm/net/dns.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/tcp.hpp>
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

/// "example.org: 192.0.2.80, answers".
std::string look_up(net::stack& stack, std::string_view name) {
    const auto found = stack.dns().resolve(name, fiber::within(10s));
    if (!found)
        return found.error().message();
    const auto time = stack.ping(found->front(), fiber::within(5s));
    return std::string{name} + ": " + std::string{found->front().to_text()} + ", " +
           (time ? "answers" : time.error().message());
}

/// One peer after the other.
void echo(net::tcp_listener& listener) {
    std::array<std::byte, 8192> some;
    while (auto peer = listener.accept(shutdown_token())) {
        const auto limit = [] { return fiber::within(10min, shutdown_token()); };
        while (const std::size_t count = peer->read(some, limit()).value_or(0))
            if (!peer->write(bytes{some}.first(count), limit()))
                break;
        (void)peer->close(fiber::within(10s, shutdown_token()));
    }
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
    const auto network = net::configure(stack, arguments(), fiber::within(60s, shutdown_token()));
    if (!network) {
        console.print(network.error().message() + "\n");
        return 1;
    }
    console.print("Assigned IP: " + std::string{network->address.address().to_text().view()} + "\n");
    for (const std::string_view word : arguments())
        if (word.find('=') == word.npos)
            console.print(look_up(stack, word) + "\n");

    auto socket = stack.udp().bind(7).value();
    auto listener = stack.tcp().listen(7).value();
    std::array<fiber::handle<void>, 64> peers;
    for (auto& one : peers)
        one = fiber::spawn([&] { echo(listener); });
    console.print("ready\n");
    std::array<net::datagram, 32> batch;
    while (const auto count = socket.receive_from(batch, shutdown_token()))
        (void)socket.send_to(std::span{batch}.first(*count));
    return 0;
}
