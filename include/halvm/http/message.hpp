// SPDX-License-Identifier: BSD-3-Clause
// The words of HTTP: methods, status codes, fields. [rfc9110]
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace halvm::http {

/// [rfc9110 9.3], [rfc5789]; what has another name is `other`. Names are case-sensitive.
enum class method : std::uint8_t { get, head, post, put, delete_, connect, options, trace, patch, other };

[[nodiscard]] std::string_view name_of(method one) noexcept;
[[nodiscard]] method method_named(std::string_view name) noexcept;

/// [rfc9110 15], [rfc6585]
enum class status : std::uint16_t {
    continue_ = 100,
    switching_protocols = 101,
    ok = 200,
    created = 201,
    accepted = 202,
    no_content = 204,
    partial_content = 206,
    moved_permanently = 301,
    found = 302,
    see_other = 303,
    not_modified = 304,
    temporary_redirect = 307,
    permanent_redirect = 308,
    bad_request = 400,
    unauthorized = 401,
    forbidden = 403,
    not_found = 404,
    method_not_allowed = 405,
    not_acceptable = 406,
    request_timeout = 408,
    conflict = 409,
    gone = 410,
    length_required = 411,
    precondition_failed = 412,
    content_too_large = 413,
    uri_too_long = 414,
    unsupported_media_type = 415,
    range_not_satisfiable = 416,
    expectation_failed = 417,
    too_many_requests = 429,
    request_header_fields_too_large = 431,
    internal_server_error = 500,
    not_implemented = 501,
    bad_gateway = 502,
    service_unavailable = 503,
    gateway_timeout = 504,
    http_version_not_supported = 505,
};

/// "Not Found"; empty for a code that is in no list of ours.
[[nodiscard]] std::string_view reason_of(status code) noexcept;

/// Whether a message with this status never has content, whatever its fields say. [rfc9112 6.3]
[[nodiscard]] constexpr bool is_without_content(status code) noexcept {
    return static_cast<unsigned>(code) < 200 || code == status::no_content || code == status::not_modified;
}

/// One line of a message's head; it points into the message.
struct field {
    std::string_view name;
    std::string_view value;  ///< without the white space around it
};

/// Field names and other words that are compared without regard to case: ASCII's, in no locale.
[[nodiscard]] bool same_word(std::string_view left, std::string_view right) noexcept;
/// Whether the field says where the message ends, or of what becomes of the connection then.
[[nodiscard]] bool is_of_framing(std::string_view name) noexcept;

/// The fields of a message, in their order. Points to them.
class fields {
public:
    fields() noexcept = default;
    explicit fields(std::span<const field> all) noexcept : all_{all} {}

    [[nodiscard]] auto begin() const noexcept { return all_.begin(); }
    [[nodiscard]] auto end() const noexcept { return all_.end(); }
    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }

    /// The first of this name; nothing when there is none.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (const field& one : all_)
            if (same_word(one.name, name))
                return one.value;
        return std::nullopt;
    }
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept {
        return static_cast<std::size_t>(
            std::count_if(begin(), end(), [&](const field& one) { return same_word(one.name, name); }));
    }
    /// Calls `visit(std::string_view)` for each element of the list that all fields of this name make together, without
    /// the empty ones; a comma in a quoted string is none between elements. [rfc9110 5.6.1]
    template <class Visit>
    void for_each_of(std::string_view name, Visit visit) const;
    /// Whether that list has this element, in any case of letters.
    [[nodiscard]] bool lists(std::string_view name, std::string_view element) const;

private:
    std::span<const field> all_{};
};

/// Takes the next element off a comma-separated list; empty only at its end.
[[nodiscard]] std::string_view take_element(std::string_view& list) noexcept;

template <class Visit>
void fields::for_each_of(std::string_view name, Visit visit) const {
    for (const field& one : all_)
        if (same_word(one.name, name)) {
            std::string_view rest = one.value;
            while (!rest.empty())
                if (const std::string_view element = take_element(rest); !element.empty())
                    visit(element);
        }
}

}  // namespace halvm::http
