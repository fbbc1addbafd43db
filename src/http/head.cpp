// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/head.hpp>
#include <halvm/http/syntax.hpp>

#include <algorithm>

namespace halvm::http {
namespace {

using syntax::is;

/// What the fields of either kind of message say about the message itself.
struct framing {
    std::size_t hosts = 0;
    std::string_view host{};
    std::size_t lengths = 0;
    std::string_view length{};
    bool has_coding = false;
    std::size_t chunked = 0;  // how often
    bool chunked_is_last = false;
    bool unknown_coding = false;
    bool closes = false;
    bool keeps = false;
    bool expects_continue = false;
    bool expects_else = false;

    void take(const field& one, const fields& alone);
};

void framing::take(const field& one, const fields& alone) {
    // Few names have these lengths, so that most fields are passed over by one comparison.
    switch (one.name.size()) {
    case 4:
        if (same_word(one.name, "host")) {
            ++hosts;
            host = one.value;
        }
        break;
    case 6:
        if (same_word(one.name, "expect"))
            (same_word(one.value, "100-continue") ? expects_continue : expects_else) = true;
        break;
    case 10:
        if (same_word(one.name, "connection"))
            alone.for_each_of(one.name, [this](std::string_view option) {
                closes = closes || same_word(option, "close");
                keeps = keeps || same_word(option, "keep-alive");
            });
        break;
    case 14:
        if (same_word(one.name, "content-length")) {
            ++lengths;
            length = one.value;
        }
        break;
    case 17:
        if (same_word(one.name, "transfer-encoding")) {
            has_coding = true;
            alone.for_each_of(one.name, [this](std::string_view coding) {
                chunked_is_last = same_word(coding, "chunked");
                chunked += chunked_is_last;
                unknown_coding = unknown_coding || !chunked_is_last;
            });
        }
        break;
    }
}

/// The way that both kinds of message say how long their body is; `without` is for one that does not say.
result<body_length> length_of(const framing& said, unsigned minor, body_length without, const char* attempted) {
    if (said.has_coding) {
        if (said.lengths != 0)
            return malformed(http_errc::two_lengths, attempted);
        if (minor == 0)
            return malformed(http_errc::bad_coding, attempted);
        if (said.chunked > 1 || !said.chunked_is_last)
            return malformed(
                said.chunked == 0 && said.unknown_coding ? http_errc::unknown_coding : http_errc::bad_coding,
                attempted);
        if (said.unknown_coding)
            return malformed(http_errc::unknown_coding, attempted);
        return body_length{body_length::kind::chunked};
    }
    if (said.lengths == 0)
        return without;
    body_length counted{body_length::kind::counted};
    if (said.lengths != 1 || !syntax::read_decimal(said.length, counted.count))
        return malformed(http_errc::bad_length, attempted);
    return counted;
}

/// A line off the front of lines that a head_finder or a chunk_decoder has found.
result<std::string_view> take_line(std::string_view& rest, const char* attempted) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos || end == 0 || rest[end - 1] != '\r')
        return malformed(http_errc::bad_line_end, attempted);
    const std::string_view line = rest.substr(0, end - 1);
    rest.remove_prefix(end + 1);
    return line;
}

result<std::size_t> take_fields(std::string_view rest, std::span<field> room, framing* said, const char* attempted) {
    std::size_t count = 0;
    for (;;) {
        const auto line = take_line(rest, attempted);
        if (!line)
            return failure(line.error());
        if (line->empty())
            return count;
        if (syntax::is_blank(line->front()))
            return malformed(http_errc::folded_field, attempted);
        std::size_t colon = 0;
        while (colon < line->size() && is((*line)[colon], syntax::token))
            ++colon;
        if (colon == 0 || colon == line->size() || (*line)[colon] != ':')
            return malformed(http_errc::bad_field, attempted);
        const std::string_view value = syntax::trim(line->substr(colon + 1));
        if (!syntax::all(value, syntax::value))
            return malformed(http_errc::bad_field, attempted);
        if (count == room.size())
            return malformed(http_errc::head_too_large, attempted);
        room[count] = {line->substr(0, colon), value};
        if (said != nullptr)
            said->take(room[count], fields{room.subspan(count, 1)});
        ++count;
    }
}

