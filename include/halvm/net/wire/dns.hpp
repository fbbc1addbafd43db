// SPDX-License-Identifier: BSD-3-Clause
// Messages of the DNS, to read answers and to ask. [rfc1035 4] [rfc3596] [rfc5452]
#pragma once

#include <halvm/net/wire/dns_name.hpp>

#include <chrono>
#include <optional>

namespace halvm::net::wire {

enum class dns_type : std::uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    soa = 6,
    ptr = 12,
    mx = 15,
    txt = 16,
    aaaa = 28,
    opt = 41
};
enum class dns_class : std::uint16_t { internet = 1, any = 255 };
enum class dns_code : std::uint8_t {
    no_error = 0,
    format_error = 1,
    server_failure = 2,
    name_error = 3,  // there is no such name
    not_implemented = 4,
    refused = 5,
};

namespace dns_field {
inline constexpr std::uint16_t response = 0x8000, opcode = 0x7800, authoritative = 0x0400, truncated = 0x0200,
                               recursion_desired = 0x0100, recursion_available = 0x0080, code = 0x000f;
// Behind a name: in a question, and in a record.
inline constexpr std::size_t type = 0, klass = 2, question_size = 4, ttl = 4, data_length = 8, data = 10;
}  // namespace dns_field

inline constexpr std::uint16_t dns_port = 53;

class dns_question_view {
public:
    [[nodiscard]] constexpr dns_name_view name() const noexcept { return {message_, at_}; }
    [[nodiscard]] constexpr dns_type type() const noexcept {
        return dns_type{load16(message_, name().end() + dns_field::type)};
    }
    [[nodiscard]] constexpr dns_class klass() const noexcept {
        return dns_class{load16(message_, name().end() + dns_field::klass)};
    }

private:
    template <class Item>
    friend class dns_items;
    constexpr dns_question_view(const_bytes message, std::size_t at) noexcept : message_{message}, at_{at} {}
    [[nodiscard]] constexpr std::size_t end() const noexcept { return name().end() + dns_field::question_size; }

    const_bytes message_;
    std::size_t at_;
};

/// Who answers for a zone, and how long its word counts. [rfc1035 3.3.13]
struct dns_soa {
    dns_name_view server;
    dns_name_view mailbox;
    std::uint32_t serial;
    std::chrono::seconds refresh;
    std::chrono::seconds retry;
    std::chrono::seconds expire;
    std::chrono::seconds minimum;  // also how long it counts that a name is not there [rfc2308 5]
};

class dns_record_view {
public:
    [[nodiscard]] constexpr dns_name_view name() const noexcept { return {message_, at_}; }
    [[nodiscard]] constexpr dns_type type() const noexcept {
        return dns_type{load16(message_, fixed_ + dns_field::type)};
    }
    [[nodiscard]] constexpr dns_class klass() const noexcept {
        return dns_class{load16(message_, fixed_ + dns_field::klass)};
    }
    /// 0 when the highest bit is set. [rfc2181 8]
    [[nodiscard]] constexpr std::chrono::seconds ttl() const noexcept {
        const std::uint32_t ttl = load32(message_, fixed_ + dns_field::ttl);
        return std::chrono::seconds{ttl >> 31 != 0 ? 0 : ttl};
    }
    /// As it stands there; a name in it may point into the message.
    [[nodiscard]] constexpr const_bytes data() const noexcept {
        return message_.subspan(fixed_ + dns_field::data, load16(message_, fixed_ + dns_field::data_length));
    }

