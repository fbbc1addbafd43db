// SPDX-License-Identifier: BSD-3-Clause
#include "net/packets.hpp"

#include <halvm/net/wire/dhcpv4.hpp>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using namespace halvm::net::wire;
using namespace halvm::test;
using namespace std::chrono_literals;

std::string text_in(const dhcpv4_view& view, dhcpv4_option code) {
    std::array<char, 600> room{};
    return std::string{view.text(code, room)};
}

// A good message whose options are those of `hex`, behind the message type.
packet message_with(std::string_view hex) {
    packet made = first(behind(42, captured::dhcp_ack), 240);
    return joined(joined(made, from_hex("350105")), from_hex(hex));
}

TEST_CASE("dhcpv4: RFC 2131 2: a captured ACK of dnsmasq's, with all that was asked for") {
    const packet data = behind(42, captured::dhcp_ack);
    const auto view = dhcpv4_view::parse(data).value();
    CHECK(view.type() == dhcpv4_type::ack);
    CHECK(view.is_reply());
    CHECK(view.transaction() == 0xc0db3e1e);
    CHECK(view.hardware_address() == "02:00:00:00:00:0a"_mac);
    CHECK(view.own_address() == "192.0.2.103"_ipv4);
    CHECK(view.client_address().is_unspecified());
    CHECK(view.relay().is_unspecified());
    CHECK(view.server_identifier() == "192.0.2.1"_ipv4);
    CHECK(view.prefix_length() == 24);
    CHECK(view.lease_time() == dhcpv4_seconds{3600});
    CHECK(view.renewal_time().value() < view.rebinding_time().value());
    CHECK(view.mtu() == 1400);
    CHECK(view.name_servers().size() == 2);
    CHECK(view.name_servers()[0] == "192.0.2.1"_ipv4);
    CHECK(view.name_servers()[1] == "192.0.2.2"_ipv4);
    CHECK(text_in(view, dhcpv4_option::domain_name) == "example.org");
    CHECK(view.requested_address() == std::nullopt);
    CHECK(text_of(view) ==
          "DHCP ack, xid 0xc0db3e1e, 02:00:00:00:00:0a, own 192.0.2.103, server 192.0.2.1, lease 3600 s");
}

TEST_CASE("dhcpv4: RFC 3442: the captured classless routes") {
    const packet data = behind(42, captured::dhcp_ack);
    const auto routes = dhcpv4_view::parse(data).value().classless_routes();
    auto route = routes.begin();
    CHECK(*route == dhcpv4_route{"10.0.0.0/8"_prefix, "192.0.2.1"_ipv4});
    ++route;
    CHECK(*route == dhcpv4_route{"0.0.0.0/0"_prefix, "192.0.2.1"_ipv4});
    CHECK(++route == routes.end());
}

TEST_CASE("dhcpv4: RFC 3442: each example's descriptor, and bits behind the prefix, which do not count") {
    const packet exact = message_with(
        "79 34 00 0a0b0c01 08 0a 0a0b0c01 18 0a0000 0a0b0c01 10 0a11 0a0b0c01 "
        "18 0a1b81 0a0b0c01 19 0a1b81ff 0a0b0c01 20 0a62c801 00000000 ff");
    const auto routes = dhcpv4_view::parse(exact).value().classless_routes();
    std::vector<std::string> texts;
    for (const dhcpv4_route& route : routes)
        texts.emplace_back(route.destination.to_text());
    CHECK(texts == std::vector<std::string>{"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.17.0.0/16", "10.27.129.0/24",
                                            "10.27.129.128/25", "10.98.200.1/32"});
}

TEST_CASE("dhcpv4: RFC 3442: malformed routes are no routes, and the rest of the message stands") {
    for (const char* hex :
         {"79 04 00 0a0b0c", "79 05 21 0a0b0c01", "79 05 08 0a 0a0b0c", "79 00", "79 06 00 0a0b0c01 08"}) {
        const packet data = message_with(std::string{hex} + "ff");
        const auto view = dhcpv4_view::parse(data).value();
        CHECK(view.classless_routes().empty());
        CHECK(view.classless_routes().begin() == view.classless_routes().end());
        CHECK(view.type() == dhcpv4_type::ack);
    }
}

TEST_CASE("dhcpv4: RFC 2132: captured messages of two clients") {
    const packet isc = behind(42, captured::dhcp_request), busybox = behind(42, captured::dhcp_discover_of_busybox);
    const auto request = dhcpv4_view::parse(isc).value();
    CHECK(request.type() == dhcpv4_type::request);
    CHECK_FALSE(request.is_reply());
    CHECK(request.requested_address() == "192.0.2.103"_ipv4);
    CHECK(request.server_identifier() == "192.0.2.1"_ipv4);
    CHECK(text_in(request, dhcpv4_option::host_name) == "halvm-test");
    const auto discover = dhcpv4_view::parse(busybox).value();
    CHECK(discover.type() == dhcpv4_type::discover);
    CHECK(discover.maximum_size() == 576);
    CHECK(text_in(discover, dhcpv4_option::host_name) == "bb");
    CHECK(discover.option(dhcpv4_option::client_identifier).value().size() == 7);
    CHECK(discover.option(dhcpv4_option::parameter_list).value()[0] == 1);
    CHECK(discover.routers().empty());
}

