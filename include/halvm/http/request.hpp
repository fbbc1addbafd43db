// SPDX-License-Identifier: BSD-3-Clause
// A request as a handler sees it, and the response that it returns. Neither knows what they go over.
//
//   http::response hello(http::request& ask) { return http::response{}.text("hello, " + ask.parameter("name")); }
#pragma once

#include <halvm/http/body.hpp>
#include <halvm/http/head.hpp>
#include <halvm/net/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm::http {

/// What a request gives while it is handled. It lives as long as the handler runs, and so do the texts in it.
class request {
public:
    [[nodiscard]] const request_head& head() const noexcept { return head_; }
    [[nodiscard]] http::method method() const noexcept { return head_.method; }
    [[nodiscard]] const http::fields& fields() const noexcept { return head_.fields; }
    [[nodiscard]] std::string_view path() const noexcept { return head_.path; }
    [[nodiscard]] const net::endpoint& peer() const noexcept { return peer_; }

    /// What stands in the path where the route says {name}, decoded; empty when it says that nowhere.
    [[nodiscard]] const std::string& parameter(std::string_view name) const noexcept;
    /// The value of `name=value` in the query, decoded; nothing when it is not there or malformed.
    [[nodiscard]] std::optional<std::string> query(std::string_view name) const;

    /// The next bytes of the body. Blocks until there are some; 0 at the end. A client that waits for leave to send is
    /// given it by the first call. [rfc9110 10.1.1]
    /// Errors: body_reader::read(); body_too_large beyond the server's limit; by the server's time limit. The client is
    /// answered accordingly then, whatever the handler returns.
    result<std::size_t> read(bytes into);
    /// All of it. Errors: read(); body_too_large for more than `most` bytes.
    result<std::string> read_all(std::size_t most);
    /// Fields behind a chunked body, once it is read. Errors: parse_fields().
    result<http::fields> trailers(std::span<field> room) const;

    // For routers.

    void add_parameter(std::string name, std::string value) {
        parameters_.emplace_back(std::move(name), std::move(value));
    }
    void clear_parameters() noexcept { parameters_.clear(); }

private:
    friend class server;
    struct reading {
        body_reader body;
        output_buffer& out;
        std::uint64_t most;
        std::chrono::nanoseconds time;
        std::stop_token stop;
        bool continue_sent = false;
        std::error_code fault{};  // why the body could not be read
    };
    request(const request_head& head, const net::endpoint& peer, reading& from) noexcept
        : head_{head}, peer_{peer}, from_{from} {}

    const request_head& head_;
    const net::endpoint& peer_;
    reading& from_;
    std::vector<std::pair<std::string, std::string>> parameters_{};
};

/// What a handler returns. Its length, Date and what concerns the connection are the server's.
class response {
public:
    using writer = std::function<result<void>(body_writer& to)>;

    explicit response(status code = status::ok) noexcept : code_{code} {}

    /// Adds a field. A value that may not stand in one, as one with a line end, makes the response a 500: nobody puts a
    /// field in by a value. Pre: the name is a token, and not the server's: Content-Length, Transfer-Encoding,
    /// Connection, Date.
    response& set(std::string_view name, std::string_view value);
    response& type(std::string_view media_type) { return set("Content-Type", media_type); }
    /// The body, owned.
    response& body(std::string content);
    response& text(std::string content) { return type("text/plain; charset=utf-8").body(std::move(content)); }
    response& html(std::string content) { return type("text/html; charset=utf-8").body(std::move(content)); }
    /// The body, which must live until it is sent: content of the program's image.
    response& view(const_bytes content);
    /// A body that `write` makes while it is sent; chunked when nothing is known of its length.
    /// Pre: `write` writes so much.
    response& stream(writer write, std::optional<std::uint64_t> length = {});
    /// Ends the connection behind this response.
    response& close() noexcept {
        closes_ = true;
        return *this;
    }

    [[nodiscard]] status code() const noexcept { return code_; }
    /// Lines as they are sent.
    [[nodiscard]] std::string_view fields() const noexcept { return fields_; }
    [[nodiscard]] bool closes() const noexcept { return closes_; }
    [[nodiscard]] bool is_broken() const noexcept { return broken_; }
    [[nodiscard]] const writer& streamed() const noexcept { return writer_; }
    /// Nothing when it is not known.
    [[nodiscard]] std::optional<std::uint64_t> length() const noexcept {
        return writer_ ? length_ : std::optional<std::uint64_t>{content().size()};
    }
    [[nodiscard]] const_bytes content() const noexcept { return view_.empty() ? as_bytes(owned_) : view_; }

private:
    status code_;
    bool closes_ = false;
    bool broken_ = false;
    std::string fields_{};
    std::string owned_{};
    const_bytes view_{};
    writer writer_{};
    std::optional<std::uint64_t> length_{};
};

/// A page with the status's own words, for people. It is what the server sends for a status from 400 on without a body.
[[nodiscard]] std::string page_of(status code);

/// It may block, read and write at its leisure, within the server's time limits. What it throws is a 500; memory that
/// has run out is a 503.
using handler = std::function<response(request& ask)>;

}  // namespace halvm::http
