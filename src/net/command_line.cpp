// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/command_line.hpp>

#include <algorithm>

namespace halvm::net {

namespace {

/// What is behind "NAME=", when the word begins so.
std::optional<std::string_view> value_of(std::string_view word, std::string_view name) noexcept {
    if (!word.starts_with(name))
        return std::nullopt;
    return word.substr(name.size());
}

failure wrong(std::error_code code, std::string_view word) noexcept { return failure{error{code, "read", word}}; }

}  // namespace

result<network_words> network_words::read(std::span<const char* const> words) {
    network_words made;
    std::string_view needs_address;
    for (const std::string_view word : words) {
        if (auto ip = value_of(word, "ip=")) {
            made.dhcp = *ip == "dhcp" || ip->starts_with("dhcp,");
            made.address.reset();
            if (*ip == "dhcp")
                continue;
            if (made.dhcp)
                ip->remove_prefix(std::string_view{"dhcp,"}.size());
            const auto address = interface_address::parse(*ip);
            if (!address)
                return wrong(address.error().code(), word);
            made.address = *address;
        } else if (const auto gw = value_of(word, "gw=")) {
            const auto address = ip_address::parse(*gw);
            if (!address)
                return wrong(address.error().code(), word);
            made.gateway = *address;
            needs_address = word;
        } else if (auto dns = value_of(word, "dns=")) {
            made.name_servers.clear();
            for (bool more = true; more;) {
                const std::size_t comma = dns->find(',');
                const auto address = ip_address::parse(dns->substr(0, comma));
                if (!address)
                    return wrong(address.error().code(), word);
                made.name_servers.push_back(*address);
                more = comma != std::string_view::npos;
                dns->remove_prefix(more ? comma + 1 : 0);
            }
            needs_address = word;
        }
    }
    if (!needs_address.empty() && !made.address)
        return wrong(std::make_error_code(std::errc::invalid_argument), needs_address);
    return made;
}

result<configured_network> configure(stack& own, const network_words& words, const fiber::wait_limit& limit) {
    if (words.dhcp) {
        fiber::wait_limit patience = limit;
        if (words.address)
            patience.deadline = std::min(limit.deadline, fiber::within(dhcp_patience).deadline);
        auto lease = own.dhcp(patience);
        if (lease)
            return configured_network{lease->address, std::move(*lease)};
        const bool nobody_answers = lease.error() == std::make_error_code(std::errc::timed_out);
        if (!nobody_answers || !words.address || patience.deadline == limit.deadline)
            return failure{lease.error()};
        // A server that comes later does not take the address away.
        own.service<dhcp_client>().release(own.at(1));
    }
    if (const auto done = own.configure(*words.address, words.gateway, false, limit); !done)
        return failure{done.error()};
    own.name_service().servers = words.name_servers;
    return configured_network{*words.address};
}

result<configured_network> configure(stack& own, std::span<const char* const> words, const fiber::wait_limit& limit) {
    const auto read = network_words::read(words);
    if (!read)
        return failure{read.error()};
    return configure(own, *read, limit);
}

}  // namespace halvm::net
