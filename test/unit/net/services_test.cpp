// SPDX-License-Identifier: BSD-3-Clause
// The DHCP client and the DNS resolver, with a test that plays their servers.
#include "net/stack_world.hpp"

#include <halvm/net/command_line.hpp>
#include <halvm/net/dhcp.hpp>
#include <halvm/net/dns.hpp>
#include <halvm/net/syslog.hpp>
#include <halvm/net/tcp.hpp>

#include <functional>
#include <map>

namespace {

using namespace halvm;
using namespace halvm::test;
using namespace halvm::net;
using namespace halvm::net::literals;
using wire::dhcpv4_message;
using wire::dhcpv4_seconds;
using wire::dhcpv4_type;
using wire::dhcpv4_view;

/// The README's.
[[maybe_unused]] void use(model::loopback_nic nic) {
    halvm::net::stack stack{std::move(nic)};
    stack.dhcp(halvm::fiber::within(30s)).value();   // or stack.configure("10.0.0.2/24", "10.0.0.1"_ip)
    auto socket = stack.udp().bind(53).value();      // receive_from, send_to, connect, many datagrams at once
    auto listener = stack.tcp().listen(80).value();  // accept, read, write, shutdown; connect to a name
    auto addresses = stack.dns().resolve("example.org", halvm::fiber::within(5s));
    auto rtt = stack.ping(addresses.value().front(), halvm::fiber::within(1s));
    static_cast<void>(rtt);
}

constexpr ipv4_address server{10, 0, 0, 1}, offered{10, 0, 0, 50};

struct dhcp_world : stack_world {
    explicit dhcp_world(const model::loopback_options& cable = {}) : stack_world{{.announcements = 0}, cable} {
        answers_arp = true;
    }

    void begin(const dhcp_options& options = {}) {
        started = fiber::spawn([this, options] { return client().start(nic(), options, fiber::within(300s)); });
        settle();
    }
    dhcp_client& client() { return stack.service<dhcp_client>(); }
    interface& nic() {
        return stack.at(1);
    }
    [[nodiscard]] dhcp_state state() { return client().state(nic()); }

    /// What the client has said last, and nothing else of DHCP since.
    octets asked(dhcpv4_type type) {
        settle();
        std::vector<octets> messages;
        for (const octets& frame : std::exchange(heard, {}))
            if (wire::ethernet_view::parse(frame)->type() == wire::ethertype::ipv4)
                messages.push_back(frame);
        REQUIRE(messages.size() == 1);
        const const_bytes payload = udp_of(messages[0]).payload();
        octets message{payload.begin(), payload.end()};
        CHECK(dhcpv4_view::parse(message)->type() == type);
        last = messages[0];
        return message;
    }
    dhcpv4_message reply_to(const octets& message, dhcpv4_type type) {
        const auto view = dhcpv4_view::parse(message).value();
        dhcpv4_message made{.type = type,
                            .transaction = view.transaction(),
                            .hardware_address = view.hardware_address(),
                            .own_address = offered,
                            .server_identifier = server};
        if (type == dhcpv4_type::nak) {
            made.own_address = {};
            return made;
        }
        made.prefix_length = 24;
        made.lease_time = dhcpv4_seconds{3600};
        made.routers = routers;
        made.name_servers = names;
        made.domain_name = "example.org";
        return made;
    }
    void reply(const dhcpv4_message& message, ipv4_address to = ipv4_address::broadcast(), std::uint16_t from = 67) {
        octets data(message.size());
        message.write(data);
        send(udp_frame({server, from}, {to, 68}, data, to.is_broadcast() ? mac_address::broadcast() : our_mac));
    }
    void reply(const octets& message, dhcpv4_type type) { reply(reply_to(message, type)); }
    /// As far as bound.
    void bind(const dhcp_options& options = {}) {
        begin(options);
        reply(asked(dhcpv4_type::discover), dhcpv4_type::offer);
        reply(asked(dhcpv4_type::request), dhcpv4_type::ack);
        pass(600ms);
        REQUIRE(state() == dhcp_state::bound);
        heard.clear();
    }

