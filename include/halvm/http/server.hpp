// SPDX-License-Identifier: BSD-3-Clause
// A server: connections in, a handler called for each request. [rfc9112]
//
//   http::server server{[](http::request&) { return http::response{}.text("hello"); }};
//   server.serve(listener, shutdown_token());
//   server.close(fiber::within(5s));
//   stack.tcp().drain(fiber::within(5s));
//
// A connection on which nothing is under way, whose request has come in part, or whose client still owes a body that
// nobody wants, holds no fiber and no buffers: it waits as itself for its stream. Worker fibers, each with its
// buffers, take those that have something to read; there is one, and another only when all of them are blocked. Memory
// is bounded by the limits: so many connections, and so many workers.
#pragma once

#include <halvm/fiber/condition.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/http/request.hpp>
#include <halvm/net/byte_stream.hpp>

#include <boost/intrusive/list.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

namespace halvm::http {

/// What was done for one request, for a log. The texts live during the call only.
struct transaction {
    const net::endpoint& peer;
    std::string_view method;  ///< both empty when the request could not be read
    std::string_view target;
    unsigned minor_version;
    status code;
    std::uint64_t received;  ///< bytes of body
    std::uint64_t sent;      ///< bytes, with the head
    std::chrono::nanoseconds time;
};

struct server_options {
    head_limits head{};
    std::uint64_t body = std::uint64_t{1} << 20;  ///< bytes of a request
    std::size_t connections = 4096;               ///< the one that has been idle longest makes place for the next
    std::size_t workers = 64;
    std::size_t worker_stack = std::size_t{64} << 10;
    std::size_t output = 8192;                                       ///< bytes that a worker collects before it sends
    std::chrono::nanoseconds idle_time = std::chrono::seconds{60};   ///< between two requests
    std::chrono::nanoseconds head_time = std::chrono::seconds{10};   ///< for all of a head
    std::chrono::nanoseconds body_time = std::chrono::seconds{20};   ///< for the next bytes of a body
    std::chrono::nanoseconds write_time = std::chrono::seconds{20};  ///< for the next 64 KiB, or less, of a response
    std::chrono::nanoseconds linger_time = std::chrono::seconds{2};  ///< for a client to notice that we have ended
    std::chrono::sys_seconds (*wall_clock)() = nullptr;              ///< std::chrono::system_clock when null
    std::function<void(const transaction&)> log{};
};

struct server_statistics {
    std::uint64_t accepted = 0;
    std::uint64_t open = 0;
    std::uint64_t workers = 0;
    std::uint64_t requests = 0;
    std::array<std::uint64_t, 5> responses{};  ///< by the first digit of their status, from 1 on
    std::uint64_t received = 0;                ///< bytes of bodies
    std::uint64_t sent = 0;                    ///< bytes
    std::uint64_t malformed = 0;               ///< requests that could not be read
    std::uint64_t timed_out = 0;               ///< connections whose request did not come in time
    std::uint64_t evicted = 0;                 ///< connections, to make place for others
    std::uint64_t broken = 0;                  ///< by their peers, in the middle of a request or a response
    std::uint64_t no_memory = 0;               ///< connections and requests
};

class server {
public:
    /// Starts its first worker. Throws: std::bad_alloc.
    explicit server(handler by, server_options options = {});
    /// As close() without time.
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Accepts connections until a stop is asked for, or the listener fails. When memory has run out, the connection
    /// that has been idle longest ends, and it goes on. Errors: the listener's, but none for the stop.
    template <net::Listener Source>
    result<void> serve(Source& from, const std::stop_token& stop) {
        for (;;) {
            auto one = from.accept(fiber::wait_limit{stop});
            if (one) {
                net::endpoint peer{};
                if constexpr (requires { peer = one->remote(); })
                    peer = one->remote();
                adopt(std::move(*one), peer);
            } else if (stop.stop_requested()) {
                return {};
            } else if (one.error() == std::make_error_code(std::errc::not_enough_memory)) {
                ++statistics_.no_memory;
                evict();
                fiber::sleep(fiber::within(std::chrono::milliseconds{10}, stop));
            } else {
                return failure(one.error());
            }
        }
    }

    /// Takes over a connection. False, and it is given up, when there is no memory for it, or the server is closing.
    template <net::ByteStream Stream>
    bool adopt(Stream stream, const net::endpoint& peer = {}) noexcept {
        try {
            return take(std::make_unique<transport_of<Stream>>(std::move(stream)), peer);
        } catch (const std::bad_alloc&) {
            ++statistics_.no_memory;
            evict();
            return false;
        }
    }

    /// Requests that are under way are answered, and their connections end then; the others end now. Blocks until all
    /// have ended; at the limit, what is left is cut off. The last bytes of answers may still be queued in TCP then:
    /// tcp_layer::drain().
    void close(const fiber::wait_limit& limit);

    [[nodiscard]] const server_statistics& statistics() const noexcept { return statistics_; }

private:
    enum class phase : std::uint8_t { reading, lingering };

    /// While it is idle, it stands in its stream's queue by itself.
    struct connection : fiber::sleeper {
        server* home = nullptr;
        std::unique_ptr<transport> stream;
        net::endpoint peer{};
        std::string came{};  // of the next request
        head_finder finder{};
        fiber::instant head_deadline = fiber::never;
        std::size_t discarded = 0;
        std::uint64_t unread = 0;  // of a body that its handler did not want
        phase now = phase::reading;
        fiber::waiter place{};
        boost::intrusive::list_member_hook<> hook{};
    };
    using connection_list = boost::intrusive::list<
        connection, boost::intrusive::member_hook<connection, boost::intrusive::list_member_hook<>, &connection::hook>>;
    struct worker;
    enum class next : std::uint8_t { request, wait, end, linger };

    bool take(std::unique_ptr<transport> stream, const net::endpoint& peer);
    void evict() noexcept;
    static void wake(fiber::sleeper& one) noexcept;
    void make_ready(connection& one) noexcept;
    bool spawn_worker() noexcept;
    void dispatch();
    void run(worker& own);
    void attend(worker& own, connection& one);
    void park(connection& one, fiber::instant deadline);
    void linger(connection& one);
    bool skip(connection& one);
    void discard(connection& one) noexcept;
    next read_head(worker& own, connection& one, std::size_t& size);
    next handle(worker& own, connection& one, std::size_t size);
    next refuse(worker& own, connection& one, status code);
    response call(request& ask) noexcept;
    bool send(worker& own, const request_head* head, const response& answer, bool closes, bool& broken);
    [[nodiscard]] std::string_view date();

    handler handler_;
    server_options options_;
    server_statistics statistics_{};
    connection_list idle_;
    connection_list ready_;
    fiber::wait_queue idle_workers_{"a connection", true};
    fiber::wait_queue dispatcher_{"a connection that no worker takes", true};
    fiber::wait_group living_workers_;
    fiber::wait_group living_connections_;
    std::stop_source cut_off_;
    bool closing_ = false;
    std::chrono::sys_seconds date_of_{std::chrono::seconds{-1}};
    std::string date_line_;
};

}  // namespace halvm::http
