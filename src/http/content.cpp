// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/content.hpp>
#include <halvm/http/date.hpp>
#include <halvm/http/syntax.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace halvm::http {
namespace {

constexpr std::size_t most_ranges = 16;

struct range {
    std::uint64_t first;
    std::uint64_t count;
};

/// Whether a list of entity tags, or "*", has one that is the same. [rfc9110 8.8.3.2]
bool matches(const fields& all, std::string_view name, std::string_view tag, bool weakly) {
    bool found = false;
    all.for_each_of(name, [&](std::string_view one) {
        if (one == "*") {
            found = true;
            return;
        }
        std::string_view own = tag;
        if (weakly && one.starts_with("W/"))
            one.remove_prefix(2);
        if (weakly && own.starts_with("W/"))
            own.remove_prefix(2);
        found = found || (!own.empty() && one == own && !one.starts_with("W/"));
    });
    return found;
}

std::optional<std::chrono::sys_seconds> date_in(const fields& all, std::string_view name) {
    const auto text = all.find(name);
    return text && all.count(name) == 1 ? parse_date(*text) : std::nullopt;
}

/// In their order of precedence. [rfc9110 13.2.2]
std::optional<status> failed_condition(const request& ask, const representation& what) {
    const fields& all = ask.fields();
    const bool reads = ask.method() == method::get || ask.method() == method::head;
    if (all.find("If-Match")) {
        if (!matches(all, "If-Match", what.entity_tag, false))
            return status::precondition_failed;
    } else if (const auto since = date_in(all, "If-Unmodified-Since");
               since && what.modified && *what.modified > *since) {
        return status::precondition_failed;
    }
    if (all.find("If-None-Match")) {
        if (matches(all, "If-None-Match", what.entity_tag, true))
            return reads ? status::not_modified : status::precondition_failed;
    } else if (const auto since = date_in(all, "If-Modified-Since");
               reads && since && what.modified && *what.modified <= *since) {
        return status::not_modified;
    }
    return std::nullopt;
}

/// Whether ranges are of what the client has. [rfc9110 13.1.5]
bool if_range_holds(const fields& all, const representation& what) {
    const auto condition = all.find("If-Range");
    if (!condition)
        return true;
    if (condition->starts_with('"'))
        return *condition == what.entity_tag;
    const auto when = parse_date(*condition);
    return when && what.modified && *when == *what.modified;
}

/// Nothing when Range is to be ignored; no range when none can be satisfied. [rfc9110 14.1.2]
std::optional<std::vector<range>> ranges_of(std::string_view text, std::uint64_t size) {
    constexpr std::string_view unit = "bytes=";
    if (text.size() < unit.size() || !same_word(text.substr(0, unit.size()), unit))
        return std::nullopt;
    text.remove_prefix(unit.size());
    std::vector<range> all;
    std::uint64_t sum = 0;
    std::size_t count = 0;
    while (!text.empty()) {
        const std::string_view one = take_element(text);
        if (one.empty())
            break;
        if (++count > most_ranges)
            return std::nullopt;
        const std::size_t dash = one.find('-');
        if (dash == std::string_view::npos)
            return std::nullopt;
        const std::string_view front = one.substr(0, dash);
        const std::string_view back = one.substr(dash + 1);
        std::uint64_t first = 0;
        std::uint64_t last = size;
        if (front.empty()) {
            if (!syntax::read_decimal(back, last))
                return std::nullopt;
            first = size - std::min(last, size);
            last = size;
        } else {
            if (!syntax::read_decimal(front, first) || (!back.empty() && !syntax::read_decimal(back, last)) ||
                last < first)
                return std::nullopt;
            last = back.empty() ? size : std::min(last + 1, size);
        }
        if (first >= last)
            continue;
        all.push_back({first, last - first});
        sum += last - first;
    }
    if (count == 0 || sum > size)
        return std::nullopt;
    return all;
}

std::string content_range(const range& one, std::uint64_t size) {
    return "bytes " + std::to_string(one.first) + "-" + std::to_string(one.first + one.count - 1) + "/" +
           std::to_string(size);
}

const_bytes part_of(const representation& what, const range& one) {
    return what.content.subspan(static_cast<std::size_t>(one.first), static_cast<std::size_t>(one.count));
}

/// [rfc9110 14.6]. The boundary is one that the content does not have.
void answer_with_parts(response& answer, const representation& what, const std::vector<range>& all) {
    std::string boundary = "halvm-part";
    for (unsigned number = 0; as_text(what.content).find(boundary) != std::string_view::npos; ++number)
        boundary = "halvm-part-" + std::to_string(number);
    std::vector<std::string> heads;
    std::uint64_t length = 0;
    for (const range& one : all) {
        heads.push_back("\r\n--" + boundary + "\r\nContent-Type: " + std::string{what.type} +
                        "\r\nContent-Range: " + content_range(one, what.content.size()) + "\r\n\r\n");
        length += heads.back().size() + one.count;
    }
    std::string end = "\r\n--" + boundary + "--\r\n";
    length += end.size();
    answer.type("multipart/byteranges; boundary=" + boundary);
    answer.stream(
        [what, all, heads = std::move(heads), end = std::move(end)](body_writer& to) -> result<void> {
            for (std::size_t at = 0; at < all.size(); ++at) {
                if (auto done = to.write(heads[at]); !done)
                    return done;
                if (auto done = to.write(part_of(what, all[at])); !done)
                    return done;
            }
            return to.write(end);
        },
        length);
}

}  // namespace

