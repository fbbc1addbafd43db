// SPDX-License-Identifier: BSD-3-Clause
// How many connections a stack can hold that say nothing, and what each costs. Two stacks of a process have them with
// each other, so that each connection is kept twice: with a socket and without a fiber. Prints: metric, value, unit.
#include <halvm/fiber.hpp>
#include <halvm/model/loopback.hpp>
#include <halvm/net/tcp.hpp>

#include <malloc.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace halvm;
using namespace halvm::net;

void must(const result<void>& done) {
    if (!done)
        std::abort();
}

constexpr std::size_t count = 100'000;
constexpr std::size_t a_port = 10'000;  // there are 16,384 ports to connect from

std::size_t heap() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

}  // namespace

int halvm_main() {
    stack_limits limits;
    limits.tcp.connections = count;
    auto [left, right] = model::loopback_nic::make_pair().value();
    stack client{std::move(left), {.limits = limits}}, server{std::move(right), {.limits = limits}};
    must(client.configure("10.0.0.1/24"));
    must(server.configure("10.0.0.2/24"));
    std::vector<tcp_connection> all;
    all.reserve(2 * count);
    std::vector<tcp_listener> listeners;
    const std::size_t before = heap();
    for (std::size_t i = 0; i != count; ++i) {
        const auto port = static_cast<std::uint16_t>(1000 + i / a_port);
        if (i % a_port == 0)
            listeners.push_back(server.tcp().listen(port).value());
        all.push_back(client.tcp().connect({ipv4_address{10, 0, 0, 2}, port}).value());
        all.push_back(listeners.back().accept().value());
        // Both have spoken: what is idle has been in use.
        std::array<std::byte, 100> some{};
        must(all[2 * i].write(some));
        if (all[2 * i + 1].read(some).value() != some.size())
            std::abort();
    }
    fiber::sleep(fiber::within(std::chrono::milliseconds{300}));
    const std::size_t after = heap();
    const std::size_t here = server.tcp().engine().connections();
    std::printf("idle connections of a stack at once\t%zu\tconnections\n", here);
    std::printf("memory of an idle connection, with its socket, tables and timers\t%zu\tbytes\n",
                (after - before) / 2 / here);
    std::printf("memory of all of them\t%.1f\tMiB\n", static_cast<double>(after - before) / 2 / (1 << 20));
    std::printf("of that, a connection's state machine\t%zu\tbytes\n", sizeof(tcp::connection));
    std::fflush(stdout);
    std::_Exit(0);
}