    /// Of an A record.
    [[nodiscard]] constexpr std::optional<ipv4_address> ipv4() const noexcept {
        if (type() != dns_type::a || klass() != dns_class::internet)
            return std::nullopt;
        return load_ipv4(data(), 0);
    }
    /// Of an AAAA record.
    [[nodiscard]] constexpr std::optional<ipv6_address> ipv6() const noexcept {
        if (type() != dns_type::aaaa || klass() != dns_class::internet)
            return std::nullopt;
        return load_ipv6(data(), 0);
    }
    /// What a CNAME, NS or PTR record names.
    [[nodiscard]] constexpr std::optional<dns_name_view> target() const noexcept {
        if (!holds_name(type()))
            return std::nullopt;
        return dns_name_view{message_, fixed_ + dns_field::data};
    }
    [[nodiscard]] constexpr std::optional<dns_soa> soa() const noexcept {
        if (type() != dns_type::soa)
            return std::nullopt;
        const dns_name_view server{message_, fixed_ + dns_field::data};
        const dns_name_view mailbox{message_, server.end()};
        const std::size_t at = mailbox.end();
        const auto seconds = [&](std::size_t from) { return std::chrono::seconds{load32(message_, from)}; };
        return dns_soa{server,          mailbox,          load32(message_, at), seconds(at + 4),
                       seconds(at + 8), seconds(at + 12), seconds(at + 16)};
    }

private:
    friend class dns_view;
    template <class Item>
    friend class dns_items;
    constexpr dns_record_view(const_bytes message, std::size_t at) noexcept
        : message_{message}, at_{at}, fixed_{name().end()} {}
    [[nodiscard]] constexpr std::size_t end() const noexcept { return fixed_ + dns_field::data + data().size(); }

    static constexpr bool holds_name(dns_type type) noexcept {
        return type == dns_type::cname || type == dns_type::ns || type == dns_type::ptr;
    }
    // Of what this is a record of, the data must be what its accessors read.
    [[nodiscard]] result<void> check_data() const noexcept {
        constexpr const char* attempted = "parse the data of a DNS record";
        const std::size_t begin = fixed_ + dns_field::data;
        const bool is_internet = klass() == dns_class::internet;
        if ((is_internet && type() == dns_type::a && data().size() != ipv4_address::size) ||
            (is_internet && type() == dns_type::aaaa && data().size() != ipv6_address::size))
            return wire_failure(wire_errc::bad_length, attempted);
        if (!holds_name(type()) && type() != dns_type::soa)
            return {};
        // A name in the data may lead out of it by a pointer only.
        const const_bytes until_end = message_.first(end());
        const auto first = dns_name_view::parse(until_end, begin);
        if (!first)
            return failure{first.error()};
        std::size_t at = first->end();
        if (type() == dns_type::soa) {
            const auto second = dns_name_view::parse(until_end, at);
            if (!second)
                return failure{second.error()};
            at = second->end() + 20;
        }
        if (at != end())
            return wire_failure(wire_errc::bad_length, attempted);
        return {};
    }

    const_bytes message_;
    std::size_t at_;
    std::size_t fixed_;  // where type, class, TTL and data stand
};

/// The questions or the records of one section.
template <class Item>
class dns_items {
public:
    class iterator {
    public:
        using value_type = Item;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() noexcept = default;
        constexpr Item operator*() const noexcept { return {message_, at_}; }
        constexpr iterator& operator++() noexcept {
            at_ = (**this).end();
            --left_;
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            const iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(const iterator& left, const iterator& right) noexcept {
            return left.left_ == right.left_;
        }

    private:
        friend class dns_items;
        constexpr iterator(const_bytes message, std::size_t at, std::size_t left) noexcept
            : message_{message}, at_{at}, left_{left} {}

        const_bytes message_;
        std::size_t at_ = 0;
        std::size_t left_ = 0;
    };

    [[nodiscard]] constexpr iterator begin() const noexcept { return {message_, at_, count_}; }
    [[nodiscard]] constexpr iterator end() const noexcept { return {}; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return count_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0; }

private:
    friend class dns_view;
    constexpr dns_items(const_bytes message, std::size_t at, std::size_t count) noexcept
        : message_{message}, at_{at}, count_{count} {}

