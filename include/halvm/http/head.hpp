// SPDX-License-Identifier: BSD-3-Clause
// The head of a message: its first line and its fields, from text that is whole. [rfc9112 2-6]
//
// It is read strictly. What two readers could take for two different messages is refused, also where the RFC lets a
// recipient be generous: a bare LF, an obsolete line folding, two Content-Length fields with the same number.
#pragma once

#include <halvm/http/errors.hpp>
#include <halvm/http/message.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace halvm::http {

struct head_limits {
    std::size_t line = 8000;  ///< of the first line [rfc9112 3]
    std::size_t head = 16'384;
    std::size_t fields = 100;
};

/// Finds the end of a head in text that grows. What it has looked at it does not look at again.
class head_finder {
public:
    /// Where the head ends, behind its empty line; 0 while more must come. `text` begins with what it began with last
    /// time. Up to two empty lines before a head are skipped. [rfc9112 2.2]
    /// Errors: bad_line_end, target_too_long, head_too_large, not_http.
    result<std::size_t> find(std::string_view text, const head_limits& limits);
    /// Where the head begins, once it is found.
    [[nodiscard]] std::size_t begin() const noexcept { return begin_; }
    void reset() noexcept { *this = {}; }

private:
    std::size_t begin_ = 0;
    std::size_t line_ = 0;     // where the line that is being looked at begins
    std::size_t scanned_ = 0;  // up to where there is no LF in it
    bool in_fields_ = false;
};

/// How long the body of a message is. [rfc9112 6.3]
struct body_length {
    enum class kind : std::uint8_t { none, counted, chunked, until_end } how = kind::none;
    std::uint64_t count = 0;  ///< when it is counted

    friend bool operator==(const body_length&, const body_length&) = default;
};

/// Points into the text that it was parsed from, as all views here do.
struct request_head {
    http::method method = method::other;
    std::string_view method_name;
    std::string_view target;  ///< as it was sent
    std::string_view path;    ///< up to the query, with its percent signs; "*" for OPTIONS of the whole server
    std::string_view query;   ///< behind the question mark
    std::string_view host;    ///< with its port; from the target where that has one
    unsigned minor_version = 1;
    http::fields fields;
    body_length body;
    bool keeps_alive = true;  ///< whether the client can go on with another request [rfc9112 9.3]
    bool expects_continue = false;
};

struct response_head {
    status code = status::ok;
    std::string_view reason;
    unsigned minor_version = 1;
    http::fields fields;
    body_length body;
    bool keeps_alive = true;
};

/// `head` is what a head_finder found, from its begin on. `room` is for the fields, and lives as long as the answer.
/// Errors: http_errc of everything but chunks.
result<request_head> parse_request(std::string_view head, std::span<field> room);
/// `to` is the method of the request that it answers, by which some have no body.
result<response_head> parse_response(std::string_view head, std::span<field> room, method to);
/// Field lines with the empty line at their end: a trailer section.
/// Errors: bad_field, folded_field, bad_line_end, head_too_large.
result<http::fields> parse_fields(std::string_view lines, std::span<field> room);

/// The decoded form of a path or a part of a query. Errors: bad_target for a percent sign without two digits, and for a
/// zero byte.
result<std::size_t> percent_decode(std::string_view text, std::span<char> room);

}  // namespace halvm::http
