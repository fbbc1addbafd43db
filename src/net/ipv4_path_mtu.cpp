// SPDX-License-Identifier: BSD-3-Clause
// How much a path carries, as routers say it. [rfc1191]
#include <halvm/net/stack.hpp>

#include <algorithm>

namespace halvm::net {
namespace {

/// What a router that does not say may have meant. [rfc1191 7.1]
constexpr std::array<std::uint16_t, 10> plateaus{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

}  // namespace

std::uint32_t ipv4_layer::path_mtu(const ip_address& destination, std::uint32_t link) {
    known_mtu* const known = path_mtus_.find(destination);
    if (known == nullptr)
        return link;
    if (alarm_clock::now() >= known->until) {
        path_mtus_.erase(*known);
        return link;
    }
    path_mtus_.touch(*known);
    return std::min(link, known->mtu);
}

std::uint32_t ipv4_layer::reduce_path_mtu(const ip_address& destination, std::optional<std::uint16_t> said,
                                          std::size_t datagram) {
    const auto way = stack_.find_path(destination);
    if (!way || way->via->is_loopback())
        return 0;
    std::uint32_t mtu = said.value_or(0);
    if (mtu == 0)
        for (const std::uint16_t one : plateaus)
            if (one < datagram) {
                mtu = one;
                break;
            }
    mtu = std::max(mtu, stack_.limits().least_path_mtu);
    // It never grows by what somebody says. [rfc1191 6.3]
    if (mtu >= way->mtu)
        return way->mtu;
    known_mtu* known = path_mtus_.find(destination);
    if (known == nullptr) {
        if (path_mtus_.full())
            path_mtus_.erase(path_mtus_.least_recent());
        known = &path_mtus_.insert(destination);
    }
    path_mtus_.touch(*known);
    known->mtu = mtu;
    known->until = fiber::instant_after(stack_.limits().path_mtu_time);
    ++stack_.counters().icmp.mtu_reduced;
    stack_.changed();
    return mtu;
}

}  // namespace halvm::net