/// `HTTP/1.x`. [rfc9112 2.3]
result<unsigned> take_version(std::string_view text, const char* attempted) {
    if (text.size() != 8 || !text.starts_with("HTTP/") || !is(text[5], syntax::digit) || text[6] != '.' ||
        !is(text[7], syntax::digit))
        return malformed(http_errc::bad_start_line, attempted);
    if (text[5] != '1')
        return malformed(http_errc::bad_version, attempted);
    return text[7] == '0' ? 0 : 1;
}

/// `uri-host [ ":" port ]`. [rfc9110 7.2], [rfc3986 3.2.2]
bool is_host(std::string_view text) {
    std::size_t end = 0;
    if (text.starts_with('[')) {
        end = text.find(']');
        if (end == std::string_view::npos || end == 1)
            return false;
        for (const char one : text.substr(1, end - 1))
            if (!is(one, syntax::hex) && one != ':' && one != '.')
                return false;
        ++end;
    } else {
        constexpr std::string_view others = "()+,;=";
        for (; end < text.size() && text[end] != ':'; ++end) {
            const char one = text[end];
            if ((!is(one, syntax::token) && others.find(one) == std::string_view::npos) || one == '#' || one == '^' ||
                one == '`' || one == '|')
                return false;
        }
    }
    return end == text.size() || (text[end] == ':' && syntax::all(text.substr(end + 1), syntax::digit));
}

/// The four forms. [rfc9112 3.2]
bool take_target(request_head& into, std::string_view& authority) {
    std::string_view rest = into.target;
    if (rest.empty() || !syntax::all(rest, syntax::target))
        return false;
    if (into.method == method::connect) {
        authority = rest;
        return is_host(rest) && rest.find(':') != std::string_view::npos;
    }
    if (rest == "*") {
        into.path = rest;
        return into.method == method::options;
    }
    if (rest.front() != '/') {
        const std::size_t scheme = rest.find("://");
        if (scheme == std::string_view::npos ||
            !(same_word(rest.substr(0, scheme), "http") || same_word(rest.substr(0, scheme), "https")))
            return false;
        rest.remove_prefix(scheme + 3);
        authority = rest.substr(0, rest.find_first_of("/?"));
        if (authority.empty() || authority.front() == ':' || !is_host(authority))
            return false;
        rest.remove_prefix(authority.size());
        if (rest.empty()) {
            into.path = into.method == method::options ? "*" : "/";
            return true;
        }
    }
    const std::size_t question = rest.find('?');
    into.path = rest.substr(0, question);
    if (into.path.empty())
        into.path = "/";
    if (question != std::string_view::npos)
        into.query = rest.substr(question + 1);
    return true;
}

}  // namespace

result<std::size_t> head_finder::find(std::string_view text, const head_limits& limits) {
    constexpr auto attempted = "read the head of a message";
    constexpr std::size_t most_empty_lines = 2;
    while (!in_fields_ && scanned_ == begin_ && begin_ < text.size()) {
        if (text[begin_] != '\r') {
            if (!is(text[begin_], syntax::token))
                return malformed(text[begin_] == '\n' ? http_errc::bad_line_end : http_errc::not_http, attempted);
            break;
        }
        if (begin_ + 1 == text.size())
            return 0;
        if (text[begin_ + 1] != '\n' || begin_ == 2 * most_empty_lines)
            return malformed(http_errc::bad_line_end, attempted);
        begin_ += 2;
        line_ = scanned_ = begin_;
    }
    for (;;) {
        const std::size_t found = text.find('\n', scanned_);
        const std::size_t seen = found == std::string_view::npos ? text.size() : found + 1;
        if (!in_fields_ && seen - line_ > limits.line + 2)
            return malformed(http_errc::target_too_long, attempted);
        if (seen - begin_ > limits.head)
            return malformed(http_errc::head_too_large, attempted);
        scanned_ = seen;
        if (found == std::string_view::npos)
            return 0;
        if (found == line_ || text[found - 1] != '\r')
            return malformed(http_errc::bad_line_end, attempted);
        if (in_fields_ && found == line_ + 1)
            return seen;
        in_fields_ = true;
        line_ = seen;
    }
}

