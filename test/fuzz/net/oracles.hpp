// SPDX-License-Identifier: BSD-3-Clause
// What must hold for any bytes, one function a format. Each takes bytes as a parser gets them; what it accepts is read
// with every accessor, printed, made a value, written, and parsed again.
#pragma once

#include "fuzz.hpp"

#include <halvm/net/endpoint.hpp>
#include <halvm/net/pcap.hpp>
#include <halvm/net/wire/frame.hpp>

#include <functional>

namespace halvm::fuzz {

namespace wire = net::wire;
using namespace net::literals;

inline constexpr net::ip_address here = "192.0.2.1"_ip, there = "192.0.2.100"_ip;
inline constexpr net::ip_address here6 = "2001:db8::1"_ip, there6 = "2001:db8::2"_ip;

template <class View>
std::string text_of(const View& view) {
    std::array<char, 512> room{};
    text_sink out{room};
    describe(view, out);
    must(!out.view().empty() || out.is_cut(), "every view has a text");
    return std::string{out.view()};
}

inline void ethernet(const_bytes data) {
    const auto view = wire::ethernet_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    std::array<std::byte, wire::ethernet_header::size()> again{};
    wire::header_of(*view).write(again);
    must(std::equal(again.begin(), again.end(), data.begin()), "an Ethernet header is written as it was");
    if (const auto tag = wire::vlan_view::parse(view->payload())) {
        (void)text_of(*tag);
        must(tag->id() <= 4095 && tag->priority() <= 7, "a VLAN's numbers are in their ranges");
        must(tag->payload().size() + 4 == view->payload().size(), "a VLAN tag has 4 bytes");
    }
}

inline void arp(const_bytes data) {
    const auto view = wire::arp_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    std::array<std::byte, wire::arp_packet::size()> again{};
    wire::packet_of(*view).write(again);
    must(std::equal(again.begin(), again.end(), data.begin()), "an ARP packet is written as it was");
}

inline void ipv4(const_bytes data) {
    const auto view = wire::ipv4_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    (void)view->has_right_checksum();
    std::size_t seen = 0;
    for (const wire::option one : view->options())
        seen += one.data.size() + 2;
    must(seen <= view->option_area().size(), "options are within their area");
    const wire::ipv4_header header = header_of(*view);
    must(header.options.copied().area().size() <= header.options.area().size(), "a fragment has no more options");
    if (header.ttl == 0)
        return;
    input again(header.size() + view->payload().size());
    header.write(again, view->payload().size());
    std::copy(view->payload().begin(), view->payload().end(), again.end() - std::ssize(view->payload()));
    const auto second = wire::ipv4_view::parse(again);
    must(second && second->has_right_checksum() && header_of(*second) == header,
         "an IPv4 header is written and read as the same");
    must(second->payload().size() == view->payload().size(), "an IPv4 payload keeps its size");
}

inline void icmpv4(const_bytes data) {
    const auto view = wire::icmpv4_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    (void)view->has_right_checksum();
    (void)view->next_hop_mtu();
    if (view->is_error()) {
        const wire::icmpv4_quote quote = view->quote();
        (void)text_of(quote);
        (void)quote.tcp_sequence();
        (void)quote.identification();
        must(quote.payload().size() + 20 <= quote.total_length(), "a quote is not longer than what it quotes");
    }
    if (view->is_echo()) {
        const wire::icmpv4_echo echo = echo_of(*view);
        if (view->payload().size() > 65535 - 28)
            return;
        input again(wire::icmpv4_echo::size());
        echo.write(again, net::checksum{view->payload()});
        again.insert(again.end(), view->payload().begin(), view->payload().end());
        const auto second = wire::icmpv4_view::parse(again);
        must(second && second->has_right_checksum() && echo_of(*second) == echo,
             "an echo is written and read as the same");
    }
}

inline void udp(const_bytes data) {
    const auto view = wire::udp_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    (void)view->has_right_checksum(here6, there6);
    const wire::udp_header header = header_of(*view);
    if (header.destination_port == 0)
        return;
    for (const auto& [from, to] : {std::pair{here, there}, std::pair{here6, there6}}) {
        input again(wire::udp_header::size());
        header.write(again, from, to, net::checksum{view->payload()});
        again.insert(again.end(), view->payload().begin(), view->payload().end());
        const auto second = wire::udp_view::parse(again);
        must(second && second->has_checksum() && second->has_right_checksum(from, to) && header_of(*second) == header,
             "a UDP header is written and read as the same");
    }
}

inline void tcp(const_bytes data) {
    const auto view = wire::tcp_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    (void)view->has_right_checksum(here6, there6);
    const wire::tcp_header header = header_of(*view);
    must(view->sequence_length() >= view->payload().size(), "a segment takes its payload's room at least");
    // Others may pack options closer than we do.
    if (header.source_port == 0 || header.destination_port == 0 || header.options.size() > 40 ||
        header.size() + view->payload().size() > 65535)
        return;
    for (const auto& [from, to] : {std::pair{here, there}, std::pair{here6, there6}}) {
        input again(header.size());
        header.write(again, from, to, net::checksum{view->payload()});
        again.insert(again.end(), view->payload().begin(), view->payload().end());
        const auto second = wire::tcp_view::parse(again);
        must(second && second->has_right_checksum(from, to) && header_of(*second) == header,
             "a TCP header is written and read as the same");
    }
}

/// The part of a message that a value holds, its lists in memory of ours.
struct dhcpv4_copy {
    explicit dhcpv4_copy(const wire::dhcpv4_view& view) {
        for (std::size_t at = 0; at < view.routers().size(); ++at)
            routers.push_back(view.routers()[at]);
        for (std::size_t at = 0; at < view.name_servers().size(); ++at)
            name_servers.push_back(view.name_servers()[at]);
        for (const wire::dhcpv4_route& route : view.classless_routes())
            routes.push_back(route);
        value = {.type = view.type(),
                 .transaction = view.transaction(),
                 .hardware_address = view.hardware_address(),
                 .seconds = view.seconds(),
                 .wants_broadcast = view.wants_broadcast(),
                 .client_address = view.client_address(),
                 .own_address = view.own_address(),
                 .boot_server = view.boot_server(),
                 .relay = view.relay(),
                 .server_identifier = view.server_identifier(),
                 .requested_address = view.requested_address(),
                 .prefix_length = view.prefix_length(),
                 .lease_time = view.lease_time(),
                 .renewal_time = view.renewal_time(),
                 .rebinding_time = view.rebinding_time(),
                 .mtu = view.mtu(),
                 .maximum_size = view.maximum_size(),
                 .host_name = view.text(wire::dhcpv4_option::host_name, host_name),
                 .domain_name = view.text(wire::dhcpv4_option::domain_name, domain_name),
                 .message = view.text(wire::dhcpv4_option::message, message),
                 .routers = routers,
                 .name_servers = name_servers,
                 .classless_routes = routes};
        if (const auto identifier = view.option(wire::dhcpv4_option::client_identifier);
            identifier && identifier->size() >= 2) {
            client_identifier.resize(identifier->size());
            value.client_identifier = identifier->copy_to(client_identifier);
        }
        if (const auto list = view.option(wire::dhcpv4_option::parameter_list)) {
            for (std::size_t at = 0; at < list->size(); ++at)
                parameters.push_back(wire::dhcpv4_option{(*list)[at]});
            value.parameter_list = parameters;
        }
    }
    dhcpv4_copy(const dhcpv4_copy&) = delete;

