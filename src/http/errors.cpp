// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/errors.hpp>

#include <string>

namespace halvm::http {
namespace {

class http_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "http"; }
    std::string message(int value) const override {
        switch (static_cast<http_errc>(value)) {
        case http_errc::bad_start_line: return "its first line is malformed";
        case http_errc::bad_target: return "its target is malformed";
        case http_errc::target_too_long: return "its first line is too long";
        case http_errc::bad_version: return "it is of another version than HTTP/1";
        case http_errc::bad_line_end: return "a line of it does not end in CR LF";
        case http_errc::bad_field: return "a field of it is malformed";
        case http_errc::folded_field: return "a field of it goes on in a second line";
        case http_errc::head_too_large: return "its fields are too large";
        case http_errc::no_host: return "it names no host";
        case http_errc::bad_host: return "its host is malformed, or stands there twice";
        case http_errc::bad_length: return "its length is malformed, or stands there twice";
        case http_errc::two_lengths: return "it has a length and a transfer coding";
        case http_errc::bad_coding: return "its transfer coding does not end in chunked, once";
        case http_errc::unknown_coding: return "its transfer coding is unknown";
        case http_errc::bad_chunk: return "a chunk of it is malformed";
        case http_errc::truncated: return "it ends too early";
        case http_errc::body_too_large: return "its content is too large";
        case http_errc::bad_expectation: return "it expects what nobody knows";
        case http_errc::not_http: return "it is of another protocol";
        }
        return "unknown error";
    }
};

}  // namespace

const std::error_category& http_category() noexcept {
    static const http_errors category;
    return category;
}

status status_for(http_errc code) noexcept {
    switch (code) {
    case http_errc::target_too_long: return status::uri_too_long;
    case http_errc::bad_version: return status::http_version_not_supported;
    case http_errc::head_too_large: return status::request_header_fields_too_large;
    case http_errc::unknown_coding: return status::not_implemented;
    case http_errc::body_too_large: return status::content_too_large;
    case http_errc::bad_expectation: return status::expectation_failed;
    default: return status::bad_request;
    }
}

failure malformed(http_errc code, const char* attempted) noexcept {
    return failure{error{make_error_code(code), attempted}};
}

}  // namespace halvm::http