    const_bytes message_;
    std::size_t at_;
    std::size_t count_;
};

class dns_view {
public:
    /// Every name, question and record is checked; records of unknown types, EDNS's too, are views without accessors
    /// of their own. Errors: truncated; bad_name; bad_length for data that do not fit their type and for bytes behind
    /// the last record.
    static result<dns_view> parse(const_bytes message) noexcept {
        constexpr const char* attempted = "parse a DNS message";
        if (message.size() < dns_field::size)
            return wire_failure(wire_errc::truncated, attempted);
        dns_view view{message};
        std::size_t at = dns_field::size;
        for (std::size_t left = load16(message, dns_field::questions); left != 0; --left) {
            const auto name = dns_name_view::parse(message, at);
            if (!name)
                return failure{name.error()};
            at = name->end() + dns_field::question_size;
            if (at > message.size())
                return wire_failure(wire_errc::truncated, attempted);
        }
        for (std::size_t section = 0; section < view.sections_.size(); ++section) {
            view.sections_[section] = at;
            for (std::size_t left = load16(message, dns_field::answers + 2 * section); left != 0; --left) {
                const auto name = dns_name_view::parse(message, at);
                if (!name)
                    return failure{name.error()};
                const std::size_t fixed = name->end();
                if (message.size() - fixed < dns_field::data ||
                    message.size() - fixed - dns_field::data < load16(message, fixed + dns_field::data_length))
                    return wire_failure(wire_errc::truncated, attempted);
                const dns_record_view record{message, at};
                if (const auto fits = record.check_data(); !fits)
                    return failure{fits.error()};
                at = record.end();
            }
        }
        if (at != message.size())
            return wire_failure(wire_errc::bad_length, attempted);
        return view;
    }

    [[nodiscard]] constexpr std::uint16_t id() const noexcept { return load16(message_, dns_field::id); }
    [[nodiscard]] constexpr bool is_response() const noexcept { return has(dns_field::response); }
    /// 0 is a standard query.
    [[nodiscard]] constexpr std::uint8_t opcode() const noexcept {
        return static_cast<std::uint8_t>((load16(message_, dns_field::flags) & dns_field::opcode) >> 11);
    }
    [[nodiscard]] constexpr bool is_authoritative() const noexcept { return has(dns_field::authoritative); }
    /// There is more, which TCP carries.
    [[nodiscard]] constexpr bool is_truncated() const noexcept { return has(dns_field::truncated); }
    [[nodiscard]] constexpr bool wants_recursion() const noexcept { return has(dns_field::recursion_desired); }
    [[nodiscard]] constexpr bool offers_recursion() const noexcept { return has(dns_field::recursion_available); }
    [[nodiscard]] constexpr dns_code code() const noexcept {
        return dns_code{static_cast<std::uint8_t>(load16(message_, dns_field::flags) & dns_field::code)};
    }

    [[nodiscard]] constexpr dns_items<dns_question_view> questions() const noexcept {
        return {message_, dns_field::size, load16(message_, dns_field::questions)};
    }
    [[nodiscard]] constexpr dns_items<dns_record_view> answers() const noexcept {
        return {message_, sections_[0], load16(message_, dns_field::answers)};
    }
    [[nodiscard]] constexpr dns_items<dns_record_view> authorities() const noexcept {
        return {message_, sections_[1], load16(message_, dns_field::authorities)};
    }
    [[nodiscard]] constexpr dns_items<dns_record_view> additionals() const noexcept {
        return {message_, sections_[2], load16(message_, dns_field::additionals)};
    }

private:
    constexpr explicit dns_view(const_bytes message) noexcept : message_{message} {}
    [[nodiscard]] constexpr bool has(std::uint16_t flag) const noexcept {
        return (load16(message_, dns_field::flags) & flag) != 0;
    }

    const_bytes message_;
    std::array<std::size_t, 3> sections_{};  // where answers, authorities and additionals begin
};

/// A standard query with one question.
struct dns_query {
    std::uint16_t id = 0;
    dns_name name{};
    dns_type type = dns_type::a;
    dns_class klass = dns_class::internet;
    bool wants_recursion = true;

