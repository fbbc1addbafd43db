// SPDX-License-Identifier: BSD-3-Clause
// TCP sockets: two stacks at the ends of a cable, and one that speaks to itself.
#include "net/stack_world.hpp"
#include "stream_conformance.hpp"

#include <halvm/model/nic_faults.hpp>
#include <halvm/net/dns.hpp>
#include <halvm/net/iostream.hpp>
#include <halvm/net/tcp.hpp>

#include <cstdlib>
#include <new>
#include <utility>

namespace {

using namespace halvm;
using namespace halvm::test;
using namespace halvm::net;
using namespace halvm::net::literals;

/// The README's.
[[maybe_unused]] void use(halvm::net::stack& stack) {
    auto listener = stack.tcp().listen(80).value();
    while (auto connection = listener.accept())
        halvm::fiber::spawn([c = std::move(*connection)]() mutable { return c.write(as_bytes("hello\n")); }).detach();
    auto peer = stack.tcp().connect("example.org", 443, halvm::fiber::within(10s));
}

std::size_t allocations = 0;

constexpr ipv4_address client_address{10, 0, 0, 1}, server_address{10, 0, 0, 2};

stack_limits small_buffers() {
    stack_limits limits;
    limits.tcp.most_send_buffer = limits.tcp.send_buffer;
    limits.tcp.most_receive_buffer = limits.tcp.receive_buffer;
    return limits;
}

struct tcp_pair {
    explicit tcp_pair(const stack_limits& limits = small_buffers(), const model::loopback_options& cable = {})
        : ends{model::loopback_nic::make_pair(cable).value()},
          client{std::move(ends.first), {.limits = limits, .random = &random}},
          server{std::move(ends.second), {.limits = limits, .random = &random}} {
        REQUIRE(client.configure("10.0.0.1/24"));
        REQUIRE(server.configure("10.0.0.2/24"));
    }
    std::pair<tcp_connection, tcp_connection> connect(std::uint16_t port = 80) {
        auto listener = server.tcp().listen(port);
        REQUIRE(listener);
        auto from = client.tcp().connect({server_address, port}, fiber::within(10s));
        REQUIRE(from);
        auto to = listener->accept(fiber::within(10s));
        REQUIRE(to);
        return {std::move(*from), std::move(*to)};
    }

