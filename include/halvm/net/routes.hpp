// SPDX-License-Identifier: BSD-3-Clause
// Where packets go: the longest prefix that holds their destination decides. [rfc1812 5.2.4.3]
#pragma once

#include <halvm/net/fixed_vector.hpp>
#include <halvm/net/ip_prefix.hpp>
#include <halvm/result.hpp>

#include <span>

namespace halvm::net {

class interface;

/// Who made a route, and will take it back.
enum class route_origin : std::uint8_t { address, fixed, dhcp };

struct route {
    ip_prefix destination;
    interface* via = nullptr;
    ip_address gateway{};      ///< unspecified when the destination is on the link itself
    std::uint32_t metric = 0;  ///< of equal prefixes, the lower
    route_origin origin = route_origin::fixed;

    [[nodiscard]] bool is_direct() const noexcept { return gateway.is_unspecified(); }
};

class route_table {
public:
    explicit route_table(std::size_t limit) : routes_{limit} {}

    /// One to the same destination by the same way is replaced. Errors: std::errc::no_buffer_space at the limit.
    result<void> add(const route& one) noexcept;
    /// All that `which(const route&)` is true of; how many.
    template <class Which>
    std::size_t remove_if(Which which) {
        return routes_.erase_if(which);
    }
    /// The best of those that `usable(const route&)` is true of; null when there is none.
    template <class Usable>
    [[nodiscard]] const route* find(const ip_address& destination, Usable usable) const {
        for (const route& one : routes_)
            if (one.destination.contains(destination) && usable(one))
                return &one;
        return nullptr;
    }

    /// The longest prefix first.
    [[nodiscard]] std::span<const route> all() const noexcept { return {routes_.begin(), routes_.size()}; }

private:
    fixed_vector<route> routes_;
};

}  // namespace halvm::net
