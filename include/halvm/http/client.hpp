// SPDX-License-Identifier: BSD-3-Clause
// A client's side of one connection.
//
//   http::client web{std::move(stream), "example.org"};
//   auto page = web.get("/", fiber::within(10s));
#pragma once

#include <halvm/http/body.hpp>
#include <halvm/http/head.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm::http {

/// What a server has answered; owns its texts.
struct reply {
    status code = status::ok;
    std::vector<std::pair<std::string, std::string>> fields{};
    std::string body{};  ///< empty when it was given to a sink
    std::vector<std::pair<std::string, std::string>> trailers{};

    /// The first of this name; empty when there is none.
    [[nodiscard]] std::string_view field(std::string_view name) const noexcept {
        for (const auto& [known, value] : fields)
            if (same_word(known, name))
                return value;
        return {};
    }
};

struct client_options {
    head_limits head{};
    std::size_t body = std::size_t{1} << 20;  ///< bytes that are kept of a reply without a sink
};

class client {
public:
    using sink = std::function<result<void>(const_bytes part)>;
    /// What to send. The texts must live as long as the call.
    struct outgoing {
        http::method method = http::method::get;
        std::string_view target = "/";
        std::string_view fields{};  ///< whole lines
        std::string_view body{};
        /// Instead of `body`: one that is made while it is sent, in chunks.
        std::function<result<void>(body_writer& to)> stream{};
        sink into{};  ///< takes the reply's body as it comes
    };

    /// `host` is for the Host field, with a port unless that is 80. Throws: std::bad_alloc.
    template <net::ByteStream Stream>
    client(Stream stream, std::string host, const client_options& options = {})
        : client{std::make_unique<transport_of<Stream>>(std::move(stream)), std::move(host), options} {}

    /// Blocks until the whole reply has come; interim ones are passed over.
    /// Errors: http_errc for what is no reply; truncated when the server ended before it was whole; body_too_large;
    /// std::errc::not_connected after an error, a reply behind which the connection ends, or
    /// what came without having been asked for; the sink's; the stream's.
    result<reply> send(const outgoing& what, const fiber::wait_limit& limit);
    result<reply> get(std::string_view target, const fiber::wait_limit& limit) {
        return send({.target = target}, limit);
    }
    result<reply> post(std::string_view target, std::string_view media_type, std::string_view body,
                       const fiber::wait_limit& limit) {
        const std::string type = "Content-Type: " + std::string{media_type} + "\r\n";
        return send({.method = method::post, .target = target, .fields = type, .body = body}, limit);
    }
    /// Whether another request can be sent.
    [[nodiscard]] bool is_open() const noexcept { return open_; }

private:
    client(std::unique_ptr<transport> stream, std::string host, const client_options& options);
    result<reply> exchange(const outgoing& what, const fiber::wait_limit& limit);
    result<void> write(const outgoing& what, const fiber::wait_limit& limit);
    result<std::size_t> read_head(const fiber::wait_limit& limit);

    std::unique_ptr<transport> stream_;
    std::string host_;
    client_options options_;
    input_buffer in_;
    output_buffer out_;
    std::vector<field> room_;
    bool open_ = true;
    bool asked_ = false;
};

}  // namespace halvm::http
