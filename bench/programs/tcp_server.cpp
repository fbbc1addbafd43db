// SPDX-License-Identifier: BSD-3-Clause
// The server of bench/tcp.py over this stack: a fiber for each connection, which does what the port says. The network
// is configured by the words of halvm/net/command_line.hpp.
#include "tcp_services.h"

#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/command_line.hpp>
#include <halvm/net/tcp.hpp>
#include <halvm/nic.hpp>
#include <halvm/program.hpp>

#include <array>
#include <memory>
#include <span>
#include <vector>

namespace {

using namespace halvm;

void echo(net::tcp_connection& with) {
    std::array<std::byte, 4096> room;
    for (;;) {
        const auto count = with.read(room);
        if (!count || *count == 0 || !with.write(std::span{room}.first(*count)))
            return;
    }
}

void discard(net::tcp_connection& with) {
    std::vector<std::byte> room(BULK);
    for (;;)
        if (const auto count = with.read(room); !count || *count == 0)
            return;
}

void source(net::tcp_connection& with) {
    const std::vector<std::byte> data(BULK);
    while (with.write(data)) {}
}

void request(net::tcp_connection& with) {
    std::array<std::byte, MESSAGE> room;
    if (const auto count = with.read(room); count && *count != 0)
        static_cast<void>(with.write(std::span{room}.first(*count)));
}

fiber::handle<void> serve(net::stack& stack, std::uint16_t port, void (*service)(net::tcp_connection&)) {
    auto listener = stack.tcp().listen({.port = port, .backlog = 1024, .options = {.no_delay = true}}).value();
    return fiber::spawn([service, at = std::move(listener)]() mutable {
        while (auto one = at.accept())
            fiber::spawn([service, with = std::move(*one)]() mutable { service(with); }, {.stack = 16384}).detach();
    });
}

}  // namespace

int halvm_main() {
    net::stack stack{open_nic().value()};
    net::configure(stack, arguments()).value();
    std::array services{serve(stack, ECHO, echo), serve(stack, DISCARD, discard), serve(stack, SOURCE, source),
                        serve(stack, REQUEST, request)};
    open_console().value().print("serves\n");
    for (auto& one : services)
        one.join();
    return 0;
}
