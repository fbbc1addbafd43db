// SPDX-License-Identifier: BSD-3-Clause
// Where packets go: the longest prefix that holds their destination decides. [rfc1812 5.2.4.3]
#pragma once

#include <halvm/net/ip_prefix.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <span>
#include <vector>

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
    explicit route_table(std::size_t limit) : limit_{limit} { routes_.reserve(limit); }

    /// One to the same destination by the same way is replaced. Errors: std::errc::no_buffer_space at the limit.
    result<void> add(const route& one) {
        for (route& old : routes_)
            if (old.destination == one.destination && old.via == one.via && old.gateway == one.gateway) {
                old = one;
                sort();
                return {};
            }
        if (routes_.size() == limit_)
            return failure(error{std::make_error_code(std::errc::no_buffer_space), "add a route"});
        routes_.push_back(one);
        sort();
        return {};
    }
    /// All that `which(const route&)` is true of; how many.
    template <class Which>
    std::size_t remove_if(Which which) {
        return std::erase_if(routes_, which);
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
    [[nodiscard]] std::span<const route> all() const noexcept { return routes_; }

private:
    void sort() {
        // By insertion, which is small code; tables of hosts are short and change seldom.
        for (std::size_t i = 1; i < routes_.size(); ++i)
            for (std::size_t at = i; at != 0 && goes_before(routes_[at], routes_[at - 1]); --at)
                std::swap(routes_[at], routes_[at - 1]);
    }
    static bool goes_before(const route& left, const route& right) noexcept {
        if (left.destination.length() != right.destination.length())
            return left.destination.length() > right.destination.length();
        return left.metric < right.metric;
    }

    std::vector<route> routes_;
    std::size_t limit_;
};

}  // namespace halvm::net
