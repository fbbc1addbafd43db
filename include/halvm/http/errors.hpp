// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with a message, as std::error_code, and the status that a server answers it with.
#pragma once

#include <halvm/http/message.hpp>
#include <halvm/result.hpp>

#include <system_error>

namespace halvm::http {

enum class http_errc {
    bad_start_line = 1,  // no method, target and version with one blank between them; or no status line
    bad_target,          // a request target that is in none of the four forms
    target_too_long,
    bad_version,
    bad_line_end,  // CR or LF without the other
    bad_field,     // no name, white space before the colon, a control character
    folded_field,  // a line that continues the one before it
    head_too_large,
    no_host,      // of an HTTP/1.1 request
    bad_host,     // more than one, or what is no host
    bad_length,   // Content-Length that is no number, or stands there twice
    two_lengths,  // Content-Length beside Transfer-Encoding
    bad_coding,   // Transfer-Encoding that does not end in one chunked, or of an HTTP/1.0 message
    unknown_coding,
    bad_chunk,
    truncated,  // the peer ended in the middle of a message
    body_too_large,
    bad_expectation,
    not_http,  // what came is another protocol
};

const std::error_category& http_category() noexcept;
inline std::error_code make_error_code(http_errc code) noexcept { return {static_cast<int>(code), http_category()}; }

/// What a server says to a request that has this wrong: 400, 413, 414, 417, 431, 501, 505.
[[nodiscard]] status status_for(http_errc code) noexcept;

/// `return malformed(http_errc::bad_field, "parse a request");`
[[gnu::cold]] failure malformed(http_errc code, const char* attempted) noexcept;

}  // namespace halvm::http

template <>
struct std::is_error_code_enum<halvm::http::http_errc> : std::true_type {};