    std::array<ipv4_address, 1> routers{ipv4_address{10, 0, 0, 1}};
    std::array<ipv4_address, 1> names{ipv4_address{10, 0, 0, 3}};
    octets last;
    fiber::handle<result<dhcp_lease>> started;
};

TEST_CASE("dhcp: RFC 2131 3.1: discover, offer, request, ack, then address, routes and servers are in use") {
    dhcp_world net;
    net.begin({.host_name = "guest"});
    CHECK(net.state() == dhcp_state::selecting);
    const octets discover = net.asked(dhcpv4_type::discover);
    const auto asked = dhcpv4_view::parse(discover).value();
    CHECK(asked.hardware_address() == our_mac);
    CHECK(asked.client_address().is_unspecified());
    std::array<char, 16> room{};
    CHECK(asked.text(wire::dhcpv4_option::host_name, room) == "guest");
    CHECK(ipv4_of(net.last).source().is_unspecified());
    CHECK(ipv4_of(net.last).destination().is_broadcast());
    CHECK(wire::ethernet_view::parse(net.last)->destination().is_broadcast());
    net.reply(net.reply_to(discover, dhcpv4_type::offer));
    CHECK(net.state() == dhcp_state::requesting);
    const octets request = net.asked(dhcpv4_type::request);
    const auto wanted = dhcpv4_view::parse(request).value();
    CHECK(wanted.requested_address() == offered);
    CHECK(wanted.server_identifier() == server);
    CHECK(wanted.transaction() == asked.transaction());
    // Servers may answer to the address that we do not have yet.
    net.reply(net.reply_to(request, dhcpv4_type::ack), offered);
    CHECK(net.state() == dhcp_state::trying);
    CHECK(net.said() == std::vector<std::string>{"all: ARP, who-has 10.0.0.50 tell 0.0.0.0"});
    const auto lease = net.started.join().value();
    CHECK(lease.address == interface_address{offered, 24});
    CHECK(lease.domain == "example.org");
    CHECK(lease.renewal == dhcpv4_seconds{1800});
    CHECK(lease.rebinding == dhcpv4_seconds{3150});
    CHECK(net.nic().has(offered));
    CHECK(net.stack.find_path("8.8.8.8"_ip)->next_hop == "10.0.0.1"_ip);
    CHECK(net.stack.name_service().servers == std::vector<ip_address>{"10.0.0.3"_ip});
    CHECK(net.stack.dhcp(fiber::within(1s)));
}

TEST_CASE("dhcp: RFC 2131 4.1: without an answer it asks again after 4, 8, 16, 32 and 64 seconds, give or take one") {
    dhcp_world net;
    net.begin();
    auto last = fiber::clock::now();
    net.asked(dhcpv4_type::discover);
    for (const auto expected : {4s, 8s, 16s, 32s, 64s, 64s}) {
        while (net.heard.empty())
            pass(100ms);
        const auto waited = fiber::clock::now() - last;
        CHECK(waited >= expected - 1s);
        CHECK(waited <= expected + 1200ms);
        last = fiber::clock::now();
        net.asked(dhcpv4_type::discover);
    }
    pass(300s);
    CHECK(net.started.join().error().code() == std::errc::timed_out);
    CHECK(net.state() == dhcp_state::selecting);
}

TEST_CASE("dhcp: RFC 2131 4.4.1: what is of another exchange, client, port or kind is not believed") {
    dhcp_world net;
    net.begin();
    const octets discover = net.asked(dhcpv4_type::discover);
    dhcpv4_message good = net.reply_to(discover, dhcpv4_type::offer);
    dhcpv4_message bad = good;
    ++bad.transaction;
    net.reply(bad);
    bad = good;
    bad.hardware_address = peer_mac;
    net.reply(bad);
    CHECK(net.counted().dhcp.not_ours == 2);
    net.reply(good, ipv4_address::broadcast(), 1067);
    bad = good;
    bad.lease_time.reset();
    net.reply(bad);
    bad = good;
    bad.server_identifier.reset();
    net.reply(bad);
    bad = good;
    bad.own_address = ipv4_address{10, 0, 0, 255};
    net.reply(bad);
    CHECK(net.counted().dhcp.bad_message == 4);
    CHECK(net.state() == dhcp_state::selecting);
    net.reply(good);
    const octets request = net.asked(dhcpv4_type::request);
    // Another server's answer, and one with another address.
    bad = net.reply_to(request, dhcpv4_type::ack);
    bad.server_identifier = ipv4_address{10, 0, 0, 66};
    net.reply(bad);
    bad = net.reply_to(request, dhcpv4_type::ack);
    bad.own_address = ipv4_address{10, 0, 0, 66};
    net.reply(bad);
    CHECK(net.state() == dhcp_state::requesting);
}

TEST_CASE("dhcp: RFC 2131 3.1.4: a refusal begins anew") {
    dhcp_world net;
    net.begin();
    net.reply(net.asked(dhcpv4_type::discover), dhcpv4_type::offer);
    net.reply(net.asked(dhcpv4_type::request), dhcpv4_type::nak);
    net.asked(dhcpv4_type::discover);
    CHECK(net.counted().dhcp.naks == 1);
}

TEST_CASE("dhcp: RFC 2131 3.1.5: an address that somebody has is declined, and another asked for later") {
    dhcp_world net;
    net.begin();
    net.reply(net.asked(dhcpv4_type::discover), dhcpv4_type::offer);
    net.reply(net.asked(dhcpv4_type::request), dhcpv4_type::ack);
    settle();
    net.heard.clear();
    net.send(arp_frame({wire::arp_operation::reply, peer_mac, offered, our_mac, {}}, our_mac));
    const octets decline = net.asked(dhcpv4_type::decline);
    CHECK(dhcpv4_view::parse(decline)->requested_address() == offered);
    CHECK(dhcpv4_view::parse(decline)->server_identifier() == server);
    CHECK_FALSE(net.nic().has(offered));
    pass(9s);
    CHECK(net.silent() == 0);
    pass(2s);
    net.asked(dhcpv4_type::discover);
}

TEST_CASE("dhcp: RFC 2131 4.4.5: renewed at T1 by its server alone, and nothing piles up") {
    dhcp_world net;
    net.bind();
    const auto routes = net.stack.routes().size();
    for (int i = 0; i < 3; ++i) {
        pass(1801s);
        CHECK(net.state() == dhcp_state::renewing);
        net.asked(dhcpv4_type::request);
        // Nobody answers: asked again when half of what is left has passed.
        pass(674s);
        const octets request = net.asked(dhcpv4_type::request);
        CHECK(ipv4_of(net.last).destination() == server);
        CHECK(ipv4_of(net.last).source() == offered);
        const auto view = dhcpv4_view::parse(request).value();
        CHECK(view.client_address() == offered);
        CHECK_FALSE(view.requested_address());
        CHECK_FALSE(view.server_identifier());
        net.reply(net.reply_to(request, dhcpv4_type::ack), offered);
        CHECK(net.state() == dhcp_state::bound);
        CHECK(net.stack.routes().size() == routes);
        CHECK(net.stack.name_service().servers.size() == 1);
        CHECK(net.nic().addresses().size() == 1);
    }
    CHECK(net.counted().dhcp.renewed == 3);
}

TEST_CASE("dhcp: RFC 2131 4.4.5: rebound by anybody at T2, at the end the address is given up") {
    dhcp_world net;
    net.bind();
    pass(3155s);
    CHECK(net.state() == dhcp_state::rebinding);
    CHECK(net.nic().has(offered));
    net.heard.clear();
    pass(230s);
    const octets request = net.asked(dhcpv4_type::request);
    CHECK(wire::ethernet_view::parse(net.last)->destination().is_broadcast());
    dhcpv4_message ack = net.reply_to(request, dhcpv4_type::ack);
    ack.server_identifier = ipv4_address{10, 0, 0, 9};
    net.reply(ack);
    CHECK(net.state() == dhcp_state::bound);
    CHECK(net.client().lease(net.nic())->server == ipv4_address{10, 0, 0, 9});
    pass(3601s);
    CHECK(net.state() == dhcp_state::selecting);
    CHECK_FALSE(net.nic().has(offered));
    CHECK(net.stack.routes().empty());
    CHECK(net.stack.name_service().servers.empty());
    CHECK(net.counted().dhcp.expired == 1);
}

TEST_CASE("dhcp: RFC 2131 3.1.6: a lease is given back, and with it the address") {
    dhcp_world net;
    net.bind();
    net.client().release(net.nic());
    const octets message = net.asked(dhcpv4_type::release);
    CHECK(dhcpv4_view::parse(message)->client_address() == offered);
    CHECK(ipv4_of(net.last).destination() == server);
    CHECK(net.nic().addresses().empty());
    CHECK(net.state() == dhcp_state::stopped);
}

TEST_CASE("dhcp: RFC 2131 3.2: an address of before is asked for first") {
    dhcp_world net;
    net.begin({.known_address = offered});
    const octets request = net.asked(dhcpv4_type::request);
    const auto view = dhcpv4_view::parse(request).value();
    CHECK(view.requested_address() == offered);
    CHECK_FALSE(view.server_identifier());
    net.reply(net.reply_to(request, dhcpv4_type::ack));
    pass(600ms);
    CHECK(net.state() == dhcp_state::bound);
}

TEST_CASE("dhcp: RFC 2131 3.2: an address of before that is refused is forgotten") {
    dhcp_world other;
    other.begin({.known_address = offered});
    other.reply(other.asked(dhcpv4_type::request), dhcpv4_type::nak);
    other.asked(dhcpv4_type::discover);
}

TEST_CASE("dhcp: RFC 3442: classless routes count instead of the router, RFC 2132 5.1: and the MTU") {
    dhcp_world net;
    net.begin();
    net.reply(net.asked(dhcpv4_type::discover), dhcpv4_type::offer);
    dhcpv4_message ack = net.reply_to(net.asked(dhcpv4_type::request), dhcpv4_type::ack);
    const std::array<wire::dhcpv4_route, 2> routes{
        {{"192.168.0.0/16"_prefix, {172, 16, 0, 1}}, {"172.16.0.0/12"_prefix, {}}}};
    ack.classless_routes = routes;
    ack.mtu = 1400;
    ack.lease_time = wire::dhcpv4_forever;
    ack.domain_name = "bad name\n";
    net.reply(ack);
    pass(600ms);
    CHECK(net.stack.find_path("192.168.1.1"_ip)->next_hop == "172.16.0.1"_ip);
    CHECK(net.stack.find_path("172.16.5.5"_ip)->next_hop == "172.16.5.5"_ip);
    CHECK(net.stack.find_path("8.8.8.8"_ip).error().code() == std::errc::network_unreachable);
    CHECK(net.nic().mtu() == 1400);
    CHECK(net.stack.name_service().domain.empty());
    pass(1000h);
    CHECK(net.state() == dhcp_state::bound);
}

// ---

using wire::dns_name;
using wire::dns_type;

struct record {
    std::string_view name;
    dns_type type;
    std::uint32_t ttl;
    octets data;
};
octets name_data(std::string_view name) {
    const auto parsed = dns_name::parse(name).value();
    octets data(parsed.size());
    parsed.write(data);
    return data;
}
octets a_data(ipv4_address address) {
    octets data(4);
    wire::store_ipv4(data, 0, address);
    return data;
}
octets soa_data(std::uint32_t minimum) {
    octets data = name_data("ns.example.org");
    const octets mailbox = name_data("root.example.org");
    data.insert(data.end(), mailbox.begin(), mailbox.end());
    const std::size_t at = data.size();
    data.resize(at + 20);
    wire::store32(data, at + 16, minimum);
    return data;
}
record a(std::string_view name, ipv4_address address, std::uint32_t ttl = 60) {
    return {name, dns_type::a, ttl, a_data(address)};
}
record cname(std::string_view name, std::string_view target, std::uint32_t ttl = 60) {
    return {name, dns_type::cname, ttl, name_data(target)};
}

struct dns_world : stack_world {
    explicit dns_world(const stack_limits& limits = {}, std::vector<ip_address> servers = {ip_address{gateway}})
        : stack_world{limits} {
        configure();
        answers_arp = true;
        stack.name_service().servers = std::move(servers);
    }
    void ask(std::string_view name, ip_family family = ip_family::v4) {
        asking = fiber::spawn(
            [this, name = std::string{name}, family] { return stack.dns().resolve(name, fiber::within(60s), family); });
        settle();
    }
    /// The question that was sent, as "www.example.org. A".
    std::string question() {
        const octets frame = only();
        last = frame;
        const auto view = wire::dns_view::parse(udp_of(frame).payload()).value();
        std::array<char, 300> room{};
        text_sink out{room};
        const auto asked = *view.questions().begin();
        describe(asked.name(), out);
        out.character(' ');
        describe(asked.type(), out);
        return std::string{out.view()};
    }
    octets answer(std::vector<record> answers, std::uint16_t flags = 0x8180, std::vector<record> authorities = {}) {
        const const_bytes query = udp_of(last).payload();
        octets message{query.begin(), query.end()};
        wire::store16(message, wire::dns_field::flags, flags);
        wire::store16(message, wire::dns_field::answers, static_cast<std::uint16_t>(answers.size()));
        wire::store16(message, wire::dns_field::authorities, static_cast<std::uint16_t>(authorities.size()));
        answers.insert(answers.end(), authorities.begin(), authorities.end());
        for (const record& one : answers) {
            octets name = name_data(one.name);
            const std::size_t at = name.size();
            name.resize(at + wire::dns_field::data);
            wire::store16(name, at, static_cast<std::uint16_t>(one.type));
            wire::store16(name, at + 2, 1);
            wire::store32(name, at + 4, one.ttl);
            wire::store16(name, at + 8, static_cast<std::uint16_t>(one.data.size()));
            message.insert(message.end(), name.begin(), name.end());
            message.insert(message.end(), one.data.begin(), one.data.end());
        }
        return message;
    }
    void reply(const octets& message) {
        send(udp_frame({ipv4_of(last).destination(), 53}, {us, udp_of(last).source_port()}, message));
    }
    result<std::vector<ip_address>> found() { return asking.join(); }

