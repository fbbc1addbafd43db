// SPDX-License-Identifier: BSD-3-Clause
// Messages to a syslog server, over UDP. [rfc5424], [rfc5426]
//
//   net::syslog log{stack, "10.0.0.5"_ip, "webserver"};
//   log.send(net::severity::notice, "started");
#pragma once

#include <halvm/net/endpoint.hpp>
#include <halvm/net/udp.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace halvm::net {

/// [rfc5424 6.2.1]
enum class severity : std::uint8_t { emergency, alert, critical, error, warning, notice, informational, debug };
enum class facility : std::uint8_t { kernel = 0, user = 1, daemon = 3, local0 = 16 };

struct syslog_message {
    net::facility facility = net::facility::local0;
    net::severity severity = net::severity::informational;
    std::chrono::system_clock::time_point when{};
    std::string_view host{};  ///< our name or address; nothing is sent for an empty one, as of the next two
    std::string_view program{};
    std::string_view kind{};  ///< MSGID: what sort of message it is
    std::string_view text{};  ///< UTF-8; control characters become blanks, so that a message is one line
};

/// "<134>1 2026-01-01T00:00:00.000Z 10.0.0.2 webserver - access - GET / 200". At most 1024 bytes; the text is cut.
[[nodiscard]] std::string format(const syslog_message& one);

class syslog {
public:
    static constexpr std::uint16_t port = 514;

    /// A server that cannot be reached now may be later. Errors: those of udp_layer::bind().
    static result<syslog> open(stack& own, const endpoint& to, std::string host, std::string program);

    /// Never blocks for long, and never fails: a message for which there is no way or no room is lost, and counted.
    void send(severity how, std::string_view kind, std::string_view text) noexcept;
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

private:
    syslog(udp_socket socket, const endpoint& to, std::string host, std::string program) noexcept
        : socket_{std::move(socket)}, to_{to}, host_{std::move(host)}, program_{std::move(program)} {}

    udp_socket socket_;
    endpoint to_;
    std::string host_;
    std::string program_;
    std::uint64_t lost_ = 0;
};

}  // namespace halvm::net
