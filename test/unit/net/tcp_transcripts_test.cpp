// SPDX-License-Identifier: BSD-3-Clause
// TCP's core against a script: the peer sends, we must answer. Named after the sections that ask for it.
#include "net/tcp_link.hpp"

namespace {

using namespace halvm;
using namespace halvm::test;
using net::wire::tcp_header;

struct script {
    explicit script(const tcp::settings& how = {}) : engine{how, network, counters} {
        at = engine.listen({{}, 80}, {}, 4).value();
    }
    ~script() {
        if (one != nullptr)
            engine.release(*one);
        engine.release(*at);
    }
    void peer_sends(tcp_header header, std::string_view data = {}, std::uint16_t port = 5000) {
        engine.receive({{here, 80}, {there, port}}, header, as_bytes(data));
    }
    tcp_header plain(std::uint32_t sequence, std::uint32_t ack) const {
        return {.sequence = tcp_sequence{1000 + sequence}, .acknowledgment = iss + ack, .window = 5000};
    }
    tcp_segment only() {
        REQUIRE(network.sent.size() == 1);
        return std::exchange(network.sent, {}).front();
    }
    void pass(std::chrono::nanoseconds time) {
        const fiber::instant end = network.time + static_cast<fiber::instant>(time.count());
        while (engine.deadline() <= end) {
            network.time = std::max(network.time, engine.deadline());
            engine.advance();
        }
        network.time = end;
    }
    tcp_header syn(bool selective = false) const {
        return {.sequence = tcp_sequence{999},
                .is_syn = true,
                .window = 5000,
                .options = {.mss = 1000, .sack_permitted = selective}};
    }
    void establish(bool selective = false) {
        peer_sends(syn(selective));
        iss = only().header.sequence + 1;
        peer_sends(plain(1 - 1, 0));
        one = at->accept();
        REQUIRE(one != nullptr);
        CHECK(one->now() == tcp::state::established);
        network.sent.clear();
    }
    void writes(std::size_t size) { CHECK(one->write(const_bytes{octets(size)}) == size); }

