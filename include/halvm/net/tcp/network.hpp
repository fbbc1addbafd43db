// SPDX-License-Identifier: BSD-3-Clause
// What TCP speaks to: who sends its segments, knows the time and how much a path carries. A stack is one, and a test
// with a clock moved by hand another.
#pragma once

#include <halvm/fiber/timers.hpp>
#include <halvm/net/endpoint.hpp>
#include <halvm/net/tcp/stream_buffer.hpp>
#include <halvm/net/wire/tcp.hpp>

namespace halvm::net::tcp {

using fiber::instant;

class connection;

/// Both ends of a connection.
struct flow {
    endpoint local;
    endpoint remote;
    friend bool operator==(const flow&, const flow&) noexcept = default;
};

/// To be sent: a header, which says the ports too, and `size` bytes of a stream. More than `segment_size` of them go
/// out as several segments.
struct outgoing {
    wire::tcp_header header{};
    const stream_buffer* from = nullptr;
    std::size_t at = 0;
    std::size_t size = 0;
    std::uint16_t segment_size = 0;
};

/// Bytes of payload in a segment without options.
struct segment_sizes {
    std::uint16_t send = 536;     ///< by the path's MTU
    std::uint16_t receive = 536;  ///< by the interface's; what the peer is told
};

class network {
public:
    [[nodiscard]] virtual instant now() noexcept = 0;
    /// Sends it, or loses it: what must arrive is sent again. `of` is null for what belongs to no connection.
    virtual void send(const flow& way, const outgoing& what, connection* of) noexcept = 0;
    /// Errors: those of stack::find_path().
    virtual result<segment_sizes> sizes(const flow& way) noexcept = 0;
    /// How many bytes one send() may carry; that is a segment at least, or 0: none before engine::resume() is called.
    [[nodiscard]] virtual std::uint32_t longest(const connection&) noexcept { return 1; }
    [[nodiscard]] virtual std::uint64_t random() noexcept = 0;
    /// The next time at which engine::advance() is to be called is another one.
    virtual void deadline_changed() noexcept = 0;

protected:
    ~network() = default;
};

/// Who waits for what happens to a connection, or to a listener. Is called in the middle of things: must do no more
/// than note it.
class observer {
public:
    virtual void changed() noexcept = 0;

protected:
    ~observer() = default;
};

}  // namespace halvm::net::tcp
