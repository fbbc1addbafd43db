// SPDX-License-Identifier: BSD-3-Clause
// TCP without a stack: an engine whose segments are looked at, or carried to another engine, in virtual time.
#pragma once

#include <doctest/doctest.h>

#include <halvm/net/tcp/engine.hpp>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace halvm::test {

namespace tcp = halvm::net::tcp;
using namespace std::chrono_literals;
using net::wire::tcp_sequence;
using octets = std::vector<std::byte>;

inline octets octets_of(std::string_view text) {
    const const_bytes data = as_bytes(text);
    return {data.begin(), data.end()};
}

/// One that was sent.
struct tcp_segment {
    tcp::flow way;
    net::wire::tcp_header header;
    octets data;
};

/// The time, and where an engine's segments go.
class tcp_network final : public tcp::network {
public:
    explicit tcp_network(std::uint64_t seed = 1) : numbers_{seed} {}

    fiber::instant now() noexcept override { return clock != nullptr ? *clock : time; }
    void send(const tcp::flow& way, const tcp::outgoing& what, tcp::connection*) noexcept override {
        tcp_segment made{way, what.header, octets(what.size)};
        if (what.size != 0)
            what.from->copy_out(what.at, made.data);
        CHECK(what.header.size() <= 60);
        // As whoever cuts it apart would send it.
        const std::size_t most = what.segment_size != 0 ? what.segment_size : made.data.size();
        do {
            tcp_segment one{way, made.header, {}};
            const std::size_t size = std::min(most, made.data.size());
            one.data.assign(made.data.begin(), made.data.begin() + static_cast<std::ptrdiff_t>(size));
            made.data.erase(made.data.begin(), made.data.begin() + static_cast<std::ptrdiff_t>(size));
            made.header.sequence = made.header.sequence + static_cast<std::uint32_t>(size);
            if (!made.data.empty())
                one.header.is_fin = one.header.is_push = false;
            CHECK(one.header.size() - 20 + one.data.size() <= sizes_.send);
            if (on_send)
                on_send(std::move(one));
            else
                sent.push_back(std::move(one));
        } while (!made.data.empty());
    }
    result<tcp::segment_sizes> sizes(const tcp::flow&) noexcept override { return sizes_; }
    std::uint32_t longest(const tcp::connection&) noexcept override { return longest_; }
    std::uint64_t random() noexcept override { return numbers_(); }
    void deadline_changed() noexcept override {}

    fiber::instant time = 1'000'000'000;
    fiber::instant* clock = nullptr;  ///< of several
    std::vector<tcp_segment> sent;
    std::function<void(tcp_segment)> on_send;
    tcp::segment_sizes sizes_{1460, 1460};
    std::uint32_t longest_ = 1;

private:
    std::mt19937_64 numbers_;
};

constexpr net::ip_address here{net::ipv4_address{10, 0, 0, 1}}, there{net::ipv4_address{10, 0, 0, 2}};

/// Counts what is told.
struct tcp_watcher final : tcp::observer {
    void changed() noexcept override { ++count; }
    unsigned count = 0;
};

}  // namespace halvm::test
