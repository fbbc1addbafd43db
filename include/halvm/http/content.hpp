// SPDX-License-Identifier: BSD-3-Clause
// Content that is there as bytes, given as a client wants it: conditional requests and ranges. [rfc9110 13, 14]
#pragma once

#include <halvm/http/request.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace halvm::http {

/// What stands behind a target. It points to its texts and its bytes, which must live until the response is sent.
struct representation {
    const_bytes content{};
    std::string_view type{};
    std::string_view entity_tag{};  ///< with its quotation marks; empty for none
    std::optional<std::chrono::sys_seconds> modified{};
    std::string_view encoding{};  ///< "gzip"
    bool varies = false;          ///< whether it depends on Accept-Encoding
};

/// 200 with all of it, 206 with one range or several as multipart/byteranges, 304, 412 or 416. For GET and HEAD; of
/// another method only the conditions are evaluated, and 200 without a body means that they hold.
/// A Range that is malformed, or asks for more bytes than there are by overlapping, or for more than 16 parts, is
/// answered with all of it.
[[nodiscard]] response answer_with(const request& ask, const representation& what);

/// Whether an Accept-Encoding lets content be sent in this coding. [rfc9110 12.5.3]
[[nodiscard]] bool accepts_encoding(const fields& all, std::string_view coding);

}  // namespace halvm::http