TEST_CASE("dhcpv4: what is no DHCP for Ethernet is refused") {
    const packet data = behind(42, captured::dhcp_ack);
    for (std::size_t size = 0; size < 240; ++size)
        CHECK(refusal<dhcpv4_view>(first(data, size)) == wire_errc::truncated);
    CHECK(refusal<dhcpv4_view>(with(data, 0, {0})) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(with(data, 0, {3})) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(with(data, 1, {6})) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(with(data, 2, {16})) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(with(data, 236, {0x63, 0x82, 0x53, 0x64})) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(first(data, 240)) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(joined(data, packet(4096))) == wire_errc::bad_length);
}

TEST_CASE("dhcpv4: RFC 2132 2: options that do not end within the message are refused") {
    CHECK(refusal<dhcpv4_view>(message_with("36 04 c00002")) == wire_errc::bad_option);
    CHECK(refusal<dhcpv4_view>(message_with("36")) == wire_errc::bad_option);
    CHECK(refusal<dhcpv4_view>(message_with("00 00 36 ff")) == wire_errc::bad_option);
    // Without an end, behind it, and with padding between.
    CHECK(dhcpv4_view::parse(message_with("36 04 c0000201")).value().server_identifier() == "192.0.2.1"_ipv4);
    CHECK(dhcpv4_view::parse(message_with("ff 36 04 c0000201")).value().server_identifier() == std::nullopt);
    CHECK(dhcpv4_view::parse(message_with("00 00 36 04 c0000201 ff")).value().server_identifier().has_value());
}

TEST_CASE("dhcpv4: RFC 2132 9.6: a message type is needed") {
    packet data = first(behind(42, captured::dhcp_ack), 240);
    CHECK(refusal<dhcpv4_view>(joined(data, from_hex("ff"))) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(joined(data, from_hex("350100ff"))) == wire_errc::bad_type);
    CHECK(refusal<dhcpv4_view>(joined(data, from_hex("35020505ff"))) == wire_errc::bad_type);
    CHECK(text_of(dhcpv4_view::parse(joined(data, from_hex("35010dff"))).value()).starts_with("DHCP type 13"));
}

TEST_CASE("dhcpv4: RFC 2132 3 to 9: options of a wrong length or value are as if they were not there") {
    const auto in = [](std::string_view hex, auto read) {
        const packet data = message_with(std::string{hex} + "ff");
        return read(dhcpv4_view::parse(data).value());
    };
    const auto prefix = [](const dhcpv4_view& view) { return view.prefix_length(); };
    CHECK(in("01 04 ffffff00", prefix) == 24);
    CHECK(in("01 04 ff00ff00", prefix) == std::nullopt);
    CHECK(in("01 03 ffffff", prefix) == std::nullopt);
    const auto mtu = [](const dhcpv4_view& view) { return view.mtu(); };
    CHECK(in("1a 02 0044", mtu) == 68);
    CHECK(in("1a 02 0043", mtu) == std::nullopt);
    CHECK(in("1a 01 44", mtu) == std::nullopt);
    const auto greatest = [](const dhcpv4_view& view) { return view.maximum_size(); };
    CHECK(in("39 02 0240", greatest) == 576);
    CHECK(in("39 02 023f", greatest) == std::nullopt);
    const auto routers = [](const dhcpv4_view& view) { return view.routers().size(); };
    CHECK(in("03 08 c0000201 c0000202", routers) == 2);
    CHECK(in("03 07 c0000201 c00002", routers) == 0);
    CHECK(in("03 00", routers) == 0);
    const auto lease = [](const dhcpv4_view& view) { return view.lease_time(); };
    CHECK(in("33 04 ffffffff", lease) == dhcpv4_forever);
    CHECK(in("33 03 ffffff", lease) == std::nullopt);
    const auto name = [](const dhcpv4_view& view) { return text_in(view, dhcpv4_option::domain_name); };
    CHECK(in("0f 05 6162630000", name) == "abc");
    CHECK(in("0f 02 0000", name).empty());
}

TEST_CASE("dhcpv4: RFC 3396 5: the pieces of a split option are one") {
    const packet data = message_with("0f 03 657861 06 03 c00002 0f 04 6d706c65 06 05 01c0000202 ff");
    const auto view = dhcpv4_view::parse(data).value();
    CHECK(text_in(view, dhcpv4_option::domain_name) == "example");
    CHECK(view.name_servers().size() == 2);
    CHECK(view.name_servers()[0] == "192.0.2.1"_ipv4);
    CHECK(view.name_servers()[1] == "192.0.2.2"_ipv4);
    std::array<char, 4> small{};
    CHECK(view.text(dhcpv4_option::domain_name, small) == "exam");
}

