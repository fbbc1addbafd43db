// SPDX-License-Identifier: BSD-3-Clause
// Connecting to names: apart, so that who does not do it has no resolver in the image.
#include <halvm/net/dns.hpp>
#include <halvm/net/tcp.hpp>

namespace halvm::net {

result<tcp_connection> tcp_layer::connect(std::string_view name, std::uint16_t port, const fiber::wait_limit& limit,
                                          const tcp::connection_options& options) {
    const auto addresses = stack_.dns().resolve(name, limit);
    if (!addresses)
        return failure(addresses.error());
    auto made = connect(endpoint{addresses->front(), port}, limit, options);
    for (std::size_t i = 1; i < addresses->size() && !made; ++i)
        if (made.error() != std::make_error_code(std::errc::operation_canceled))
            made = connect(endpoint{(*addresses)[i], port}, limit, options);
    return made;
}

}  // namespace halvm::net