response answer_with(const request& ask, const representation& what) {
    response answer;
    const auto describe = [&](bool whole) {
        if (!what.entity_tag.empty())
            answer.set("ETag", what.entity_tag);
        if (what.modified)
            answer.set("Last-Modified", date_text{*what.modified}.view());
        if (what.varies)
            answer.set("Vary", "Accept-Encoding");
        if (!what.encoding.empty() && whole)
            answer.set("Content-Encoding", what.encoding);
    };
    if (const auto failed = failed_condition(ask, what)) {
        answer = response{*failed};
        if (*failed == status::not_modified)
            describe(false);
        return answer;
    }
    if (ask.method() != method::get && ask.method() != method::head)
        return answer;
    const auto wanted = ask.fields().find("Range");
    std::optional<std::vector<range>> ranges;
    if (wanted && ask.method() == method::get && ask.fields().count("Range") == 1 && if_range_holds(ask.fields(), what))
        ranges = ranges_of(*wanted, what.content.size());
    if (ranges && ranges->empty()) {
        answer = response{status::range_not_satisfiable};
        answer.set("Content-Range", "bytes */" + std::to_string(what.content.size()));
        return answer;
    }
    if (ranges)
        answer = response{status::partial_content};
    describe(true);
    answer.set("Accept-Ranges", "bytes");
    if (ranges && ranges->size() > 1) {
        answer_with_parts(answer, what, *ranges);
        return answer;
    }
    if (!what.type.empty())
        answer.type(what.type);
    if (ranges)
        answer.set("Content-Range", content_range(ranges->front(), what.content.size()));
    answer.view(ranges ? part_of(what, ranges->front()) : what.content);
    return answer;
}

bool accepts_encoding(const fields& all, std::string_view coding) {
    std::optional<bool> named;
    bool any = false;
    all.for_each_of("Accept-Encoding", [&](std::string_view one) {
        const std::size_t semicolon = one.find(';');
        const std::string_view name = syntax::trim(one.substr(0, semicolon));
        const std::string_view weight =
            semicolon == std::string_view::npos ? "" : syntax::trim(one.substr(semicolon + 1));
        // "q=0", "q=0.", "q=0.000" mean not at all.
        const bool wanted = !(weight.size() > 2 && (weight.starts_with("q=0") || weight.starts_with("Q=0")) &&
                              weight.find_first_of("123456789") == std::string_view::npos);
        if (same_word(name, coding))
            named = wanted;
        else if (name == "*")
            any = wanted;
    });
    return named.value_or(any);
}

}  // namespace halvm::http
