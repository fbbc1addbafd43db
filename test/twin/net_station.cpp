// SPDX-License-Identifier: BSD-3-Clause
// A host on the network that does what its input says, a line at a time, and answers each with a line. Whatever it is
// told, it sends back what comes to UDP port 7.
#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/dhcp.hpp>
#include <halvm/net/dns.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/nic.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>

namespace {

using namespace halvm;
using namespace std::chrono_literals;

fiber::wait_limit patience() { return fiber::within(60s); }

std::string text_of(const net::ip_address& one) { return std::string{one.to_text()}; }
std::string reason(const error& why) { return why.code().message(); }

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> made(size);
    for (std::size_t i = 0; i < size; ++i)
        made[i] = static_cast<std::byte>(i * 7 & 0xff);
    return made;
}

class station {
public:
    explicit station(net::stack& stack) : stack_{stack} {}

    std::string obey(const std::string& line) {
        std::istringstream words{line};
        std::string verb;
        words >> verb;
        const auto known = verbs().find(verb);
        return known != verbs().end() ? (this->*known->second)(words) : "what is " + verb + "?";
    }

private:
    using action = std::string (station::*)(std::istringstream&);
    static const std::map<std::string, action>& verbs() {
        static const std::map<std::string, action> all{
            {"configure", &station::configure}, {"dhcp", &station::dhcp},       {"renewed", &station::renewed},
            {"refused", &station::refused},     {"release", &station::release}, {"resolve", &station::resolve},
            {"resolve6", &station::resolve6},   {"reverse", &station::reverse}, {"ping", &station::ping},
            {"echo", &station::echo},           {"narrow", &station::narrow}};
        return all;
    }

    /// ADDRESS/LENGTH [GATEWAY]: nobody else may have it.
    std::string configure(std::istringstream& words) {
        std::string address, gateway;
        words >> address >> gateway;
        const auto done = stack_.configure(
            net::interface_address::parse(address).value(),
            gateway.empty() ? std::nullopt : std::optional{net::ip_address::parse(gateway).value()}, true, patience());
        return done ? "configured" : reason(done.error());
    }
    std::string dhcp(std::istringstream&) {
        net::dhcp_options options{.host_name = "station"};
        options.decline_wait = 1s;
        return lease_text(stack_.service<net::dhcp_client>().start(stack_.at(1), options, patience()));
    }
    /// N: the lease after so many renewals, or refusals.
    std::string renewed(std::istringstream& words) { return lease_after(words, stack_.statistics().dhcp.renewed); }
    std::string refused(std::istringstream& words) { return lease_after(words, stack_.statistics().dhcp.naks); }
    std::string lease_after(std::istringstream& words, const std::uint64_t& counted) {
        std::uint64_t wanted = 0;
        words >> wanted;
        while (counted < wanted)
            fiber::sleep(fiber::within(10ms));
        return lease_text(stack_.dhcp(patience()));
    }
    std::string release(std::istringstream&) {
        stack_.service<net::dhcp_client>().release(stack_.at(1));
        return std::to_string(stack_.at(1).addresses().size()) + " addresses";
    }
    static std::string lease_text(const result<net::dhcp_lease>& lease) {
        if (!lease)
            return reason(lease.error());
        std::string text{lease->address.to_text()};
        text += " from " + std::string{lease->server.to_text()} + " for " + std::to_string(lease->time.count()) + " s";
        for (const auto& route : lease->routes)
            text += ", " + std::string{route.destination.to_text()} + " by " + text_of(route.gateway);
        for (const auto& server : lease->name_servers)
            text += ", names by " + text_of(server);
        return text + (lease->mtu ? ", mtu " + std::to_string(*lease->mtu) : "") + ", " + lease->domain;
    }

    std::string resolve(std::istringstream& words) { return resolved(words, net::ip_family::v4); }
    std::string resolve6(std::istringstream& words) { return resolved(words, net::ip_family::v6); }
    std::string resolved(std::istringstream& words, net::ip_family family) {
        std::string name, text;
        words >> name;
        const auto found = stack_.dns().resolve(name, patience(), family);
        if (!found)
            return reason(found.error());
        for (const net::ip_address& one : *found)
            text += (text.empty() ? "" : " ") + text_of(one);
        return text;
    }
    std::string reverse(std::istringstream& words) {
        std::string address;
        words >> address;
        const auto found = stack_.dns().reverse(net::ip_address::parse(address).value(), patience());
        return found ? *found : reason(found.error());
    }

    /// ADDRESS SIZE...
    std::string ping(std::istringstream& words) {
        std::string address;
        words >> address;
        const auto to = net::ip_address::parse(address).value();
        std::size_t count = 0;
        for (std::size_t size = 0; words >> size; ++count)
            if (const auto time = stack_.ping(to, patience(), {.size = size}); !time)
                return std::to_string(size) + ": " + reason(time.error());
        return std::to_string(count) + " answers";
    }
    /// ADDRESS PORT SIZE...: datagrams that must come back.
    std::string echo(std::istringstream& words) {
        std::string address;
        std::uint16_t port = 0;
        words >> address >> port;
        auto socket = stack_.udp().bind().value();
        if (const auto done = socket.connect({net::ip_address::parse(address).value(), port}); !done)
            return reason(done.error());
        std::size_t count = 0;
        for (std::size_t size = 0; words >> size; ++count) {
            const auto data = pattern(size);
            if (const auto sent = socket.send(data, patience()); !sent)
                return std::to_string(size) + ": " + reason(sent.error());
            const auto back = socket.receive_from(patience());
            if (!back)
                return std::to_string(size) + ": " + reason(back.error());
            std::vector<std::byte> got(back->payload.size());
            back->payload.copy_out(0, got);
            if (got != data)
                return std::to_string(size) + ": other data";
        }
        return std::to_string(count) + " came back";
    }
    /// ADDRESS PORT SIZE: until the way's MTU is known, without fragments.
    std::string narrow(std::istringstream& words) {
        std::string address;
        std::uint16_t port = 0;
        std::size_t size = 0;
        words >> address >> port >> size;
        auto socket = stack_.udp().bind({.may_be_fragmented = false}).value();
        const net::endpoint to{net::ip_address::parse(address).value(), port};
        const auto data = pattern(size);
        for (;;) {
            if (const auto sent = socket.send_to(data, to, patience()); !sent)
                return reason(sent.error()) + ", mtu " + std::to_string(stack_.find_path(to.address)->mtu);
            fiber::sleep(fiber::within(10ms));
        }
    }

    net::stack& stack_;
};

}  // namespace

int halvm_main() {
    // Addresses are tried in less than a second: whoever has one is on the same bridge.
    net::stack stack{
        open_nic().value(),
        {.limits = {.address_probe_wait = 50ms, .address_probe_least = 100ms, .address_probe_most = 150ms}}};
    auto console = open_console().value();
    auto socket = stack.udp().bind(7).value();
    const auto server = fiber::spawn(
        [&](std::stop_token stop) {
            std::array<net::datagram, 32> batch;
            while (const auto count = socket.receive_from(batch, stop))
                (void)socket.send_to(std::span{batch}.first(*count), fiber::within(1s));
        },
        {.name = "echo", .service = true});
    station one{stack};
    std::string text;
    std::array<std::byte, 512> some;
    while (const auto count = console.read(some)) {
        if (*count == 0)
            break;
        text += as_text(const_bytes{some}.first(*count));
        for (std::size_t end; (end = text.find('\n')) != text.npos; text.erase(0, end + 1))
            console.print(one.obey(text.substr(0, end)) + "\n");
    }
    return 0;
}