    friend bool operator==(const dhcpv4_copy& left, const dhcpv4_copy& right) {
        const wire::dhcpv4_message &a = left.value, &b = right.value;
        return a.type == b.type && a.transaction == b.transaction && a.hardware_address == b.hardware_address &&
               a.seconds == b.seconds && a.wants_broadcast == b.wants_broadcast &&
               a.client_address == b.client_address && a.own_address == b.own_address &&
               a.boot_server == b.boot_server && a.relay == b.relay && a.server_identifier == b.server_identifier &&
               a.requested_address == b.requested_address && a.prefix_length == b.prefix_length &&
               a.lease_time == b.lease_time && a.renewal_time == b.renewal_time &&
               a.rebinding_time == b.rebinding_time && a.mtu == b.mtu && a.maximum_size == b.maximum_size &&
               a.host_name == b.host_name && a.domain_name == b.domain_name && a.message == b.message &&
               left.routers == right.routers && left.name_servers == right.name_servers &&
               left.routes == right.routes && left.client_identifier == right.client_identifier &&
               left.parameters == right.parameters;
    }

    std::array<char, 600> host_name{}, domain_name{}, message{};
    std::vector<net::ipv4_address> routers, name_servers;
    std::vector<wire::dhcpv4_route> routes;
    std::vector<wire::dhcpv4_option> parameters;
    input client_identifier;
    wire::dhcpv4_message value;
};

inline void dhcpv4(const_bytes data) {
    const auto view = wire::dhcpv4_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    const dhcpv4_copy first{*view};
    if (first.value.size() > wire::dhcpv4_field::greatest_message)
        return;
    input written(first.value.size());
    first.value.write(written);
    const exact_copy again{written};
    const auto second = wire::dhcpv4_view::parse(again);
    must(second.has_value() && dhcpv4_copy{*second} == first, "a DHCP message is written and read as the same");
}

inline void dns(const_bytes data) {
    const auto view = wire::dns_view::parse(data);
    if (!view)
        return;
    (void)text_of(*view);
    const auto check_name = [](const wire::dns_name_view& name) {
        const wire::dns_name whole = name.to_name();
        const std::string text = text_of(whole);
        must(text == text_of(name), "a name prints as its copy does");
        input message(wire::dns_field::size + whole.size());
        whole.write(bytes{message}.subspan(wire::dns_field::size));
        const auto plain = wire::dns_name_view::parse(message, wire::dns_field::size);
        must(plain && *plain == whole && plain->end() == message.size(), "a name is written and read as the same");
        if (text.size() < 512) {
            const auto read = wire::dns_name::parse(text);
            must(read && *read == whole, "a name's text is the name");
        }
    };
    std::size_t questions = 0;
    for (const wire::dns_question_view question : view->questions()) {
        ++questions;
        check_name(question.name());
        const wire::dns_query query{view->id(), question.name().to_name(), question.type(), question.klass()};
        input written(query.size());
        query.write(written);
        const auto asked = wire::dns_view::parse(written);
        must(asked && asked->questions().size() == 1 && !query.is_answered_by(*asked),
             "a query is no answer to itself");
        if (view->questions().size() == 1)
            must(query.is_answered_by(*view) == (view->is_response() && view->opcode() == 0),
                 "a response to the one question answers it");
    }
    must(questions == view->questions().size(), "all questions are seen");
    for (const auto& section : {view->answers(), view->authorities(), view->additionals()}) {
        std::size_t records = 0;
        for (const wire::dns_record_view record : section) {
            ++records;
            (void)text_of(record);
            must(record.ttl().count() >= 0, "a TTL is not negative");
            check_name(record.name());
            if (const auto target = record.target())
                check_name(*target);
            if (const auto soa = record.soa()) {
                check_name(soa->server);
                check_name(soa->mailbox);
            }
            (void)record.ipv4();
            (void)record.ipv6();
        }
        must(records == section.size(), "all records are seen");
    }
}

struct collecting_sink {
    input bytes;
    result<void> write(const_bytes more) {
        bytes.insert(bytes.end(), more.begin(), more.end());
        return {};
    }
};

inline void pcap(const_bytes data) {
    auto reader = net::pcap_reader::parse(data);
    if (!reader)
        return;
    collecting_sink sink;
    auto writer = net::pcap_writer<collecting_sink>::create(sink);
    std::vector<std::pair<net::capture_time, input>> packets;
    for (;;) {
        const auto packet = reader->next();
        if (!packet) {
            const auto after = reader->next();
            must(after.has_value() && !after->has_value(), "after an error there are no more packets");
            break;
        }
        if (!*packet)
            break;
        packets.emplace_back((*packet)->when, input{(*packet)->data.begin(), (*packet)->data.end()});
        must(writer->write((*packet)->when, (*packet)->data).has_value(), "a packet can be written");
    }
    auto again = net::pcap_reader::parse(sink.bytes);
    for (const auto& [when, kept] : packets) {
        const auto packet = again->next();
        must(packet && *packet && (*packet)->when == when && std::ranges::equal((*packet)->data, kept),
             "a packet is written and read as the same");
    }
    must(!*again->next(), "no packet is added");
}

inline void frame(const_bytes data) {
    std::array<char, 400> room{};
    text_sink out{room};
    wire::describe_frame(data, out);
    must(!out.view().empty(), "every frame has a text");
    for (const char one : out.view())
        must(one >= ' ' && one < 0x7f, "a frame's text is printable");
}

template <class Address>
void address_of(std::string_view text) {
    const auto parsed = Address::parse(text);
    if (!parsed)
        return;
    const auto canonical = parsed->to_text();
    const auto again = Address::parse(canonical);
    must(again && *again == *parsed && again->to_text().view() == canonical.view(),
         "an address's text is the address, and is canonical");
    if constexpr (requires { std::hash<Address>{}(*parsed); })
        must(std::hash<Address>{}(*parsed) == std::hash<Address>{}(*again), "equal addresses have one hash");
}

inline void address(const_bytes data) {
    const std::string_view text = as_text(data);
    address_of<mac_address>(text);
    address_of<net::ipv4_address>(text);
    address_of<net::ipv6_address>(text);
    address_of<net::ip_address>(text);
    address_of<net::ip_prefix>(text);
    address_of<net::interface_address>(text);
    address_of<net::endpoint>(text);
}

}  // namespace halvm::fuzz
