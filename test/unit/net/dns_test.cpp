// SPDX-License-Identifier: BSD-3-Clause
#include "net/packets.hpp"

#include <halvm/net/wire/dns.hpp>

namespace {

using namespace halvm;
using namespace halvm::net;
using namespace halvm::net::literals;
using namespace halvm::net::wire;
using namespace halvm::test;
using namespace std::chrono_literals;

dns_name name(std::string_view text) { return dns_name::parse(text).value(); }

TEST_CASE("dns_name: RFC 1035 3.1: labels and limits") {
    CHECK(text_of(name("www.example.org")) == "www.example.org.");
    CHECK(text_of(name("www.example.org.")) == "www.example.org.");
    CHECK(text_of(name(".")) == ".");
    CHECK(name(".").is_root());
    CHECK(name("www.example.org").size() == 17);
    const std::string label(63, 'a');
    CHECK(dns_name::parse(label).has_value());
    CHECK(dns_name::parse(label + "a").error().code() == wire_errc::bad_name);
    // 3 * 64 + 62 + 1 = 255
    const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
    CHECK(name(longest).size() == 255);
    CHECK(dns_name::parse(longest + "a").error().code() == wire_errc::bad_name);
    for (const char* wrong : {"", "..", ".org", "a..b", "a.b..", "a\\", "a\\1", "a\\12", "a\\256", "a\\25x"})
        CHECK_MESSAGE(!dns_name::parse(wrong), wrong);
}

TEST_CASE("dns_name: RFC 1035 5.1: escapes, both ways") {
    CHECK(text_of(name("a\\.b.c")) == "a\\.b.c.");
    CHECK(name("a\\.b.c").size() == 7);
    CHECK(text_of(name("\\046\\000\\255\\\\x")) == "\\.\\000\\255\\\\x.");
    CHECK(name("\\097") == name("a"));
}

TEST_CASE("dns_name: RFC 4343 3: letters of ASCII are compared without their case") {
    CHECK(name("WWW.Example.ORG") == name("www.example.org"));
    CHECK_FALSE(name("www.example.org") == name("www.example.com"));
    CHECK_FALSE(name("a.bc") == name("ab.c"));
    CHECK_FALSE(name("\\192") == name("\\224"));
    CHECK_FALSE(name("[") == name("{"));
}

TEST_CASE("dns_name: RFC 1035 3.5, RFC 3596 2.5: names for addresses") {
    CHECK(dns_name::reverse_of("192.0.2.80"_ip) == name("80.2.0.192.in-addr.arpa"));
    CHECK(dns_name::reverse_of("4321:0:1:2:3:4:567:89ab"_ip) ==
          name("b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"));
}

TEST_CASE("dns: RFC 1035 4.1: captured queries, and the same bytes from their values") {
    const packet data = behind(42, captured::dns_a_query);
    const auto view = dns_view::parse(data).value();
    CHECK_FALSE(view.is_response());
    CHECK(view.id() == 0x1001);
    CHECK(view.wants_recursion());
    CHECK(view.questions().size() == 1);
    const auto question = *view.questions().begin();
    CHECK(question.name() == name("www.example.org"));
    CHECK(question.type() == dns_type::a);
    CHECK(question.klass() == dns_class::internet);
    CHECK(text_of(view) == "DNS query 4097+, A? www.example.org.");
    const dns_query ours{.id = 0x1001, .name = name("www.example.org")};
    packet written(ours.size());
    ours.write(written);
    CHECK(written == data);
}

TEST_CASE("dns: RFC 1035 3.4.1, RFC 3596 2.2: captured addresses") {
    const packet four = behind(42, captured::dns_a_response), six = behind(42, captured::dns_aaaa_response);
    const auto a = dns_view::parse(four).value();
    CHECK(a.is_response());
    CHECK(a.is_authoritative());
    CHECK(a.offers_recursion());
    CHECK_FALSE(a.is_truncated());
    CHECK(a.code() == dns_code::no_error);
    const auto record = *a.answers().begin();
    CHECK(record.name() == name("www.example.org"));
    CHECK(record.ipv4() == "192.0.2.80"_ipv4);
    CHECK(record.ipv6() == std::nullopt);
    CHECK(record.target() == std::nullopt);
    CHECK(record.ttl() == 0s);
    CHECK(text_of(a) == "DNS response 4097*, A? www.example.org., 1/0/0, A 192.0.2.80");
    CHECK((*dns_view::parse(six).value().answers().begin()).ipv6() == "2001:db8::80"_ipv6);
}

TEST_CASE("dns: RFC 1035 3.3: captured CNAME chain, PTR, SOA and records of other types") {
    const packet chain = behind(42, captured::dns_cname_response);
    const auto view = dns_view::parse(chain).value();
    CHECK(view.answers().size() == 2);
    CHECK(text_of(view) == "DNS response 4099*, A? alias.example.org., 2/0/0, CNAME www.example.org., A 192.0.2.80");
    CHECK((*view.answers().begin()).target().value() == name("www.example.org"));
    CHECK((*++view.answers().begin()).name() == name("www.example.org"));

    const packet reverse = behind(42, captured::dns_ptr_response);
    CHECK((*dns_view::parse(reverse).value().answers().begin()).target().value() == name("www.example.org"));

    const packet zone = behind(42, captured::dns_soa_response);
    const auto soa = (*dns_view::parse(zone).value().answers().begin()).soa().value();
    CHECK(soa.server == name("ns.example.net"));
    CHECK(soa.mailbox == name("admin.example.net"));
    CHECK(soa.serial == 2026112303);
    CHECK(soa.refresh == 1200s);
    CHECK(soa.retry == 120s);
    CHECK(soa.expire == 1209600s);
    CHECK(soa.minimum == 600s);

    const packet mail = behind(42, captured::dns_mx_response);
    CHECK((*dns_view::parse(mail).value().answers().begin()).type() == dns_type::mx);
    CHECK((*dns_view::parse(mail).value().answers().begin()).data().size() == 20);
    const packet chaos = behind(42, captured::dns_txt_chaos_response);
    CHECK(static_cast<unsigned>((*dns_view::parse(chaos).value().answers().begin()).klass()) == 3);
    const packet none = behind(42, captured::dns_nxdomain_response);
    CHECK(dns_view::parse(none).value().code() == dns_code::name_error);
    CHECK(text_of(dns_view::parse(none).value()) == "DNS response 4101, no such name, A? nope.example.org., 0/0/0");
}

TEST_CASE("dns: RFC 5452 9.1: only a response to just this question is its answer") {
    const packet data = behind(42, captured::dns_a_response);
    const dns_query asked{.id = 0x1001, .name = name("WWW.example.ORG")};
    CHECK(asked.is_answered_by(dns_view::parse(data).value()));
    CHECK_FALSE(asked.is_answered_by(dns_view::parse(behind(42, captured::dns_a_query)).value()));
    CHECK_FALSE(asked.is_answered_by(dns_view::parse(with(data, 0, {0x10, 0x02})).value()));
    CHECK_FALSE(asked.is_answered_by(dns_view::parse(with(data, 2, {0x8d})).value()));
    CHECK_FALSE(asked.is_answered_by(dns_view::parse(with(data, 13, {'v'})).value()));
    CHECK_FALSE(
        dns_query{0x1001, name("www.example.org"), dns_type::aaaa}.is_answered_by(dns_view::parse(data).value()));
    CHECK_FALSE(dns_query{0x1001, name("www.example.com")}.is_answered_by(dns_view::parse(data).value()));
}

TEST_CASE("dns: every truncation of every captured message is refused") {
    for (const captured::frame& frame : captured::frames) {
        if (!frame.name.starts_with("dns_"))
            continue;
        const packet data = behind(42, frame);
        CHECK(dns_view::parse(data).has_value());
        for (std::size_t size = 0; size < data.size(); ++size)
            CHECK_FALSE(dns_view::parse(first(data, size)).has_value());
        CHECK(refusal<dns_view>(joined(data, packet(1))) == wire_errc::bad_length);
    }
}

packet question_at_12(std::string_view name_hex) {
    return joined(from_hex("1001 0100 0001 0000 0000 0000"), from_hex(std::string{name_hex} + "00010001"));
}

TEST_CASE("dns: RFC 1035 4.1.4: pointers go backwards only, and not into the header") {
    CHECK(refusal<dns_view>(question_at_12("c00c")) == wire_errc::bad_name);        // itself
    CHECK(refusal<dns_view>(question_at_12("01 61 c00c")) == wire_errc::bad_name);  // its own label
    CHECK(refusal<dns_view>(question_at_12("c00e 00")) == wire_errc::bad_name);     // forwards
    CHECK(refusal<dns_view>(question_at_12("c000")) == wire_errc::bad_name);        // the header
    CHECK(refusal<dns_view>(question_at_12("ffff")) == wire_errc::bad_name);
    CHECK(refusal<dns_view>(question_at_12("40 00")) == wire_errc::bad_name);  // reserved kinds of labels
    CHECK(refusal<dns_view>(question_at_12("80 00")) == wire_errc::bad_name);
    CHECK(refusal<dns_view>(first(question_at_12("c0"), 13)) == wire_errc::truncated);
    CHECK(dns_view::parse(question_at_12("01 61 00")).has_value());
}

TEST_CASE("dns: RFC 1035 4.1.4: a chain of pointers is followed, but not without end") {
    // The first question is "a", the second points to it, and each further one to the one before.
    const auto chain = [](unsigned pointers) {
        packet data = from_hex("1001 0100 0000 0000 0000 0000 01 61 00 0001 0001");
        std::size_t target = 12;
        for (unsigned at = 0; at < pointers; ++at) {
            packet question(6);
            store16(question, 0, static_cast<std::uint16_t>(0xc000 | target));
            store16(question, 2, 1);
            store16(question, 4, 1);
            target = data.size();
            data = joined(data, question);
        }
        store16(data, 4, static_cast<std::uint16_t>(pointers + 1));
        return data;
    };
    CHECK(dns_view::parse(chain(127)).has_value());
    CHECK(refusal<dns_view>(chain(128)) == wire_errc::bad_name);
}

TEST_CASE("dns: RFC 1035 2.3.4: a name that pointers make longer than 255 bytes is refused") {
    const auto doubled = [](unsigned last) {
        packet data = from_hex("1001 0100 0002 0000 0000 0000");
        const packet label = joined(from_hex("3f"), packet(63, std::byte{'a'}));
        data = joined(joined(joined(data, label), label), from_hex("00 0001 0001"));
        data = joined(data, label);
        data = joined(joined(data, {from_hex(last == 61 ? "3d" : "3e")}), packet(last, std::byte{'b'}));
        return joined(data, from_hex("c00c 0001 0001"));
    };
    CHECK(dns_view::parse(doubled(61)).has_value());
    CHECK(refusal<dns_view>(doubled(62)) == wire_errc::bad_name);
}

packet answer(std::string_view hex) { return joined(from_hex("1001 8180 0000 0001 0000 0000"), from_hex(hex)); }

TEST_CASE("dns: RFC 1035 3.2.1: data that do not fit their type are refused") {
    CHECK(dns_view::parse(answer("00 0001 0001 00000e10 0004 c0000201")).has_value());
    CHECK(refusal<dns_view>(answer("00 0001 0001 00000e10 0003 c00002")) == wire_errc::bad_length);
    CHECK(refusal<dns_view>(answer("00 0001 0001 00000e10 0005 c000020100")) == wire_errc::bad_length);
    CHECK(refusal<dns_view>(answer("00 0001 0001 00000e10 0004 c00002")) == wire_errc::truncated);
    CHECK(refusal<dns_view>(answer("00 0001 0001 00000e10 00")) == wire_errc::truncated);
    CHECK(refusal<dns_view>(answer("00 001c 0001 00000e10 0004 c0000201")) == wire_errc::bad_length);
    // Another class's A record has another form.
    CHECK(dns_view::parse(answer("00 0001 0003 00000e10 0003 c00002")).has_value());
    CHECK((*dns_view::parse(answer("00 0001 0003 00000e10 0004 c0000201")).value().answers().begin()).ipv4() ==
          std::nullopt);
    // A name ends before, and behind, its data.
    CHECK(dns_view::parse(answer("00 0005 0001 00000e10 0003 016100")).has_value());
    CHECK(refusal<dns_view>(answer("00 0005 0001 00000e10 0004 01610000")) == wire_errc::bad_length);
    CHECK(refusal<dns_view>(answer("00 0005 0001 00000e10 0002 016100")) == wire_errc::truncated);
    CHECK(refusal<dns_view>(answer("00 0006 0001 00000e10 0002 0000")) == wire_errc::bad_length);
    CHECK(dns_view::parse(answer("00 0006 0001 00000e10 0016 0000 00000001 00000002 00000003 00000004 00000005"))
              .has_value());
}

TEST_CASE("dns: RFC 2181 8: a TTL with its highest bit set is zero") {
    const packet good = answer("00 0001 0001 7fffffff 0004 c0000201"),
                 odd = answer("00 0001 0001 80000001 0004 c0000201");
    CHECK((*dns_view::parse(good).value().answers().begin()).ttl() == 0x7fffffffs);
    CHECK((*dns_view::parse(odd).value().answers().begin()).ttl() == 0s);
}

TEST_CASE("dns: RFC 6891 6.1.1: an OPT record is passed over") {
    const packet data = joined(from_hex("1001 8380 0000 0000 0000 0001"), from_hex("00 0029 04d0 00000000 0000"));
    const auto view = dns_view::parse(data).value();
    CHECK(view.is_truncated());
    CHECK((*view.additionals().begin()).type() == dns_type::opt);
    CHECK(text_of(*view.additionals().begin()) == "OPT");
}

TEST_CASE("dns: counts that the message does not hold are refused") {
    const packet data = behind(42, captured::dns_a_response);
    CHECK(refusal<dns_view>(with(data, 4, {0xff, 0xff})).category() == wire_category());
    CHECK(refusal<dns_view>(with(data, 6, {0xff, 0xff})).category() == wire_category());
    CHECK(refusal<dns_view>(with(data, 10, {0, 1})) == wire_errc::truncated);
    CHECK(refusal<dns_view>(with(data, 6, {0, 0})) == wire_errc::bad_length);
}

}  // namespace