    octets last;
    fiber::handle<result<std::vector<ip_address>>> asking;
};

TEST_CASE("dns: RFC 1035 7: a name's addresses, RFC 1035 3.2.1: kept as long as the record says") {
    dns_world net;
    net.ask("www.example.org");
    CHECK(net.question() == "www.example.org. A");
    net.reply(net.answer({a("www.example.org", {192, 0, 2, 1}, 60), a("WWW.Example.Org", {192, 0, 2, 2}, 30)}));
    CHECK(net.found().value() == std::vector{"192.0.2.1"_ip, "192.0.2.2"_ip});
    pass(29s);
    net.ask("www.EXAMPLE.org.");
    CHECK(net.found().value().size() == 2);
    CHECK(net.silent() == 0);
    pass(2s);
    net.ask("www.example.org");
    CHECK(net.question() == "www.example.org. A");
    CHECK(net.counted().dns.cached == 1);
    net.ask("192.0.2.7");
    CHECK(net.found().value() == std::vector{"192.0.2.7"_ip});
}

TEST_CASE("dns: RFC 1034 3.6.2: aliases are followed within an answer and by asking again, but not for ever") {
    dns_world net;
    net.ask("www.example.org");
    net.question();
    net.reply(net.answer({cname("www.example.org", "a.example.org"), cname("a.example.org", "b.example.org"),
                          a("b.example.org", {192, 0, 2, 1})}));
    CHECK(net.found().value() == std::vector{"192.0.2.1"_ip});
    net.ask("far.example.org");
    net.question();
    net.reply(net.answer({cname("far.example.org", "host.example.net")}));
    CHECK(net.question() == "host.example.net. A");
    net.reply(net.answer({a("host.example.net", {192, 0, 2, 9})}));
    CHECK(net.found().value() == std::vector{"192.0.2.9"_ip});
    net.ask("loop.example.org");
    net.question();
    net.reply(
        net.answer({cname("loop.example.org", "pool.example.org"), cname("pool.example.org", "loop.example.org")}));
    CHECK(net.found().error().code() == dns_errc::bad_answer);
    // Records of other names are not an answer.
    net.ask("mine.example.org");
    net.question();
    net.reply(net.answer({a("yours.example.org", {192, 0, 2, 66})}));
    CHECK(net.found().error().code() == dns_errc::no_data);
}

TEST_CASE("dns: RFC 5452 9: an answer counts with the right id, question, server and port only") {
    dns_world net;
    net.ask("www.example.org");
    net.question();
    const octets good = net.answer({a("www.example.org", {192, 0, 2, 1})});
    octets bad = good;
    bad[1] ^= std::byte{1};
    net.reply(bad);
    bad = good;
    bad[13] ^= std::byte{1};
    net.reply(bad);
    bad = good;
    bad[2] &= std::byte{0x7f};
    net.reply(bad);
    CHECK(net.counted().dns.not_asked == 3);
    const std::uint16_t port = udp_of(net.last).source_port();
    net.send(udp_frame({other_host, 53}, {us, port}, good));
    net.send(udp_frame({gateway, 54}, {us, port}, good));
    CHECK(net.counted().udp.no_port == 2);
    net.heard.clear();
    net.reply(good);
    CHECK(net.found());
    net.ask("two.example.org");
    const std::uint16_t before = wire::dns_view::parse(udp_of(net.last).payload())->id();
    net.question();
    CHECK(udp_of(net.last).source_port() != port);
    CHECK(wire::dns_view::parse(udp_of(net.last).payload())->id() != before);
}

TEST_CASE("dns: RFC 2308: that a name is not there is kept too, as long as the SOA says, and not without one") {
    dns_world net;
    net.ask("no.example.org");
    net.question();
    net.reply(net.answer({}, 0x8183, {{"example.org", dns_type::soa, 100, soa_data(50)}}));
    CHECK(net.found().error().code() == dns_errc::no_such_name);
    pass(49s);
    net.ask("no.example.org");
    CHECK(net.found().error().code() == dns_errc::no_such_name);
    CHECK(net.silent() == 0);
    pass(2s);
    net.ask("no.example.org");
    net.question();
    net.reply(net.answer({}, 0x8180));
    CHECK(net.found().error().code() == dns_errc::no_data);
    net.ask("no.example.org");
    CHECK(net.question() == "no.example.org. A");
}

TEST_CASE("dns: RFC 1035 4.2.1: a silent server and one that refuses are passed over, and asked again more slowly") {
    dns_world net{{}, {ip_address{gateway}, ip_address{other_host}}};
    net.ask("www.example.org");
    net.question();
    CHECK(ipv4_of(net.last).destination() == gateway);
    pass(2100ms);
    net.question();
    CHECK(ipv4_of(net.last).destination() == other_host);
    net.reply(net.answer({}, 0x8182));
    net.question();
    CHECK(ipv4_of(net.last).destination() == gateway);
    pass(3900ms);
    CHECK(net.silent() == 0);
    pass(200ms);
    net.question();
    net.reply(net.answer({a("www.example.org", {192, 0, 2, 1})}));
    CHECK(net.found());
    net.ask("other.example.org");
    CHECK(net.found().error().code() == std::errc::timed_out);
    CHECK(net.counted().dns.refused == 1);
}

TEST_CASE("dns: a host that says that it has no server there is not waited for") {
    dns_world alone{{}, {ip_address{gateway}, ip_address{other_host}}};
    alone.ask("www.example.org");
    const octets query = alone.only();
    alone.answers_arp = true;
    const auto began = fiber::clock::now();
    alone.send(icmp_error_frame(gateway, wire::icmpv4_error::unreachable(wire::unreachable_code::port), query));
    CHECK(alone.heard.size() == 1);
    CHECK(fiber::clock::now() == began);
    alone.asking.wait(fiber::within(60s));
    alone.stack.name_service().servers.clear();
    CHECK(alone.stack.dns().resolve("x", fiber::within(1s)).error().code() == dns_errc::no_server);
}

TEST_CASE("dns: a short name is tried with the domain first, static entries are not asked for, names of addresses") {
    dns_world net;
    net.stack.name_service().domain = "example.org";
    net.ask("www");
    CHECK(net.question() == "www.example.org. A");
    net.reply(net.answer({}, 0x8183));
    CHECK(net.question() == "www. A");
    net.reply(net.answer({a("www", {192, 0, 2, 1})}));
    CHECK(net.found());
    REQUIRE(net.stack.dns().add_host("db.local", "10.0.0.8"_ip));
    net.ask("DB.local");
    CHECK(net.found().value() == std::vector{"10.0.0.8"_ip});
    CHECK(net.stack.dns().reverse("10.0.0.8"_ip, {}).value() == "db.local");
    auto reverse = fiber::spawn([&] { return net.stack.dns().reverse("192.0.2.5"_ip, fiber::within(9s)); });
    CHECK(net.question() == "5.2.0.192.in-addr.arpa. PTR");
    net.reply(net.answer({{"5.2.0.192.in-addr.arpa", dns_type::ptr, 60, name_data("five.example.org")}}));
    CHECK(reverse.join().value() == "five.example.org");
    net.ask("six.example.org", ip_family::v6);
    CHECK(net.question() == "six.example.org. AAAA");
    net.reply(net.answer({{"six.example.org", dns_type::aaaa, 60, octets(16, std::byte{0x20})}}));
    CHECK(net.found().value() == std::vector{"2020:2020:2020:2020:2020:2020:2020:2020"_ip});
    CHECK(net.stack.dns().resolve("a..b").error().code() == wire_errc::bad_name);
}

TEST_CASE("dns: the cache has a limit, and one that was used lately stays") {
    dns_world net{{.dns_cache = 4}};
    const auto ask = [&](const std::string& name) {
        net.ask(name);
        settle();
        if (!net.heard.empty()) {
            net.question();
            net.reply(net.answer({a(name, {192, 0, 2, 1}, 600)}));
        }
        CHECK(net.found());
    };
    ask("often.example.org");
    for (int i = 0; i < 20; ++i) {
        ask("name" + std::to_string(i) + ".example.org");
        ask("often.example.org");
    }
    CHECK(net.counted().dns.queries == 21);
    CHECK(net.counted().dns.cached == 20);
}

TEST_CASE("dns: RFC 7766 5: what was cut off is asked for by TCP where there is one") {
    dns_world net;
    net.ask("big.example.org");
    net.question();
    net.reply(net.answer({}, 0x8380));
    pass(60s);
    CHECK_FALSE(net.found());
    net.heard.clear();
    struct stream final : dns_stream {
        result<std::vector<std::byte>> ask(const endpoint& to, const_bytes, const fiber::wait_limit&) override {
            CHECK(to == endpoint{gateway, 53});
            return net.answer({a("big.example.org", {192, 0, 2, 1})});
        }
        explicit stream(dns_world& world) : net{world} {}
        dns_world& net;
    } tcp{net};
    net.stack.dns().set_stream(&tcp);
    net.ask("big.example.org");
    net.question();
    net.reply(net.answer({}, 0x8380));
    CHECK(net.found().value() == std::vector{"192.0.2.1"_ip});
}

TEST_CASE("syslog: a message is one line, in the form of RFC 5424, and goes out as a datagram") {
    using namespace std::chrono;
    CHECK(format({.when = sys_days{2026y / January / 2} + 3h + 4min + 5s + 6ms,
                  .host = "10.0.0.2",
                  .program = "web server",
                  .kind = "access",
                  .text = "GET /\n<13>forged"}) ==
          "<134>1 2026-01-02T03:04:05.006Z 10.0.0.2 web_server - access - GET / <13>forged");
    CHECK(format({.facility = facility::daemon, .severity = severity::error}) ==
          "<27>1 1970-01-01T00:00:00.000Z - - - - - ");
    const std::string longest(5000, 'x');
    CHECK(format({.text = longest}).size() == 1024);

    stack_world world;
    auto socket = world.stack.udp().bind(5140).value();
    auto log = syslog::open(world.stack, {"127.0.0.1"_ip, 5140}, "host", "program");
    REQUIRE(log);
    log->send(severity::notice, "kind", "text");
    auto heard = socket.receive_from(fiber::within(1s));
    REQUIRE(heard);
    const auto text = heard->payload.linearize(heard->payload.size());
    REQUIRE(text);
    CHECK(as_text(*text).starts_with("<133>1 "));
    CHECK(as_text(*text).ends_with("Z host program - kind - text"));
    CHECK(log->lost() == 0);
}

TEST_CASE("syslog: a server that cannot be reached loses messages, and can be reached later") {
    stack_world world;
    const endpoint collector{"10.77.0.1"_ip, 5140};
    auto log = syslog::open(world.stack, collector, "host", "program");
    REQUIRE(log);
    log->send(severity::notice, "kind", "lost");
    CHECK(log->lost() == 1);
    auto socket = world.stack.udp().bind(5140).value();
    REQUIRE(world.stack.configure("10.77.0.1/24"));
    log->send(severity::notice, "kind", "heard");
    const auto heard = socket.receive_from(fiber::within(1s));
    REQUIRE(heard);
    CHECK(log->lost() == 1);
}

result<network_words> words(std::initializer_list<const char*> all) {
    return network_words::read({all.begin(), all.size()});
}

TEST_CASE("command line: an address, a gateway, name servers, and words of the program's own") {
    const auto none = words({"hello", "ipx=3", ""}).value();
    CHECK(none.dhcp);
    CHECK_FALSE(none.address);
    CHECK(words({"ip=dhcp"})->dhcp);

    const auto all = words({"x", "ip=10.0.1.5/24", "dns=10.0.1.1,10.0.1.2", "gw=10.0.1.1"}).value();
    CHECK_FALSE(all.dhcp);
    CHECK(all.address == interface_address{"10.0.1.5"_ip, 24});
    CHECK(all.gateway == "10.0.1.1"_ip);
    CHECK(all.name_servers == std::vector{"10.0.1.1"_ip, "10.0.1.2"_ip});

    const auto both = words({"ip=dhcp,10.0.1.5/24"}).value();
    CHECK(both.dhcp);
    CHECK(both.address == interface_address{"10.0.1.5"_ip, 24});
    CHECK(words({"ip=10.0.1.5/24", "ip=dhcp"})->dhcp);
    CHECK_FALSE(words({"ip=10.0.1.5/24", "ip=dhcp"})->address);
}

TEST_CASE("command line: a wrong word is named") {
    for (const char* const word : {"ip=", "ip=10.0.1.5", "ip=10.0.1.5/33", "ip=dhcp,", "ip=dhcp10.0.1.5/24",
                                   "gw=10.0.1", "dns=", "dns=10.0.1.1,", "dns=10.0.1.1,,10.0.1.2"}) {
        CAPTURE(word);
        const auto read = words({"ip=10.0.1.9/24", word});
        REQUIRE_FALSE(read);
        CHECK(read.error().code().category() == address_category());
        CHECK(read.error().subject() == word);
    }
    CHECK(words({"gw=10.0.1.1"}).error().message() == "read gw=10.0.1.1: Invalid argument");
    CHECK(words({"ip=dhcp", "dns=10.0.1.1"}).error().code() == std::errc::invalid_argument);
}

TEST_CASE("command line: without DHCP the address is there at once, with its gateway and name servers") {
    stack_world net{{.announcements = 0}};
    const std::array arguments{"ip=10.0.0.2/24", "gw=10.0.0.1", "dns=10.0.0.1"};
    const auto done = configure(net.stack, arguments).value();
    CHECK(done.address == interface_address{us, 24});
    CHECK_FALSE(done.lease);
    CHECK(net.stack.find_path("192.0.2.1"_ip)->next_hop == gateway);
    CHECK(net.stack.name_service().servers == std::vector<ip_address>{gateway});
    const std::array far{"ip=10.0.0.3/24", "gw=10.9.0.1"};
    CHECK(configure(net.stack, far).error().code() == std::errc::network_unreachable);
}

constexpr std::array dhcp_or_ours{"ip=dhcp,10.0.0.2/24"};

TEST_CASE("command line: a DHCP server's address goes before the other") {
    dhcp_world net;
    auto configured = fiber::spawn([&] { return configure(net.stack, dhcp_or_ours); });
    net.reply(net.asked(dhcpv4_type::discover), dhcpv4_type::offer);
    net.reply(net.asked(dhcpv4_type::request), dhcpv4_type::ack);
    pass(1s);
    const auto done = configured.join().value();
    CHECK(done.address == interface_address{offered, 24});
    CHECK(done.lease.value().server == server);
}

TEST_CASE("command line: when no DHCP server answers, the other address is there, and stays") {
    dhcp_world net;
    auto configured = fiber::spawn([&] { return configure(net.stack, dhcp_or_ours); });
    pass(dhcp_patience + 1s);
    CHECK(configured.join().value().address == interface_address{us, 24});
    CHECK(net.state() == dhcp_state::stopped);
    net.heard.clear();
    pass(100s);
    CHECK(net.silent() == 0);
}

TEST_CASE("command line: whoever has less time than a DHCP server is told so") {
    dhcp_world net;
    CHECK(configure(net.stack, dhcp_or_ours, fiber::within(5s)).error().code() == std::errc::timed_out);
    CHECK_FALSE(net.nic().has(us));
}

}  // namespace