result<request_head> parse_request(std::string_view head, std::span<field> room) {
    constexpr auto attempted = "parse a request";
    const auto line = take_line(head, attempted);
    if (!line)
        return failure(line.error());
    request_head made;
    const std::size_t first = line->find(' ');
    const std::size_t last = line->rfind(' ');
    if (first == std::string_view::npos || first == last)
        return malformed(http_errc::bad_start_line, attempted);
    made.method_name = line->substr(0, first);
    made.target = line->substr(first + 1, last - first - 1);
    if (made.method_name.empty() || !syntax::all(made.method_name, syntax::token))
        return malformed(http_errc::bad_start_line, attempted);
    made.method = method_named(made.method_name);
    const auto version = take_version(line->substr(last + 1), attempted);
    if (!version)
        return failure(version.error());
    made.minor_version = *version;
    std::string_view authority;
    if (!take_target(made, authority))
        return malformed(http_errc::bad_target, attempted);

    framing said;
    const auto count = take_fields(head, room, &said, attempted);
    if (!count)
        return failure(count.error());
    made.fields = fields{room.first(*count)};
    if (said.hosts > 1 || !is_host(said.host))
        return malformed(http_errc::bad_host, attempted);
    if (said.hosts == 0 && made.minor_version != 0)
        return malformed(http_errc::no_host, attempted);
    made.host = authority.empty() ? said.host : authority;
    const auto body = length_of(said, made.minor_version, {}, attempted);
    if (!body)
        return failure(body.error());
    made.body = *body;
    made.keeps_alive = !said.closes && (made.minor_version != 0 || said.keeps);
    if (made.minor_version != 0) {
        if (said.expects_else)
            return malformed(http_errc::bad_expectation, attempted);
        made.expects_continue = said.expects_continue;
    }
    return made;
}

result<response_head> parse_response(std::string_view head, std::span<field> room, method to) {
    constexpr auto attempted = "parse a response";
    const auto line = take_line(head, attempted);
    if (!line)
        return failure(line.error());
    response_head made;
    const auto version = take_version(line->substr(0, 8), attempted);
    if (!version)
        return failure(version.error());
    made.minor_version = *version;
    std::uint64_t code = 0;
    if (line->size() < 12 || (*line)[8] != ' ' || !syntax::read_decimal(line->substr(9, 3), code) || code < 100 ||
        (line->size() > 12 && (*line)[12] != ' '))
        return malformed(http_errc::bad_start_line, attempted);
    made.code = static_cast<status>(code);
    made.reason = line->substr(std::min<std::size_t>(13, line->size()));
    if (!syntax::all(made.reason, syntax::value))
        return malformed(http_errc::bad_start_line, attempted);

    framing said;
    const auto count = take_fields(head, room, &said, attempted);
    if (!count)
        return failure(count.error());
    made.fields = fields{room.first(*count)};
    const auto body = length_of(said, made.minor_version, body_length{body_length::kind::until_end}, attempted);
    if (!body)
        return failure(body.error());
    made.body = *body;
    if (to == method::head || is_without_content(made.code) || (to == method::connect && code / 100 == 2))
        made.body = {};
    made.keeps_alive =
        !said.closes && (made.minor_version != 0 || said.keeps) && made.body.how != body_length::kind::until_end;
    return made;
}

result<fields> parse_fields(std::string_view lines, std::span<field> room) {
    const auto count = take_fields(lines, room, nullptr, "parse fields");
    if (!count)
        return failure(count.error());
    return fields{room.first(*count)};
}

result<std::size_t> percent_decode(std::string_view text, std::span<char> room) {
    constexpr auto attempted = "decode a target";
    std::size_t size = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char one = text[at];
        if (one == '%') {
            if (text.size() - at < 3 || !is(text[at + 1], syntax::hex) || !is(text[at + 2], syntax::hex))
                return malformed(http_errc::bad_target, attempted);
            one = static_cast<char>(syntax::hex_value(text[at + 1]) << 4 | syntax::hex_value(text[at + 2]));
            at += 2;
        }
        if (one == '\0' || size == room.size())
            return malformed(http_errc::bad_target, attempted);
        room[size++] = one;
    }
    return size;
}

}  // namespace halvm::http
