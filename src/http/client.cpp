// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/client.hpp>

#include <array>

namespace halvm::http {
namespace {

constexpr auto attempted = "read a reply";

std::vector<std::pair<std::string, std::string>> copy(const fields& from) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const field& one : from)
        all.emplace_back(one.name, one.value);
    return all;
}

}  // namespace

client::client(std::unique_ptr<transport> stream, std::string host, const client_options& options)
    : stream_{std::move(stream)},
      host_{std::move(host)},
      options_{options},
      in_{options.head.head + 512},
      out_{4096},
      room_(options.head.fields) {}

result<reply> client::send(const outgoing& what, const fiber::wait_limit& limit) {
    // What nobody has asked for is no reply, and the server's end is none either. [rfc9112 9.2]
    open_ = open_ && in_.text().empty() && !(asked_ && stream_->readable());
    if (!open_)
        return failure{error{std::make_error_code(std::errc::not_connected), "send a request"}};
    // Of one that fails, nobody knows where the next reply would begin.
    open_ = false;
    asked_ = true;
    return exchange(what, limit);
}

result<void> client::write(const outgoing& what, const fiber::wait_limit& limit) {
    using std::chrono::nanoseconds;
    // The whole exchange has one limit, of which each write may use what is left.
    const auto now = fiber::this_scheduler().now();
    const auto left = limit.deadline == fiber::never ? nanoseconds::max()
                      : limit.deadline <= now        ? nanoseconds::zero()
                                                     : nanoseconds{limit.deadline - now};
    out_.begin(*stream_, left, limit.stop);
    std::string head{name_of(what.method)};
    head.append(" ").append(what.target).append(" HTTP/1.1\r\nHost: ").append(host_).append("\r\n").append(what.fields);
    const bool has_body =
        what.method == method::post || what.method == method::put || what.method == method::patch || !what.body.empty();
    if (what.stream)
        head += "Transfer-Encoding: chunked\r\n";
    else if (has_body)
        head += "Content-Length: " + std::to_string(what.body.size()) + "\r\n";
    head += "\r\n";
    if (auto done = out_.put(head); !done)
        return done;
    if (what.stream) {
        body_writer body{out_, body_writer::coding::chunked};
        if (auto done = what.stream(body); !done)
            return done;
        if (auto done = body.finish(); !done)
            return failure(done.error());
        else if (!*done)
            return failure{error{std::make_error_code(std::errc::invalid_argument), "send a trailer"}};
    } else if (auto done = out_.put(what.body); !done) {
        return done;
    }
    return out_.flush();
}

result<std::size_t> client::read_head(const fiber::wait_limit& limit) {
    in_.release();
    head_finder finder;
    for (;;) {
        const auto end = finder.find(in_.text(), options_.head);
        if (!end)
            return end;
        if (*end != 0) {
            in_.consume(finder.begin());
            return *end - finder.begin();
        }
        const auto count = in_.fill(*stream_, limit);
        if (!count)
            return count;
        if (*count == 0)
            return malformed(http_errc::truncated, attempted);
    }
}

result<reply> client::exchange(const outgoing& what, const fiber::wait_limit& limit) {
    // A server may answer, and end, before it has read everything: what it says counts more than our failure.
    const auto written = write(what, limit);
    for (;;) {
        const auto size = read_head(limit);
        if (!size)
            return failure(written ? size.error() : written.error());
        in_.keep(*size);
        const auto head = parse_response(in_.kept(), room_, what.method);
        if (!head)
            return failure(head.error());
        if (static_cast<unsigned>(head->code) < 200 && head->code != status::switching_protocols)
            continue;
        reply made{head->code, copy(head->fields)};
        body_reader body{*stream_, in_, head->body};
        std::array<std::byte, 2048> part;
        while (!body.is_over()) {
            const auto count = body.read(part, limit);
            if (!count)
                return failure(count.error());
            const const_bytes came = bytes{part}.first(*count);
            if (what.into) {
                if (auto taken = what.into(came); !taken)
                    return failure(taken.error());
            } else if (came.size() > options_.body - made.body.size()) {
                return malformed(http_errc::body_too_large, attempted);
            } else {
                made.body += as_text(came);
            }
        }
        if (!body.trailers().empty()) {
            const auto trailers = parse_fields(body.trailers(), room_);
            if (!trailers)
                return failure(trailers.error());
            made.trailers = copy(*trailers);
        }
        open_ = written.has_value() && head->keeps_alive;
        return made;
    }
}

}  // namespace halvm::http
