// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/contract.hpp>
#include <halvm/http/request.hpp>
#include <halvm/http/syntax.hpp>

#include <algorithm>
#include <array>

namespace halvm::http {

const std::string& request::parameter(std::string_view name) const noexcept {
    static const std::string none;
    for (const auto& [known, value] : parameters_)
        if (known == name)
            return value;
    return none;
}

std::optional<std::string> request::query(std::string_view name) const {
    const auto decoded = [](std::string_view text) -> std::optional<std::string> {
        std::string made{text};
        std::replace(made.begin(), made.end(), '+', ' ');
        const auto size = percent_decode(made, made);
        if (!size)
            return std::nullopt;
        made.resize(*size);
        return made;
    };
    std::string_view rest = head_.query;
    while (!rest.empty()) {
        const std::string_view one = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
        const std::size_t equals = one.find('=');
        if (decoded(one.substr(0, equals)) == name)
            return equals == std::string_view::npos ? std::string{} : decoded(one.substr(equals + 1));
    }
    return std::nullopt;
}

result<std::size_t> request::read(bytes into) {
    if (from_.body.is_over() || into.empty())
        return 0;
    if (head_.expects_continue && !from_.continue_sent) {
        from_.continue_sent = true;
        if (auto sent = from_.out.put("HTTP/1.1 100 Continue\r\n\r\n"); !sent)
            return failure(sent.error());
    }
    // Whoever waits for the answer to an earlier request, or for leave to go on, must have it before we wait.
    if (auto sent = from_.out.flush(); !sent)
        return failure(sent.error());
    auto count = from_.body.read(into, fiber::within(from_.time, from_.stop));
    if (count && from_.body.total() > from_.most)
        count = malformed(http_errc::body_too_large, "read a request");
    if (!count)
        from_.fault = count.error().code();
    return count;
}

result<std::string> request::read_all(std::size_t most) {
    std::string all;
    std::array<std::byte, 1024> part;
    for (;;) {
        const auto count = read(part);
        if (!count)
            return failure(count.error());
        if (*count == 0)
            return all;
        if (*count > most - all.size())
            return malformed(http_errc::body_too_large, "read a request");
        all += as_text(bytes{part}.first(*count));
    }
}

result<fields> request::trailers(std::span<field> room) const {
    if (!from_.body.is_over() || from_.body.trailers().empty())
        return http::fields{};
    return parse_fields(from_.body.trailers(), room);
}

response& response::set(std::string_view name, std::string_view value) {
    Expects(!name.empty() && syntax::all(name, syntax::token) && !is_of_framing(name) && !same_word(name, "Date"));
    if (!syntax::all(value, syntax::value)) {
        broken_ = true;
        return *this;
    }
    fields_.append(name).append(": ").append(value).append("\r\n");
    return *this;
}

response& response::body(std::string content) {
    owned_ = std::move(content);
    view_ = {};
    writer_ = nullptr;
    return *this;
}

response& response::view(const_bytes content) {
    owned_.clear();
    view_ = content;
    writer_ = nullptr;
    return *this;
}

response& response::stream(writer write, std::optional<std::uint64_t> length) {
    writer_ = std::move(write);
    length_ = length;
    return *this;
}

std::string page_of(status code) {
    const std::string title = std::to_string(static_cast<unsigned>(code)) + " " + std::string{reason_of(code)};
    return "<!doctype html><title>" + title + "</title><h1>" + title + "</h1>\n";
}

}  // namespace halvm::http
