// SPDX-License-Identifier: BSD-3-Clause
// TCP in a domain, counted: what a segment costs that came or goes, through a whole stack whose NIC gives and takes
// frames without a device, and in TCP's state machine alone. Run where one instruction is one tick of the time stamp
// counter.
#include <halvm/fiber.hpp>
#include <halvm/model/loopback.hpp>
#include <halvm/net/tcp.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace halvm;
using namespace halvm::net;

void must(const result<void>& done) {
    if (!done)
        std::abort();
}

constexpr std::uint64_t times = 400;

std::uint64_t ticks() { return __builtin_ia32_rdtsc(); }
void print(const char* metric, std::uint64_t all, std::uint64_t count = times) {
    std::printf("%s\t%lu\n", metric, static_cast<unsigned long>(all / count));
}

/// Swallows what is sent.
class silence final : public tcp::network {
public:
    fiber::instant now() noexcept override { return time; }
    void send(const tcp::flow&, const tcp::outgoing& what, tcp::connection*) noexcept override {
        last = what.header;
        ++sent;
    }
    result<tcp::segment_sizes> sizes(const tcp::flow&) noexcept override { return tcp::segment_sizes{1460, 1460}; }
    std::uint64_t random() noexcept override { return state_ += 0x9e37'79b9'7f4a'7c15; }
    void deadline_changed() noexcept override {}

    fiber::instant time = 1'000'000'000;
    wire::tcp_header last{};
    std::uint64_t sent = 0;

private:
    std::uint64_t state_ = 1;
};

/// The state machine, whose peer is a script.
class machine {
public:
    machine() : engine_{{}, network_, counters_}, at_{engine_.listen({{}, 80}, {.no_delay = true}, 4).value()} {}

    tcp::connection& connect(std::uint16_t port) {
        way_.remote.port = port;
        receive({.sequence = wire::tcp_sequence{999},
                 .is_syn = true,
                 .window = 65535,
                 .options = {.mss = 1460, .window_scale = 7, .sack_permitted = true, .timestamps = stamps()}});
        acked_ = network_.last.sequence + 1;
        peer_ = wire::tcp_sequence{1000};
        receive(header());
        return *at_->accept();
    }
    void forget(tcp::connection& one) {
        one.abort();
        engine_.release(one);
    }
    [[nodiscard]] wire::tcp_header header() const {
        return {.sequence = peer_, .acknowledgment = acked_, .window = 50000, .options = {.timestamps = stamps()}};
    }
    void receive(const wire::tcp_header& header, const_bytes data = {}) { engine_.receive(way_, header, data); }

    void run() {
        std::vector<std::byte> data(1448), into(1448);
        std::uint64_t took = ticks();
        for (std::uint64_t i = 0; i < times; ++i)
            forget(connect(static_cast<std::uint16_t>(10'000 + i)));
        print("state machine: a connection, from its SYN to its reset", ticks() - took);

        tcp::connection& one = connect(5000);
        std::uint64_t came = 0, read = 0, written = 0, acked = 0;
        for (std::uint64_t i = 0; i < times; ++i) {
            network_.time += 100'000;
            took = ticks();
            receive(header(), data);
            came += ticks() - took;
            peer_ = peer_ + 1448;
            took = ticks();
            one.read(into);
            read += ticks() - took;
            took = ticks();
            one.write(const_bytes{data});
            written += ticks() - took;
            acked_ = acked_ + 1448;
            took = ticks();
            receive(header());
            acked += ticks() - took;
        }
        print("state machine: a segment of 1448 bytes that came", came);
        print("state machine: the same is read by its user", read);
        print("state machine: a segment of 1448 bytes that is written and sent", written);
        print("state machine: its acknowledgment that came", acked);
        forget(one);
        engine_.release(*at_);
    }

private:
    [[nodiscard]] wire::tcp_timestamps stamps() const {
        return {static_cast<std::uint32_t>(network_.time / 1'000'000), 0};
    }

    silence network_;
    tcp_statistics counters_;
    tcp::engine engine_;
    tcp::listener* at_;
    tcp::flow way_{{ipv4_address{10, 0, 0, 2}, 80}, {ipv4_address{10, 0, 0, 1}, 5000}};
    wire::tcp_sequence peer_{};
    wire::tcp_sequence acked_{};
};

/// Two stacks at the ends of a cable in memory, in one domain: what both together execute, the cable's copies, the
/// switches of fibers and the sockets with them.
void whole_stacks() {
    const nic_offloads sums{.checksum_ipv4 = true};
    const nic_offloads all{.checksum_ipv4 = true, .longest_tcp_ipv4 = 65'535};
    for (const auto& [name, offloads] :
         {std::pair{"sums by software", nic_offloads{}}, {"sums left to the NIC", sums}, {"segments too", all}}) {
        auto [left, right] = model::loopback_nic::make_pair({.transmit = offloads, .receive = offloads}).value();
        stack client{std::move(left)}, server{std::move(right)};
        must(client.configure("10.0.0.1/24"));
        must(server.configure("10.0.0.2/24"));
        auto listener = server.tcp().listen({.port = 7, .options = {.no_delay = true}}).value();
        auto from = client.tcp().connect({ipv4_address{10, 0, 0, 2}, 7}, {}, {.no_delay = true}).value();
        auto to = listener.accept().value();
        auto echo = fiber::spawn([&] {
            std::array<std::byte, 64> some;
            for (std::size_t got; (got = to.read(some).value()) != 0 && got != 63;)
                must(to.write(std::span{some}.first(got)));
        });
        std::array<std::byte, 64> message{};
        const auto exchange = [&] {
            must(from.write(message));
            from.read(message).value();
        };
        for (int i = 0; i < 50; ++i)
            exchange();
        std::uint64_t took = ticks();
        for (std::uint64_t i = 0; i < times; ++i)
            exchange();
        char text[96];
        std::snprintf(text, sizeof text, "two stacks: an echo of 64 bytes, %s", name);
        print(text, ticks() - took);
        must(from.write(std::span{message}.first(63)));
        echo.join();
        constexpr std::size_t size = 1 << 20;
        auto reader = fiber::spawn([&] {
            std::vector<std::byte> into(65536);
            for (std::size_t left_over = size; left_over != 0;)
                left_over -= to.read(into).value();
        });
        const std::vector<std::byte> data(65536);
        took = ticks();
        for (std::size_t sent = 0; sent < size; sent += data.size())
            must(from.write(data));
        reader.join();
        std::snprintf(text, sizeof text, "two stacks: each 1448 bytes of a megabyte, %s", name);
        print(text, ticks() - took, size / 1448);
    }
}

}  // namespace

int halvm_main() {
    machine{}.run();
    whole_stacks();
    return 0;
}
