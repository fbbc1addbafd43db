// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/message.hpp>
#include <halvm/http/syntax.hpp>

#include <array>
#include <utility>

namespace halvm::http {
namespace {

constexpr std::array<std::string_view, 9> methods{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                  "CONNECT", "OPTIONS", "TRACE", "PATCH"};

constexpr std::pair<status, std::string_view> reasons[] = {
    {status::ok, "OK"},
    {status::not_found, "Not Found"},
    {status::not_modified, "Not Modified"},
    {status::partial_content, "Partial Content"},
    {status::continue_, "Continue"},
    {status::switching_protocols, "Switching Protocols"},
    {status::created, "Created"},
    {status::accepted, "Accepted"},
    {status::no_content, "No Content"},
    {status::moved_permanently, "Moved Permanently"},
    {status::found, "Found"},
    {status::see_other, "See Other"},
    {status::temporary_redirect, "Temporary Redirect"},
    {status::permanent_redirect, "Permanent Redirect"},
    {status::bad_request, "Bad Request"},
    {status::unauthorized, "Unauthorized"},
    {status::forbidden, "Forbidden"},
    {status::method_not_allowed, "Method Not Allowed"},
    {status::not_acceptable, "Not Acceptable"},
    {status::request_timeout, "Request Timeout"},
    {status::conflict, "Conflict"},
    {status::gone, "Gone"},
    {status::length_required, "Length Required"},
    {status::precondition_failed, "Precondition Failed"},
    {status::content_too_large, "Content Too Large"},
    {status::uri_too_long, "URI Too Long"},
    {status::unsupported_media_type, "Unsupported Media Type"},
    {status::range_not_satisfiable, "Range Not Satisfiable"},
    {status::expectation_failed, "Expectation Failed"},
    {status::too_many_requests, "Too Many Requests"},
    {status::request_header_fields_too_large, "Request Header Fields Too Large"},
    {status::internal_server_error, "Internal Server Error"},
    {status::not_implemented, "Not Implemented"},
    {status::bad_gateway, "Bad Gateway"},
    {status::service_unavailable, "Service Unavailable"},
    {status::gateway_timeout, "Gateway Timeout"},
    {status::http_version_not_supported, "HTTP Version Not Supported"},
};

}  // namespace

std::string_view name_of(method one) noexcept {
    const auto index = static_cast<std::size_t>(one);
    return index < methods.size() ? methods[index] : std::string_view{};
}

method method_named(std::string_view name) noexcept {
    std::size_t index = 0;
    while (index < methods.size() && methods[index] != name)
        ++index;
    return static_cast<method>(index);
}

std::string_view reason_of(status code) noexcept {
    for (const auto& [known, reason] : reasons)
        if (known == code)
            return reason;
    return {};
}

bool same_word(std::string_view left, std::string_view right) noexcept {
    if (left.size() != right.size())
        return false;
    for (std::size_t at = 0; at < left.size(); ++at)
        if (syntax::lower(left[at]) != syntax::lower(right[at]))
            return false;
    return true;
}

bool is_of_framing(std::string_view name) noexcept {
    return same_word(name, "Content-Length") || same_word(name, "Transfer-Encoding") || same_word(name, "Connection");
}

bool fields::lists(std::string_view name, std::string_view element) const {
    bool found = false;
    for_each_of(name, [&](std::string_view one) { found = found || same_word(one, element); });
    return found;
}

std::string_view take_element(std::string_view& list) noexcept {
    std::string_view element;
    while (element.empty() && !list.empty()) {
        bool quoted = false;
        std::size_t end = 0;
        for (; end < list.size() && (quoted || list[end] != ','); ++end) {
            if (list[end] == '"')
                quoted = !quoted;
            else if (quoted && list[end] == '\\' && end + 1 < list.size())
                ++end;
        }
        element = syntax::trim(list.substr(0, end));
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return element;
}

}  // namespace halvm::http