    fiber_world world;
    seeded_random random;
    std::pair<model::loopback_nic, model::loopback_nic> ends;
    net::stack client;
    net::stack server;
};

template <class Result>
std::errc code_of(const Result& from) {
    REQUIRE_FALSE(from);
    return static_cast<std::errc>(from.error().code().value());
}

TEST_CASE("tcp sockets: a connection is a ByteStream") {
    tcp_pair both;
    auto [from, to] = both.connect();
    check_stream(from, to);
    check_stream(to, from);
}

TEST_CASE("tcp sockets: a half ends by itself, behind what was written") {
    tcp_pair both;
    auto [from, to] = both.connect();
    check_halves(from, to);
}

TEST_CASE("tcp sockets: who waits hears that the peer has gone") {
    tcp_pair both;
    auto [from, to] = both.connect();
    std::optional<tcp_connection> peer{std::move(to)};
    tcp_connection& stream = from;
    check_gone(stream, peer, 300'000);
}

TEST_CASE("tcp sockets: a coroutine waits for bytes and for the end") {
    tcp_pair both;
    auto [from, to] = both.connect();
    check_watching(from, to);
}

TEST_CASE("tcp sockets: a stack speaks to itself") {
    fiber_world world;
    seeded_random random;
    net::stack alone{{.limits = small_buffers(), .random = &random}};
    auto listener = alone.tcp().listen(7).value();
    auto from = alone.tcp().connect("127.0.0.1:7"_endpoint, fiber::within(1s)).value();
    auto to = listener.accept(fiber::within(1s)).value();
    check_stream(from, to);
    CHECK(from.remote() == "127.0.0.1:7"_endpoint);
    CHECK(to.remote() == from.local());
}

TEST_CASE("tcp sockets: both ends know their addresses, and a text names the peer") {
    tcp_pair both;
    auto [from, to] = both.connect();
    CHECK(from.remote() == endpoint{server_address, 80});
    CHECK(from.local() == to.remote());
    CHECK(from.local().port >= 49152);
    std::array<std::byte, 1> one;
    const auto nothing = to.read(one, fiber::within(1ms));
    CHECK(code_of(nothing) == std::errc::timed_out);
    CHECK(nothing.error().message().find(from.local().to_text().view()) != std::string::npos);
}

TEST_CASE("tcp sockets: nobody listens, and the peer refuses") {
    tcp_pair both;
    both.server.tcp();
    const auto refused = both.client.tcp().connect({server_address, 81}, fiber::within(10s));
    CHECK(code_of(refused) == std::errc::connection_refused);
    CHECK(refused.error().subject() == "10.0.0.2:81");
}

TEST_CASE("tcp sockets: a peer without TCP says so by ICMP") {
    tcp_pair both;
    CHECK(code_of(both.client.tcp().connect({server_address, 81}, fiber::within(10s))) ==
          std::errc::no_protocol_option);
}

TEST_CASE("tcp sockets: nobody is there, within the limit and without one") {
    tcp_pair both;
    const endpoint nobody{ipv4_address{10, 0, 0, 9}, 80};
    const auto begun = fiber::clock::now();
    CHECK(code_of(both.client.tcp().connect(nobody, fiber::within(500ms))) == std::errc::timed_out);
    CHECK(fiber::clock::now() - begun < 600ms);
    // Who does not answer ARP is an unreachable host, but only when nothing better comes.
    CHECK(code_of(both.client.tcp().connect(nobody)) == std::errc::host_unreachable);
    CHECK(fiber::clock::now() - begun < 200s);
    CHECK(code_of(both.client.tcp().connect({"192.0.2.1"_ip, 80}, fiber::within(1s))) ==
          std::errc::network_unreachable);
    CHECK(both.client.tcp().engine().connections() == 0);
}

TEST_CASE("tcp sockets: a port is somebody's, and a listener that is closed wakes who waits") {
    tcp_pair both;
    auto listener = both.server.tcp().listen(80).value();
    CHECK(code_of(both.server.tcp().listen(80)) == std::errc::address_in_use);
    CHECK(code_of(both.server.tcp().listen({.address = "10.9.9.9"_ip, .port = 80})) ==
          std::errc::address_not_available);
    CHECK(code_of(listener.accept(fiber::within(1ms))) == std::errc::timed_out);
    auto waiting = fiber::spawn([&] { return listener.accept(); });
    fiber::yield();
    listener.close();
    const auto closed = waiting.join();
    CHECK(code_of(closed) == std::errc::broken_pipe);
    CHECK(closed.error().subject() == "0.0.0.0:80");
    CHECK(both.server.tcp().listen(80));
}

TEST_CASE("tcp sockets: a reset fails both calls of the peer, and says who it was") {
    tcp_pair both;
    auto [from, to] = both.connect();
    std::array<std::byte, 8> few;
    auto reader = fiber::spawn([&, &to = to] { return to.read(few); });
    fiber::yield();
    from.abort();
    CHECK(code_of(reader.join()) == std::errc::connection_reset);
    CHECK(code_of(to.write(as_bytes("x"))) == std::errc::connection_reset);
    CHECK(code_of(from.read(few)) == std::errc::connection_aborted);
}

TEST_CASE("tcp sockets: a connection as a std::iostream: numbers, lines, the end, and failures") {
    tcp_pair both;
    auto [from, to] = both.connect();
    auto answerer = fiber::spawn([&] {
        net::iostream text{std::move(to)};
        int sum = 0;
        for (int one = 0; text >> one;)
            sum += one;
        CHECK(text.eof());
        CHECK_FALSE(text.bad());
        CHECK_FALSE(text.failure());
        text.clear();
        text << "the sum is " << sum << "\n" << traffic(100'000, 4) << "\n";
    });
    net::iostream made{std::move(from)};
    net::iostream text{std::move(made)};
    for (int i = 1; i <= 5000; ++i)
        text << i << ' ';
    CHECK(text.shutdown());
    std::string line;
    CHECK(std::getline(text, line));
    CHECK(line == "the sum is 12502500");
    CHECK(std::getline(text, line));
    CHECK(line == traffic(100'000, 4));
    answerer.join();
    CHECK_FALSE(std::getline(text, line));
    CHECK(text.eof());
    text.clear();
    text << "x" << std::flush;
    CHECK(text.bad());
    CHECK(text.failure()->code() == std::errc::broken_pipe);
}

TEST_CASE("tcp sockets: a std::iostream asks before it waits for the answer, and waits for no longer than it may") {
    tcp_pair both;
    auto [from, to] = both.connect();
    net::iostream asking{std::move(from)}, answering{std::move(to)};
    auto answerer = fiber::spawn([&] {
        std::string word;
        answering >> word;
        answering << word << "!\n" << std::flush;
    });
    std::string word;
    asking << "hello\n";
    asking >> word;
    CHECK(word == "hello!");
    answerer.join();
    asking.set_patience(10ms);
    CHECK((asking >> word).fail());
    CHECK(asking.bad());
    CHECK(asking.failure()->code() == std::errc::timed_out);
    CHECK(asking.stream().remote().port == 80);
}

TEST_CASE("tcp sockets: two come at once, and two wait: both are served") {
    tcp_pair both;
    auto listener = both.server.tcp().listen(80).value();
    std::vector<fiber::handle<void>> acceptors;
    for (int i = 0; i < 2; ++i)
        acceptors.push_back(fiber::spawn([&] { CHECK(listener.accept(fiber::within(10s))); }));
    fiber::yield();
    auto one = fiber::spawn([&] { return both.client.tcp().connect({server_address, 80}, fiber::within(10s)); });
    auto two = fiber::spawn([&] { return both.client.tcp().connect({server_address, 80}, fiber::within(10s)); });
    CHECK(one.join());
    CHECK(two.join());
    for (auto& each : acceptors)
        each.join();
}

TEST_CASE("tcp sockets: a group is nobody to connect to, and an address that is not ours none to connect from") {
    tcp_pair both;
    for (const auto& group : {"224.0.0.1"_ip, "255.255.255.255"_ip, "10.0.0.255"_ip})
        CHECK(code_of(both.client.tcp().connect({group, 80}, fiber::within(1s))) == std::errc::address_not_available);
    CHECK(code_of(both.client.tcp().connect({server_address, 80}, fiber::within(1s), {}, {"10.0.0.7"_ip, 0})) ==
          std::errc::address_not_available);
    auto listener = both.server.tcp().listen(80).value();
    const endpoint ours{client_address, 4000};
    const auto one = both.client.tcp().connect({server_address, 80}, fiber::within(1s), {}, ours);
    REQUIRE(one);
    CHECK(one->local() == ours);
    CHECK(code_of(both.client.tcp().connect({server_address, 80}, fiber::within(1s), {}, ours)) ==
          std::errc::address_in_use);
}

TEST_CASE("tcp sockets: close waits until the peer has everything") {
    tcp_pair both;
    auto [from, to] = both.connect();
    REQUIRE(from.write(as_bytes("all of it")));
    CHECK(from.close(fiber::within(10s)));
    CHECK(from.details().is_drained());
    CHECK(read_exactly(to, 9) == "all of it");
    {
        const tcp_connection gone{std::move(from)};
        const tcp_connection gone_too{std::move(to)};
    }
    pass(120s);
    CHECK(both.client.tcp().engine().connections() == 0);
    CHECK(both.server.tcp().engine().connections() == 0);
    CHECK(both.client.tcp().engine().time_waits() == 0);
    CHECK(both.client.tcp().engine().store().used() == 0);
    CHECK(both.server.tcp().engine().store().used() == 0);
}

TEST_CASE("tcp sockets: what was queued in connections that are gone can be waited for") {
    tcp_pair both;
    auto [from, to] = both.connect();
    tcp_layer& ours = both.client.tcp();
    CHECK(ours.drain(fiber::within(1s)));
    const std::string all = traffic(100'000, 5);
    REQUIRE(from.write(as_bytes(all)));
    const auto begun = fiber::clock::now();
    // One that is in use is its user's affair.
    CHECK(ours.drain(fiber::within(1s)));
    CHECK(fiber::clock::now() == begun);
    { const tcp_connection gone{std::move(from)}; }
    CHECK(code_of(ours.drain(fiber::within(1s))) == std::errc::timed_out);
    auto reader = fiber::spawn([&, &to = to] { CHECK(read_exactly(to, all.size()) == all); });
    CHECK(ours.drain(fiber::within(10s)));
    CHECK(fiber::clock::now() - begun < 5s);
    reader.join();
    // Nor does it wait for one whose peer has gone.
    auto [late, peer] = both.connect(81);
    REQUIRE(late.write(as_bytes(all)));
    { const tcp_connection gone{std::move(late)}; }
    peer.abort();
    CHECK(ours.drain(fiber::within(10s)));
}

TEST_CASE("tcp sockets: many at once, over a link that loses, doubles and reorders") {
    fiber_world world;
    seeded_random random;
    auto [left, right] = model::loopback_nic::make_pair().value();
    const auto make_bad = [](model::loopback_nic nic, std::uint64_t seed) {
        return model::faulty_nic{std::move(nic),
                                 {.seed = seed,
                                  .lost = 0.02,
                                  .doubled = 0.02,
                                  .damaged = 0.02,
                                  .reordered = 0.05,
                                  .least_delay = 1ms,
                                  .most_delay = 2ms}};
    };
    net::stack client{make_bad(std::move(left), 5), {.limits = small_buffers(), .random = &random}};
    net::stack server{make_bad(std::move(right), 6), {.limits = small_buffers(), .random = &random}};
    REQUIRE(client.configure("10.0.0.1/24"));
    REQUIRE(server.configure("10.0.0.2/24"));
    auto listener = server.tcp().listen(7).value();
    auto acceptor = fiber::spawn([&] {
        std::vector<fiber::handle<void>> echoes;
        for (int i = 0; i < 8; ++i)
            echoes.push_back(fiber::spawn([one = listener.accept().value()]() mutable {
                std::array<std::byte, 3000> some;
                while (const std::size_t count = one.read(some).value())
                    CHECK(one.write(bytes{some}.first(count)));
                CHECK(one.close());
            }));
        for (auto& one : echoes)
            one.join();
    });
    std::vector<fiber::handle<void>> clients;
    for (unsigned i = 0; i < 8; ++i)
        clients.push_back(fiber::spawn([&client, i] {
            auto one = client.tcp().connect({server_address, 7}).value();
            const std::string text = traffic(40'000 + 1000 * i, i);
            auto writer = fiber::spawn([&] {
                CHECK(one.write(as_bytes(text)));
                CHECK(one.shutdown());
            });
            CHECK(read_exactly(one, text.size()) == text);
            std::array<std::byte, 1> more;
            CHECK(one.read(more).value() == 0);
            writer.join();
        }));
    for (auto& one : clients)
        one.join();
    acceptor.join();
    CHECK(client.statistics().tcp.retransmitted + server.statistics().tcp.retransmitted > 0);
    CHECK(client.statistics().tcp.bad_checksum + server.statistics().tcp.bad_checksum > 0);
}

/// Writes much and reads it; how many bytes.
std::size_t bulk(tcp_connection& from, tcp_connection& to) {
    const std::string text = traffic(1'000'000, 3);
    auto writer = fiber::spawn([&] { CHECK(from.write(as_bytes(text))); });
    CHECK(read_exactly(to, text.size()) == text);
    writer.join();
    return text.size();
}

TEST_CASE("tcp sockets: a NIC that can cuts segments apart, and joins them") {
    const nic_offloads all{.checksum_ipv4 = true, .longest_tcp_ipv4 = 65'535};
    for (const bool joins : {true, false}) {
        tcp_pair both{{}, {.transmit = all, .receive = joins ? all : nic_offloads{}}};
        auto [from, to] = both.connect();
        const std::size_t size = bulk(from, to);
        CHECK(both.client.statistics().link.transmitted < size / 1460 / 4);
        CHECK((both.server.statistics().link.received > size / 1460) != joins);
        CHECK(both.client.statistics().tcp.retransmitted == 0);
    }
}

TEST_CASE("tcp sockets: a NIC that is slow makes a sender wait, and nothing is lost on the way to it") {
    stack_limits limits;
    limits.transmit_queue = 40;
    tcp_pair both{limits, {.queue = 4}};
    auto [from, to] = both.connect();
    bulk(from, to);
    CHECK(both.client.statistics().link.queue_full == 0);
    CHECK(both.client.statistics().tcp.retransmitted == 0);
}

/// How many bytes a second a new connection carries, of 100 Mbit/s with 100 ms there and back, when it is 10 s old; and
/// how much memory the receiver used at most.
std::pair<std::size_t, std::size_t> long_way(const stack_limits& limits) {
    fiber_world world;
    seeded_random random;
    auto [left, right] =
        model::loopback_nic::make_pair({.memory = {.large = 2048, .large_count = 8192, .small_count = 8192}}).value();
    const auto far = [](model::loopback_nic nic) {
        return model::faulty_nic{
            std::move(nic), {.least_delay = 50ms, .most_delay = 50ms, .bits_per_second = 100'000'000, .queue = 4000}};
    };
    net::stack client{far(std::move(left)), {.limits = limits, .random = &random}};
    net::stack server{far(std::move(right)), {.limits = limits, .random = &random}};
    REQUIRE(client.configure("10.0.0.1/24"));
    REQUIRE(server.configure("10.0.0.2/24"));
    auto listener = server.tcp().listen(7).value();
    auto from = client.tcp().connect({server_address, 7}).value();
    auto to = listener.accept().value();
    auto writer = fiber::spawn([&] {
        const octets data(65536);
        while (from.write(data)) {}
    });
    std::size_t late = 0, most = 0;
    std::array<std::byte, 8192> into;
    for (const auto begin = fiber::clock::now(); fiber::clock::now() - begin < 12s;) {
        const std::size_t count = to.read(into).value();
        if (fiber::clock::now() - begin >= 10s)
            late += count;
        most = std::max(most, server.tcp().engine().store().used());
    }
    to.abort();
    writer.join();
    return {late / 2, most};
}

TEST_CASE("tcp sockets: buffers grow to what the path holds, and stay small where memory is short") {
    const auto [fast, much] = long_way({});
    CHECK(fast > 11'000'000);  // of 12,500,000
    stack_limits narrow;
    narrow.tcp.memory = 256 * 1024;
    const auto [slow, little] = long_way(narrow);
    CHECK(slow > 500'000);
    CHECK(little <= narrow.tcp.memory);
    static_cast<void>(much);
}

TEST_CASE("tcp sockets: after a time in which nobody could run, what has come is read before a timeout counts") {
    fiber_world world;
    seeded_random random;
    auto [left, right] = model::loopback_nic::make_pair().value();
    net::stack client{std::move(left), {.random = &random}};
    net::stack server{model::faulty_nic{std::move(right), {.least_delay = 50ms, .most_delay = 50ms}},
                      {.random = &random}};
    REQUIRE(client.configure("10.0.0.1/24"));
    REQUIRE(server.configure("10.0.0.2/24"));
    auto listener = server.tcp().listen(7).value();
    auto from = client.tcp().connect({server_address, 7}).value();
    auto echo = fiber::spawn([to = listener.accept().value()]() mutable {
        std::array<std::byte, 64> some;
        while (const std::size_t count = to.read(some).value())
            CHECK(to.write(bytes{some}.first(count)));
    });
    std::array<std::byte, 64> some{};
    const auto exchange = [&] {
        CHECK(from.write(some));
        CHECK(from.read(some).value() == some.size());
    };
    exchange();
    exchange();
    bool stands_still = true;
    world.wakes_at = [&](fiber::instant deadline) {
        return std::exchange(stands_still, false) ? deadline + 1'000'000'000 : deadline;
    };
    exchange();
    CHECK_FALSE(stands_still);
    CHECK(client.statistics().tcp.timeouts == 0);
    CHECK(from.shutdown());
    echo.join();
}

TEST_CASE("tcp sockets: what flows allocates nothing") {
    tcp_pair both;
    auto [from, to] = both.connect();
    const auto exchange = [&, &from = from, &to = to] {
        std::array<std::byte, 2000> some{};
        CHECK(from.write(some));
        for (std::size_t left = some.size(); left != 0;)
            left -= to.read(bytes{some}.first(left)).value();
    };
    for (int i = 0; i < 1000; ++i)
        exchange();
    const std::size_t before = allocations;
    for (int i = 0; i < 100; ++i)
        exchange();
    CHECK(allocations == before);
}

}  // namespace

// Counts what this program allocates.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size != 0 ? size : 1);
}
void* operator new(std::size_t size) {
    if (void* const memory = operator new(size, std::nothrow))
        return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
