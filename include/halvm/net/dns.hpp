// SPDX-License-Identifier: BSD-3-Clause
// Names: their addresses, and the names of addresses, asked of the stack's name servers and remembered as long as they
// say. [rfc1034 5] [rfc1035 7] [rfc2308] [rfc5452]
#pragma once

#include <halvm/net/endpoint.hpp>
#include <halvm/net/fixed_table.hpp>
#include <halvm/net/stack.hpp>
#include <halvm/net/udp.hpp>
#include <halvm/net/wire/dns.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace halvm::net {

/// What a name server says of a name, and of itself.
enum class dns_errc {
    no_such_name = 1,
    no_data,        // the name is there, but has nothing of what was asked for
    no_server,      // none is configured
    server_failed,  // each one that answered refused, or could not
    bad_answer,     // aliases without end, or more than are followed
    truncated,      // the answer does not fit into a datagram, and nothing asks by TCP
};

const std::error_category& dns_category() noexcept;
inline std::error_code make_error_code(dns_errc code) noexcept { return {static_cast<int>(code), dns_category()}; }

/// Asks a server by TCP, for what does not fit into a datagram. [rfc7766]
class dns_stream {
public:
    /// The answer to `query`; blocks until it is there.
    virtual result<std::vector<std::byte>> ask(const endpoint& server, const_bytes query,
                                               const fiber::wait_limit& limit) = 0;

protected:
    ~dns_stream() = default;
};

class dns_resolver final : public stack_service {
public:
    explicit dns_resolver(stack& own);
    ~dns_resolver() override = default;

    /// The addresses of a name, or of an address in text. A name without a dot is tried with the domain behind it
    /// first, one with a dot at its end never. Blocks until an answer has come: the servers of
    /// stack::name_service() are asked in turn, limits say how often and how long.
    /// Errors: dns_errc; wire_errc::bad_name; std::errc::timed_out when no server has answered, and by the limit;
    /// operation_canceled by the limit; those of udp_socket::connect() and send().
    result<std::vector<ip_address>> resolve(std::string_view name, const fiber::wait_limit& limit = {},
                                            ip_family family = ip_family::v4);
    /// The name of an address, without a dot at its end. Errors: as resolve().
    result<std::string> reverse(const ip_address& address, const fiber::wait_limit& limit = {});

    /// A name that no server is asked for; several times for several addresses. Errors: wire_errc::bad_name;
    /// std::errc::no_buffer_space at the limit.
    result<void> add_host(std::string_view name, const ip_address& address);
    void clear_cache() noexcept;
    /// Null, as at first, for none. It must outlive its use.
    void set_stream(dns_stream* by) noexcept { stream_ = by; }

private:
    struct question {
        wire::dns_name name;
        wire::dns_type type = wire::dns_type::a;
        friend bool operator==(const question&, const question&) noexcept = default;
    };
    struct question_hash {
        std::size_t operator()(const question& one) const noexcept;
    };
    struct answer {
        std::vector<ip_address> addresses{};
        wire::dns_name target{};  // of a PTR
        std::optional<dns_errc> negative{};
    };
    struct entry {
        question key;
        answer kept;
        fiber::instant until = 0;
    };
    struct host {
        wire::dns_name name;
        ip_address address;
    };
    struct finding;

    result<answer> look_up(const question& what, const fiber::wait_limit& limit);
    result<answer> ask(const question& what, const fiber::wait_limit& limit);
    result<finding> ask_server(const endpoint& server, const question& what, fiber::instant until,
                               const fiber::wait_limit& limit);
    result<finding> read(const wire::dns_view& message, const question& what);
    void remember(const question& what, const answer& found, std::chrono::seconds time);

    stack& stack_;
    fixed_table<entry, question_hash> cache_;
    std::vector<host> hosts_;
    dns_stream* stream_ = nullptr;
};

}  // namespace halvm::net

template <>
struct std::is_error_code_enum<halvm::net::dns_errc> : std::true_type {};