TEST_CASE("dhcpv4: RFC 2131 4.1, RFC 3396 5: options go on in the file's, then in the server's name") {
    packet data = message_with("34 01 03 0f 02 6162 ff");
    const auto put = [&data](std::size_t at, std::string_view hex) {
        const packet more = from_hex(hex);
        std::copy(more.begin(), more.end(), data.begin() + static_cast<std::ptrdiff_t>(at));
    };
    put(dhcpv4_field::file, "0f 02 6364 36 04 c0000201 ff");
    put(dhcpv4_field::server_name, "0f 02 6566 ff");
    CHECK(text_in(dhcpv4_view::parse(data).value(), dhcpv4_option::domain_name) == "abcdef");
    CHECK(dhcpv4_view::parse(data).value().server_identifier() == "192.0.2.1"_ipv4);
    const std::size_t overload = 240 + 3 + 2;
    CHECK(text_in(dhcpv4_view::parse(with(data, overload, {1})).value(), dhcpv4_option::domain_name) == "abcd");
    CHECK(text_in(dhcpv4_view::parse(with(data, overload, {2})).value(), dhcpv4_option::domain_name) == "abef");
    CHECK(refusal<dhcpv4_view>(with(data, overload, {0})) == wire_errc::bad_option);
    CHECK(refusal<dhcpv4_view>(with(data, overload, {4})) == wire_errc::bad_option);
    put(dhcpv4_field::file, "0f 7f");
    CHECK(refusal<dhcpv4_view>(data) == wire_errc::bad_option);
    // It does not go on into the next field.
    put(dhcpv4_field::server_name, "0f 40");
    put(dhcpv4_field::file, "ff");
    CHECK(refusal<dhcpv4_view>(data) == wire_errc::bad_option);
}

TEST_CASE("dhcpv4: RFC 2131 4.4.1: a request as we send it, of at least 300 bytes") {
    const std::array wanted{dhcpv4_option::subnet_mask, dhcpv4_option::routers, dhcpv4_option::classless_routes};
    const packet identifier = from_hex("01 020000000001");
    const dhcpv4_message request{.type = dhcpv4_type::request,
                                 .transaction = 0x12345678,
                                 .hardware_address = "02:00:00:00:00:01"_mac,
                                 .seconds = 3,
                                 .wants_broadcast = true,
                                 .server_identifier = "192.0.2.1"_ipv4,
                                 .requested_address = "192.0.2.7"_ipv4,
                                 .maximum_size = 1500,
                                 .client_identifier = identifier,
                                 .host_name = "host",
                                 .parameter_list = wanted};
    CHECK(request.size() == 300);
    packet data(request.size(), std::byte{0xee});
    request.write(data);
    const auto view = dhcpv4_view::parse(data).value();
    CHECK_FALSE(view.is_reply());
    CHECK(view.type() == dhcpv4_type::request);
    CHECK(view.transaction() == 0x12345678);
    CHECK(view.seconds() == 3);
    CHECK(view.wants_broadcast());
    CHECK(view.requested_address() == "192.0.2.7"_ipv4);
    CHECK(view.server_identifier() == "192.0.2.1"_ipv4);
    CHECK(view.maximum_size() == 1500);
    CHECK(text_in(view, dhcpv4_option::host_name) == "host");
    CHECK(view.option(dhcpv4_option::parameter_list).value().size() == 3);
    CHECK(view.option(dhcpv4_option::client_identifier).value().size() == 7);
    CHECK(text_of(view) == "DHCP request, xid 0x12345678, 02:00:00:00:00:01, requested 192.0.2.7, server 192.0.2.1");
}

TEST_CASE("dhcpv4: RFC 3396 4: what is longer than an option is sent in pieces") {
    const std::string name(300, 'n');
    const std::vector<ipv4_address> servers(70, "192.0.2.1"_ipv4);
    const std::vector<dhcpv4_route> routes(40, {"198.51.100.0/24"_prefix, "192.0.2.1"_ipv4});
    const dhcpv4_message offer{.type = dhcpv4_type::offer,
                               .prefix_length = 24,
                               .lease_time = dhcpv4_forever,
                               .domain_name = name,
                               .name_servers = servers,
                               .classless_routes = routes};
    packet data(offer.size());
    offer.write(data);
    const auto view = dhcpv4_view::parse(data).value();
    CHECK(view.is_reply());
    CHECK(text_in(view, dhcpv4_option::domain_name) == name);
    CHECK(view.name_servers().size() == 70);
    CHECK(view.name_servers()[69] == "192.0.2.1"_ipv4);
    std::size_t count = 0;
    for (const dhcpv4_route& route : view.classless_routes())
        count += route == routes[0] ? 1 : 0;
    CHECK(count == 40);
    CHECK(view.lease_time() == dhcpv4_forever);
}

}  // namespace
