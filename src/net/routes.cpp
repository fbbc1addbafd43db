// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/routes.hpp>

#include <utility>

namespace halvm::net {
namespace {

bool goes_before(const route& left, const route& right) noexcept {
    if (left.destination.length() != right.destination.length())
        return left.destination.length() > right.destination.length();
    return left.metric < right.metric;
}

}  // namespace

result<void> route_table::add(const route& one) noexcept {
    const auto is_same = [&](const route& old) {
        return old.destination == one.destination && old.via == one.via && old.gateway == one.gateway;
    };
    if (routes_.erase_if(is_same) == 0 && routes_.full())
        return failure(error{std::make_error_code(std::errc::no_buffer_space), "add a route"});
    routes_.push_back(one);
    // By insertion, which is small code; tables of hosts are short and change seldom.
    for (std::size_t at = routes_.size() - 1; at != 0 && goes_before(routes_[at], routes_[at - 1]); --at)
        std::swap(routes_[at], routes_[at - 1]);
    return {};
}

}  // namespace halvm::net