    tcp_network network;
    net::tcp_statistics counters;
    tcp::engine engine;
    tcp::listener* at = nullptr;
    tcp::connection* one = nullptr;
    tcp_sequence iss{};
};

TEST_CASE("rfc9293 3.10.7.1: what belongs to nothing is reset, by the number that it says") {
    script own;
    tcp_header stray{.sequence = tcp_sequence{7}, .acknowledgment = tcp_sequence{99}};
    own.peer_sends(stray);
    const tcp_segment reset = own.only();
    CHECK(reset.header.is_rst);
    CHECK(reset.header.sequence == tcp_sequence{99});
    stray.is_rst = true;
    own.peer_sends(stray);
    CHECK(own.network.sent.empty());
}

TEST_CASE("rfc9293 3.10.7.4: data in order is acknowledged late, and every second segment at once") {
    script own;
    own.establish();
    own.peer_sends(own.plain(0, 0), "ab");
    CHECK(own.network.sent.empty());
    own.pass(39ms);
    CHECK(own.network.sent.empty());
    own.pass(1ms);
    CHECK(own.only().header.acknowledgment == tcp_sequence{1002});
    const std::string full(1000, 'x');
    own.peer_sends(own.plain(2, 0), full);
    own.peer_sends(own.plain(1002, 0), full);
    CHECK(own.only().header.acknowledgment == tcp_sequence{3002});
}

TEST_CASE("rfc2018 4: what is ahead of a gap is reported, and kept, and nothing of it is lost") {
    script own;
    own.establish(true);
    own.peer_sends(own.plain(2, 0), "cd");
    const tcp_header gap = own.only().header;
    CHECK(gap.acknowledgment == tcp_sequence{1000});
    REQUIRE(gap.options.sack.size() == 1);
    CHECK(*gap.options.sack.begin() == tcp::sequence_range{tcp_sequence{1002}, tcp_sequence{1004}});
    own.peer_sends(own.plain(1, 0), "bcde");
    CHECK(own.only().header.options.sack.begin()->end == tcp_sequence{1005});
    own.peer_sends(own.plain(0, 0), "ab");
    CHECK(own.only().header.acknowledgment == tcp_sequence{1005});
    std::array<std::byte, 9> into{};
    CHECK(own.one->read(into) == 5);
    CHECK(as_text(bytes{into}.first(5)) == "abcde");
}

TEST_CASE("rfc5961 3.2, 4.2, 5.2: resets, SYNs and acknowledgments that miss are answered by a challenge") {
    script own;
    own.establish();
    for (const auto& [sequence, is_rst, is_syn, ack] :
         {std::tuple{1u, true, false, 0u}, {1u, false, true, 0u}, {0u, false, false, 9u}}) {
        tcp_header header = own.plain(sequence, ack);
        header.is_rst = is_rst;
        header.is_syn = is_syn;
        own.peer_sends(header);
        CHECK(own.only().header.acknowledgment == tcp_sequence{1000});
        CHECK(own.one->now() == tcp::state::established);
    }
    CHECK(own.counters.challenges == 3);
    tcp_header exact = own.plain(0, 0);
    exact.is_rst = true;
    own.peer_sends(exact);
    CHECK(own.one->failure() == std::errc::connection_reset);
}

TEST_CASE("rfc5681 3.2: the third duplicate acknowledgment sends the first segment again, before the timer") {
    script own;
    own.establish();
    own.writes(5000);
    CHECK(own.network.sent.size() == 5);
    own.network.sent.clear();
    own.peer_sends(own.plain(0, 0));
    own.peer_sends(own.plain(0, 0));
    CHECK(own.network.sent.empty());
    own.peer_sends(own.plain(0, 0));
    const tcp_segment again = own.only();
    CHECK(again.header.sequence == own.iss);
    CHECK(again.data.size() == 1000);
    CHECK(own.counters.timeouts == 0);
}

TEST_CASE("rfc6298 5: without an answer the first segment is sent again, each time after twice as long") {
    script own;
    own.establish();
    own.writes(10);
    own.network.sent.clear();
    for (const auto wait : {200ms, 400ms, 800ms}) {
        own.pass(wait - 1ms);
        CHECK(own.network.sent.empty());
        own.pass(1ms);
        CHECK(own.only().header.sequence == own.iss);
    }
    CHECK(own.one->congestion_window() == own.one->segment_size());
}

TEST_CASE("rfc9293 3.8.6.1: a closed window is asked again and again, and never given up") {
    script own;
    own.establish();
    tcp_header closed = own.plain(0, 0);
    closed.window = 0;
    own.peer_sends(closed);
    own.writes(100);
    CHECK(own.network.sent.empty());
    for (int i = 0; i < 30; ++i) {
        own.pass(61s);
        CHECK_FALSE(own.network.sent.empty());
        CHECK(own.network.sent.front().data.size() == 1);
        own.network.sent.clear();
        own.peer_sends(closed);
        own.network.sent.clear();
    }
    own.peer_sends(own.plain(0, 0));
    CHECK(own.only().data.size() == 100);
}

TEST_CASE("rfc4987 3.6: more handshakes than are remembered get cookies, and a good client is served") {
    tcp::settings how;
    how.half_open = 2;
    script own{how};
    for (std::uint16_t port = 1; port <= 10; ++port)
        own.peer_sends(own.syn(), {}, port);
    CHECK(own.engine.half_open() == 2);
    CHECK(own.counters.cookies_sent == 8);
    own.network.sent.clear();
    own.establish();
    CHECK(own.counters.cookies_accepted == 1);
    tcp_header forged = own.plain(0, 12345);
    own.peer_sends(forged, {}, 77);
    CHECK(own.network.sent.back().header.is_rst);
    own.pass(200s);
    CHECK(own.engine.half_open() == 0);
}

TEST_CASE("rfc9293 3.6, rfc1337, rfc6191: both close, TIME-WAIT hears no reset, and a new SYN opens again") {
    script own;
    own.establish();
    own.one->shutdown();
    CHECK(own.only().header.is_fin);
    tcp_header fin = own.plain(0, 1);
    fin.is_fin = true;
    own.peer_sends(fin);
    CHECK(own.only().header.acknowledgment == tcp_sequence{1001});
    CHECK(own.one->is_at_end());
    CHECK(own.engine.time_waits() == 1);
    tcp_header reset = own.plain(1, 1);
    reset.is_rst = true;
    own.peer_sends(reset);
    CHECK(own.engine.time_waits() == 1);
    tcp_header again = own.syn();
    again.sequence = tcp_sequence{5000};
    own.peer_sends(again);
    CHECK(own.only().header.is_syn);
    CHECK(own.engine.time_waits() == 0);
    CHECK(own.engine.half_open() == 1);
}

TEST_CASE("tcp: an idle connection's state") {
    CHECK(sizeof(tcp::connection) <= 832);
    script own;
    own.establish();
    CHECK(own.engine.store().used() == 0);
}

}  // namespace