    [[nodiscard]] constexpr std::size_t size() const noexcept {
        return dns_field::size + name.size() + dns_field::question_size;
    }

    /// Pre: `out` holds size() bytes.
    constexpr void write(bytes out) const noexcept {
        Expects(out.size() >= size());
        out = out.first(size());
        std::fill_n(out.begin(), dns_field::size, std::byte{});
        store16(out, dns_field::id, id);
        store16(out, dns_field::flags, wants_recursion ? dns_field::recursion_desired : 0);
        store16(out, dns_field::questions, 1);
        name.write(out.subspan(dns_field::size));
        store16(out, dns_field::size + name.size() + dns_field::type, static_cast<std::uint16_t>(type));
        store16(out, dns_field::size + name.size() + dns_field::klass, static_cast<std::uint16_t>(klass));
    }

    /// Whether `message` is a response to just this; where it came from, the socket must know. [rfc5452 9.1]
    [[nodiscard]] constexpr bool is_answered_by(const dns_view& message) const noexcept {
        if (!message.is_response() || message.opcode() != 0 || message.id() != id || message.questions().size() != 1)
            return false;
        const dns_question_view asked = *message.questions().begin();
        return asked.type() == type && asked.klass() == klass && asked.name() == name;
    }

    friend constexpr bool operator==(const dns_query&, const dns_query&) noexcept = default;
};

constexpr void describe(dns_type type, text_sink& out) noexcept {
    switch (type) {
    case dns_type::a: return out.text("A");
    case dns_type::ns: return out.text("NS");
    case dns_type::cname: return out.text("CNAME");
    case dns_type::soa: return out.text("SOA");
    case dns_type::ptr: return out.text("PTR");
    case dns_type::mx: return out.text("MX");
    case dns_type::txt: return out.text("TXT");
    case dns_type::aaaa: return out.text("AAAA");
    case dns_type::opt: return out.text("OPT");
    }
    out.text("TYPE");
    out.decimal(static_cast<std::uint16_t>(type));
}

/// "CNAME www.example.org." or, when it has no short text, "SOA".
constexpr void describe(const dns_record_view& record, text_sink& out) noexcept {
    describe(record.type(), out);
    if (const auto address = record.ipv4()) {
        out.character(' ');
        describe(*address, out);
    } else if (const auto wide = record.ipv6()) {
        out.character(' ');
        describe(*wide, out);
    } else if (const auto target = record.target()) {
        out.character(' ');
        describe(*target, out);
    }
}

/// "DNS query 4097+, A? www.example.org." or "DNS response 4097*, A? www.example.org., 1/0/0, A 192.0.2.80", where the
/// numbers count answers, authorities and additionals, and tcpdump's marks are * for authoritative, | for truncated
/// and + for recursion desired.
constexpr void describe(const dns_view& message, text_sink& out) noexcept {
    out.text(message.is_response() ? "DNS response " : "DNS query ");
    out.decimal(message.id());
    out.text(message.is_authoritative() ? "*" : "");
    out.text(message.is_truncated() ? "|" : "");
    out.text(message.wants_recursion() && !message.is_response() ? "+" : "");
    if (message.code() == dns_code::name_error) {
        out.text(", no such name");
    } else if (message.code() != dns_code::no_error) {
        out.text(", code ");
        out.decimal(static_cast<std::uint8_t>(message.code()));
    }
    for (const dns_question_view question : message.questions()) {
        out.text(", ");
        describe(question.type(), out);
        out.text("? ");
        describe(question.name(), out);
    }
    if (!message.is_response())
        return;
    out.text(", ");
    out.decimal(message.answers().size());
    out.character('/');
    out.decimal(message.authorities().size());
    out.character('/');
    out.decimal(message.additionals().size());
    for (const dns_record_view record : message.answers()) {
        out.text(", ");
        describe(record, out);
    }
}

}  // namespace halvm::net::wire
