// SPDX-License-Identifier: BSD-3-Clause
// TCP's core against scripts: what was lost, how fast to send, and peers that lie. tcp_transcript.hpp says how to read
// a script.
#include "net/tcp_transcript.hpp"

#include <set>

namespace {

using namespace halvm;
using namespace halvm::test;

tcp::settings plain() {
    tcp::settings how;
    how.selective_acks = false;
    return how;
}

// --- Timeouts

TEST_CASE("rfc6298 5: without an answer the first segment is sent again, each time after twice as long") {
    transcript{}.established().play(R"(
        write 10
        > . 1:11
        +199
        +1
        > . 1:11
        cwnd 1000
        +399
        +1
        > . 1:11
        +800
        > . 1:11
        < . 1 ack 11
        write 10
        > . 11:21
        +200
        > . 11:21)");
}

TEST_CASE("rfc6298 2: the first round trips make the timeout, of at least 200 ms and at most a minute") {
    tcp::settings how;
    transcript own{how};
    own.play(R"(
        < S 0 mss 1000
        > S. 0
        +500
        < . 1 ack 1
        accept
        write 10
        > . 1:11
        +1499
        +1
        > . 1:11)");
    CHECK(own.one().rtt().smoothed() == 500'000'000);
    CHECK(own.one().rtt().variation() == 250'000'000);
    tcp::rtt_estimator one{how};
    CHECK(one.timeout(how) == 1'000'000'000);  // of nothing [rfc6298 2.1]
    one.sample(100'000'000, how);
    CHECK(one.timeout(how) == 300'000'000);  // SRTT + 4 * RTTVAR
    one.sample(180'000'000, how);
    CHECK(one.variation() == 57'500'000);  // 3/4 * 50 + 1/4 * 80
    CHECK(one.smoothed() == 110'000'000);  // 7/8 * 100 + 1/8 * 180
    for (int i = 0; i < 100; ++i)
        one.sample(1'000'000, how);
    CHECK(one.timeout(how) == 200'000'000);
    for (int i = 0; i < 20; ++i)
        one.back_off();
    CHECK(one.timeout(how) == 60'000'000'000);
}

TEST_CASE("rfc6298 3, MUST-18: what was sent twice measures nothing without stamps, and with them it does") {
    transcript own;
    own.established().play(R"(
        write 10
        > . 1:11
        +200
        > . 1:11
        +300
        < . 1 ack 11)");
    CHECK(own.one().rtt().smoothed() < 2'000'000);
    transcript stamped;
    stamped.established("mss 1000 ts 1,0").play(R"(
        write 10
        > . 1:11
        +200
        > . 1:11
        +300
        < . 1 ack 11 ts 2,last)");
    CHECK(stamped.one().rtt().smoothed() > 30'000'000);
}

TEST_CASE("rfc6298 5.7: when a SYN was lost, the timeout is three seconds and the window one segment") {
    transcript{}.play(R"(
        connect
        > S 0
        +1000
        > S 0
        < S. 0 ack 1 mss 1000
        > . 1 ack 1
        cwnd 1000
        write 3000
        > . 1:1001
        +2999
        +1
        > . 1:1001)");
}

TEST_CASE("rfc6298 5.3: an acknowledgment of something new starts the timer anew") {
    transcript{}.established().play(R"(
        write 2000
        > . 1:1001
        > . 1001:2001
        +150
        < . 1 ack 1001
        +199
        +1
        > . 1001:2001)");
}

TEST_CASE("rfc5681 3.1: after a timeout all that is not acknowledged goes out again, in slow start") {
    transcript{plain()}.established().play(R"(
        write 5000
        > *
        +200
        > . 1:1001
        < . 1 ack 1001
        > . 1001:2001
        > . 2001:3001
        < . 1 ack 5001
        cwnd 3000)");
}

TEST_CASE("tcp: a lost tail is recovered by one timeout, after which the timer is not doubled") {
    transcript own;
    own.established("mss 1000 sackok").play(R"(
        write 3000
        > *
        < . 1 ack 2001
        +200
        > . 2001:3001
        < . 1 ack 3001
        write 10
        > . 3001:3011
        +200
        > . 3001:3011)");
    CHECK(own.counters.timeouts == 2);
}

// --- Windows

TEST_CASE("rfc6928 2: the first window is ten segments, or 14600 bytes, or two segments") {
    for (const auto& [mss, path, window] :
         {std::tuple{1460, 1460, 14600}, {536, 1460, 5360}, {2000, 2000, 14600}, {8960, 8960, 17920}}) {
        transcript own;
        own.network.sizes_.send = static_cast<std::uint16_t>(path);
        own.established("mss " + std::to_string(mss)).play("cwnd " + std::to_string(window));
    }
}

TEST_CASE("rfc5681 3.1: slow start grows by what was acknowledged, and only when the window was used") {
    transcript{}.established().play(R"(
        write 10000
        > *
        < . 1 ack 2001
        cwnd 12000
        < . 1 ack 10001
        cwnd 20000
        write 10
        > *
        < . 1 ack 10011
        cwnd 20000)");
}

TEST_CASE("rfc5681 3.1: congestion avoidance grows by a segment in a round trip") {
    tcp::new_reno one;
    one.start(1000, 10'000);
    one.on_loss(20'000, 0);
    CHECK(one.window() == 10'000);
    one.on_acknowledged({.size = 10'000, .used_up = true});
    CHECK(one.window() == 11'000);
    one.on_acknowledged({.size = 10'999, .used_up = true});
    CHECK(one.window() == 11'000);
    one.on_acknowledged({.size = 1, .used_up = true});
    CHECK(one.window() == 12'000);
    one.on_timeout(12'000, true, 0);
    CHECK(one.window() == 1000);
    CHECK(one.threshold() == 6000);
    one.on_timeout(1000, false, 0);
    CHECK(one.threshold() == 6000);
    one.on_loss(1000, 0);
    CHECK(one.threshold() == 2000);
}

TEST_CASE("rfc5681 4.1: after a silence longer than a timeout the window is that of the start again") {
    transcript{}.established().play(R"(
        write 10000
        > *
        < . 1 ack 10001
        cwnd 20000
        +1000
        write 20000
        > *
        cwnd 10000)");
}

TEST_CASE("rfc9438 4.2, 4.6, 4.7: CUBIC falls to 0.7, comes back to the peak after K, and goes on beyond it") {
    constexpr std::uint16_t mss = 1000;
    tcp::cubic one;
    one.start(mss, 100 * mss);
    fiber::instant now = 1'000'000'000;
    one.on_loss(100 * mss, now);
    CHECK(one.window() == 70 * mss);
    // K = cbrt(100 * 0.3 / 0.4) = 4.2 s, with a round trip of 100 ms.
    const auto trip = [&] {
        now += 100'000'000;
        one.on_acknowledged({.size = one.window(), .now = now, .smoothed_rtt = 100'000'000, .used_up = true});
    };
    std::uint32_t after_second = 0;
    for (int i = 0; i < 42; ++i) {
        trip();
        if (i == 9)
            after_second = one.window();
    }
    CHECK(after_second > 84 * mss);  // concave: most of it comes back early
    CHECK(one.window() > 97 * mss);
    CHECK(one.window() < 103 * mss);
    for (int i = 0; i < 42; ++i)
        trip();
    CHECK(one.window() > 120 * mss);  // convex
    CHECK(one.window() < 145 * mss);
    // Fast convergence: the second loss below the peak remembers less than what there was.
    one.on_loss(one.window(), now);
    const std::uint32_t peak = one.window() * 10 / 7;
    one.on_loss(one.window(), now);
    for (int i = 0; i < 30; ++i)
        trip();
    CHECK(one.window() < peak * 9 / 10);
}

TEST_CASE("rfc9438 4.3: where round trips are short CUBIC is at least as fast as NewReno would be") {
    constexpr std::uint16_t mss = 1000;
    tcp::cubic one;
    one.start(mss, 20 * mss);
    one.on_loss(20 * mss, 1);
    CHECK(one.window() == 14 * mss);
    fiber::instant now = 1;
    for (int i = 0; i < 40; ++i) {
        now += 1'000'000;
        one.on_acknowledged({.size = one.window(), .now = now, .smoothed_rtt = 1'000'000, .used_up = true});
    }
    CHECK(one.window() >= 34 * mss);
}

TEST_CASE("rfc9438 4.8: after a timeout CUBIC starts slowly up to 0.7 of what there was") {
    tcp::cubic one;
    one.start(1000, 100'000);
    one.on_timeout(100'000, true, 1);
    CHECK(one.window() == 1000);
    CHECK(one.threshold() == 70'000);
}

// --- Fast retransmit

TEST_CASE("rfc5681 3.2: the third duplicate acknowledgment sends the first segment again, before the timer") {
    transcript own{plain()};
    own.established().play(R"(
        write 5000
        > *
        < . 1 ack 1
        < . 1 ack 1
        < . 1 ack 1
        > . 1:1001)");
    CHECK(own.counters.timeouts == 0);
    CHECK(own.counters.recoveries == 1);
}

TEST_CASE("rfc5681 2: a window update, data and a FIN are no duplicate acknowledgments") {
    transcript{plain()}.established().play(R"(
        write 5000
        > *
        < . 1 ack 1 win 64000
        < . 1 ack 1 win 63000
        < . 1 ack 1 win 62000
        < . 1:2 ack 1 win 62000
        < . 2:3 ack 1 win 62000
        < . 3:4 ack 1 win 62000
        +39
        +1
        > . 5001 ack 4)");
}

TEST_CASE("rfc3042: the first two duplicates let a new segment each out, beyond the window") {
    for (const bool selective : {false, true}) {
        tcp::settings how;
        how.selective_acks = selective;
        transcript{how}
            .established(selective ? "mss 1000 sackok" : "mss 1000")
            .play(std::string{"write 20000\n> *\n"} +
                  (selective
                       ? "< . 1 ack 1 sack 1001-2001\n> . 10001:11001\n< . 1 ack 1 sack 1001-3001\n> . 11001:12001"
                       : "< . 1 ack 1\n> . 10001:11001\n< . 1 ack 1\n> . 11001:12001"));
    }
}

TEST_CASE("rfc6582 3.2: a part of what was lost is acknowledged, and the next is sent without more duplicates") {
    transcript own{plain(), {.congestion = tcp::congestion_algorithm::new_reno}};
    own.established().play(R"(
        write 10000
        > *
        < . 1 ack 1
        < . 1 ack 1
        < . 1 ack 1
        > . 1:1001
        cwnd 5000
        < . 1 ack 3001
        > . 3001:4001
        < . 1 ack 6001
        > . 6001:7001
        < . 1 ack 10001
        cwnd 5000)");
    CHECK(own.one().recovering() == tcp::recovery::phase::open);
    CHECK(own.counters.recoveries == 1);
}

TEST_CASE("rfc6582 3.2: duplicates of what was sent again are no new loss") {
    transcript own{plain()};
    own.established().play(R"(
        write 6000
        > *
        +200
        > . 1:1001
        < . 1 ack 6001
        < . 1 ack 6001
        < . 1 ack 6001
        < . 1 ack 6001
        write 100
        > . 6001:6101)");
    CHECK(own.counters.recoveries == 0);
}

// --- Selective acknowledgments

TEST_CASE("rfc2018 4: what is ahead of a gap is reported, the latest first, and in no segment without a gap") {
    transcript{}.established("mss 1000 sackok").play(R"(
        < . 11:21 ack 1
        > . 1 ack 1 sack 11-21
        < . 31:41 ack 1
        > . 1 ack 1 sack 31-41,11-21
        < . 51:61 ack 1
        > . 1 ack 1 sack 51-61,31-41,11-21
        < . 71:81 ack 1
        > . 1 ack 1 sack 71-81,51-61,31-41,11-21
        < . 91:101 ack 1
        > . 1 ack 1 sack 91-101,71-81,51-61,31-41
        < . 21:31 ack 1
        > . 1 ack 1 sack 11-41,91-101,71-81,51-61
        < . 1:11 ack 1
        > . 1 ack 41 sack 91-101,71-81,51-61
        < . 41:101 ack 1
        > . 1 ack 101 !sack)");
    transcript{}.established("mss 1000 sackok ts 1,0").play(R"(
        < . 11:21 ack 1 ts 1,last
        > . ack 1 sack 11-21
        < . 31:41 ack 1 ts 1,last
        > . ack 1 sack 31-41,11-21
        < . 51:61 ack 1 ts 1,last
        > . ack 1 sack 51-61,31-41,11-21
        < . 71:81 ack 1 ts 1,last
        > . ack 1 sack 71-81,51-61,31-41)");
}

TEST_CASE("rfc2018 3: what is reported stands in segments with data too, which are smaller for it") {
    transcript{}.established("mss 1000 sackok").play(R"(
        < . 11:21 ack 1
        > . 1 ack 1 sack 11-21
        write 2000
        > . 1:965 ack 1 sack 11-21
        > . 965:1929 ack 1 sack 11-21)");
}

TEST_CASE("rfc2883 4: what came twice is said first, and once") {
    transcript{}.established("mss 1000 sackok").play(R"(
        < . 1:101 ack 1
        +40
        > . 1 ack 101
        < . 1:101 ack 1
        > . 1 ack 101 sack 1-101
        < . 201:301 ack 1
        > . 1 ack 101 sack 201-301
        < . 201:301 ack 1
        > . 1 ack 101 sack 201-301,201-301)");
}

TEST_CASE("rfc6675 5: with three segments beyond a hole it is sent, and nothing that has arrived goes out again") {
    transcript own;
    own.established("mss 1000 sackok").play(R"(
        write 10000
        > *
        < . 1 ack 1 sack 1001-2001
        < . 1 ack 1 sack 1001-3001
        < . 1 ack 1 sack 1001-4001
        > . 1:1001
        < . 1 ack 4001 sack 5001-10001
        > . 4001:5001
        < . 1 ack 10001)");
    CHECK(own.counters.retransmitted == 2);
    CHECK(own.counters.timeouts == 0);
    CHECK(own.one().congestion_window() == 7000);
}

TEST_CASE("rfc6675 4, 5: one acknowledgment that tells of enough is enough, and holes are filled as the pipe allows") {
    transcript own;
    own.established("mss 1000 sackok").play(R"(
        write 10000
        > *
        < . 1 ack 1 sack 1001-2001,3001-4001,5001-10001
        > . 1:1001
        > . 2001:3001
        > . 4001:5001)");
    CHECK(own.counters.recoveries == 1);
}

TEST_CASE("rfc6675 4 rule 4: a tail that may be lost too is sent once, instead of waiting for the timer") {
    transcript{}.established("mss 1000 sackok").play(R"(
        write 6000
        > *
        < . 1 ack 1 sack 1001-5001
        > . 1:1001
        > . 5001:6001
        < . 1 ack 6001)");
}

TEST_CASE("rfc2018 8: blocks that cannot be change nothing, and a peer may take back what it said") {
    transcript own;
    own.established("mss 1000 sackok").play(R"(
        write 4000
        > *
        < . 1 ack 1 sack 9001-10001
        < . 1 ack 1 sack 3001-2001
        < . 1 ack 1001 sack 1-1001
        < . 1 ack 1001 sack 3001-4001
        +200
        > . 1001:2001
        +400
        > . 1001:2001
        < . 1 ack 2001
        > . 2001:3001
        > . 3001:4001)");
    CHECK(own.counters.recoveries == 0);
}

TEST_CASE("rfc2018 3: a block that begins half of all numbers ahead is none, and nothing is sent for it") {
    transcript{}.established("mss 1000 sackok").play(R"(
        shutdown
        > F. 1
        < . 1 ack 1 sack 2147483648-2147484751
        < . 1 ack 1 sack 2147483648-2147484851
        < . 1 ack 1 sack 2147483648-2147484951
        < . 1 ack 2
        state fin-wait-2)");
}

TEST_CASE("rfc5681 3.2: a window that is closed while something is lost does not keep it from being sent") {
    transcript{}.established("mss 1000 sackok").play(R"(
        write 3000
        > *
        < . 1 ack 1 win 0
        +200
        > . 1:2
        < . 1 ack 1 win 3000
        > . 1:1001
        > . 1001:2001
        > . 2001:3001)");
}

// --- Stamps

TEST_CASE("rfc7323 5.3: a segment with an older stamp is acknowledged and dropped") {
    transcript own;
    own.established("mss 1000 ts 100,0").play(R"(
        < . 1:11 ack 1 ts 99,last
        > . 1 ack 1 ts *,100
        readable 0
        < . 1:11 ack 1 ts 101,last
        readable 10)");
    CHECK(own.counters.old_timestamp == 1);
}

TEST_CASE("rfc7323 5.5: a stamp that has been kept for 24 days says nothing") {
    transcript{}.established("mss 1000 ts 2147483648,0").play(R"(
        +2073600001
        < . 1:11 ack 1 ts 7,last
        readable 10
        +40
        > . 1 ack 11 ts *,7)");
}

TEST_CASE("rfc7323 4.3: what is echoed is the stamp of the first segment that was not acknowledged") {
    transcript{}.established("mss 1000 ts 1,0").play(R"(
        < . 1:11 ack 1 ts 10,last
        < . 11:21 ack 1 ts 20,last
        +40
        > . 1 ack 21 ts *,10
        < . 31:41 ack 1 ts 40,last
        > . 1 ack 21 ts *,10
        < . 21:31 ack 1 ts 30,last
        > . 1 ack 41 ts *,30)");
}

TEST_CASE("rfc7323 3.2: a reset needs no stamp") {
    transcript{}.established("mss 1000 ts 1,0").play("< R 1\nerror reset");
}

// --- Peers that lie

TEST_CASE("rfc5961 3.2, 4.2, 5.2: resets, SYNs and acknowledgments that miss are answered by a challenge") {
    transcript own;
    own.established().play(R"(
        < R 2
        > . 1 ack 1
        < S 2
        > . 1 ack 1
        < S. 1 ack 1
        > . 1 ack 1
        < . 1 ack 10
        > . 1 ack 1
        < . 1:5 ack 4294897296
        > . 1 ack 1
        state established
        < R 70000
        < R 0
        state established
        < R 1
        error reset)");
}

TEST_CASE("rfc5961 5.2: an acknowledgment from far behind is not believed, and its data is not taken") {
    transcript own;
    own.established("mss 1000", 1000).play("write 500\n> . 1:501\n< . 1 ack 501 win 1000");
    own.play("< . 1:6 ack 4294964000\n> . 501 ack 1\nreadable 0\n< . 1:6 ack 1\nreadable 5\n+40\n> . 501 ack 6");
    CHECK(own.counters.bad_acknowledgment == 1);
}

TEST_CASE("rfc5961 7: challenges are limited, by a number that nobody can count to") {
    std::set<std::uint64_t> limits;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        transcript own{{}, {}, seed};
        own.established();
        for (int i = 0; i < 300; ++i)
            own.play("< R 2\n> *");
        CHECK(own.counters.challenges >= 50);
        CHECK(own.counters.challenges <= 150);
        CHECK(own.counters.challenges_limited == 300 - own.counters.challenges);
        limits.insert(own.counters.challenges);
    }
    CHECK(limits.size() > 3);
}

TEST_CASE("rfc5961 5, rfc9293 3.10.7.4: two ends that answer each other's nonsense do not go on for ever") {
    transcript{}.established().play(R"(
        < . 900000 ack 1
        > . 1 ack 1
        < . 900000 ack 1
        < . 900000 ack 1
        +500
        < . 900000 ack 1
        > . 1 ack 1)");
}

TEST_CASE("rfc6528 3, MUST-8, MUST-9: first numbers differ from path to path and go on with the clock") {
    tcp_network network;
    net::tcp_statistics counters;
    tcp::engine engine{{}, network, counters};
    const auto first = [&](std::uint16_t port) {
        auto* const one = engine.connect({{here, port}, {there, 80}}, {}).value();
        const tcp_sequence made = network.sent.back().header.sequence;
        one->abort();
        engine.release(*one);
        return made;
    };
    const tcp_sequence one = first(1000), other = first(1001);
    CHECK(first(1000) == one);
    CHECK(std::abs(one - other) > 1000);
    network.time += 4'000'000;
    CHECK(first(1000) - one == 1000);
    CHECK(first(1001) - other == 1000);
}

TEST_CASE("rfc6056 3.3.1: ports are picked at random, of those that are free") {
    tcp_network network;
    net::tcp_statistics counters;
    tcp::engine engine{{}, network, counters};
    std::set<std::uint16_t> ports;
    int rising = 0;
    std::vector<tcp::connection*> all;
    for (int i = 0; i < 100; ++i) {
        all.push_back(engine.connect({{here, 0}, {there, 80}}, {}).value());
        const std::uint16_t port = all.back()->ends().local.port;
        CHECK(port >= 49152);
        rising += i != 0 && port > all[all.size() - 2]->ends().local.port ? 1 : 0;
        ports.insert(port);
    }
    CHECK(ports.size() == 100);
    CHECK(rising > 25);
    CHECK(rising < 75);
    for (auto* const one : all)
        engine.release(*one);
}

TEST_CASE("rfc4987 3.6: more handshakes than are remembered get cookies, and a good client is served") {
    tcp::settings how;
    how.half_open = 2;
    transcript own{how};
    own.play(R"(
        < S 0 port 1
        > S.
        < S 0 port 2
        > S.
        half-open 2
        < S 0 mss 1400 ws 3 sackok ts 9,0
        > S. 0 ack 1 mss 1460 ws 7 sackok ts *,9
        half-open 2
        < . 1 ack 1 ts 10,last win 1000
        accept
        state established
        cwnd 13880
        write 2776
        > . 1:1389 ts *,10
        > . 1389:2777
        < . 1:11 ack 2777 ts 12,last win 1000
        +40
        > . 2777 ack 11)");
    CHECK(own.counters.cookies_accepted == 1);
    CHECK(own.one().peer_window() == 8000);
    // What nobody has made is not believed, and neither is a cookie that is too old, or of other ends.
    transcript late{how};
    late.play(R"(
        < S 0 port 1
        > S.
        < S 0 port 2
        > S.
        < S 0 mss 1000
        > S. 0 ack 1
        < . 1 ack 2
        > R 2
        < . 2 ack 1
        > R 1
        < . 1 ack 1 port 77
        > R 1
        +200000
        > *
        < . 1 ack 1
        > R 1)");
}

TEST_CASE("rfc4987 3.6: a cookie is good for one period of 64 seconds and the next") {
    tcp::settings how;
    how.half_open = 1;
    for (const bool is_late : {false, true})
        transcript{how}.play(std::string{R"(
            < S 0 port 1
            > S.
            < S 0 mss 1000
            > S. 0 ack 1
            )"} + (is_late ? "+128000\n> *\n< . 1 ack 1\n> R 1" : "+64000\n> *\n< . 1 ack 1\naccept"));
}

TEST_CASE("rfc4987 3.6: data that comes with the cookie is taken, and the first window is ten segments") {
    tcp::settings how;
    how.half_open = 1;
    transcript{how}.play(R"(
        < S 0 port 1
        > S.
        < S 0 mss 1100
        > S. 0 ack 1 !sackok !ws
        < . 1:101 ack 1
        accept
        cwnd 10240
        read 100
        write 20
        > . 1:21 ack 101)");
}

TEST_CASE("rfc4987 3.5: without cookies the oldest handshake makes room") {
    tcp::settings how;
    how.half_open = 1;
    how.cookies = false;
    transcript own{how};
    own.play(R"(
        < S 0 port 1
        > S.
        < S 0 mss 1000
        > S. 0 ack 1
        half-open 1
        < . 1 ack 1
        accept)");
    CHECK(own.counters.handshakes_failed == 1);
}

TEST_CASE("tcp: a backlog that is full drops SYNs, and takes them again when somebody accepts") {
    transcript own;
    for (int port = 1; port <= 4; ++port)
        own.play("< S 0 port " + std::to_string(port) + "\n> S.\n< . 1 ack 1 port " + std::to_string(port));
    own.play(R"(
        < S 0 mss 1000
        accept
        < S 0 mss 1000
        > S. 0 ack 1)");
    CHECK(own.counters.backlog_full == 1);
}

// --- Floods, and limits

/// Somebody else, with a port of its own; says what it likes.
struct other_peer {
    transcript& in;
    std::uint16_t port;
    net::ip_address address{net::ipv4_address{10, 9, 9, 9}};

    void says(net::wire::tcp_header header, const octets& data = {}) const {
        header.source_port = port;
        header.destination_port = 80;
        in.engine.receive({{here, 80}, {address, port}}, header, const_bytes{data});
    }
    /// A connection whose peer offers such a window; null when there is none to be had.
    tcp::connection* connects(std::uint16_t window) const {
        in.network.sent.clear();
        says({.sequence = tcp_sequence{100}, .is_syn = true, .window = window, .options = {.mss = 1000}});
        if (in.network.sent.empty())
            return nullptr;
        says({.sequence = tcp_sequence{101},
              .acknowledgment = in.network.sent[0].header.sequence + 1,
              .window = window});
        return in.accept();
    }
};

/// Gets through with a request and an answer, of some size.
void check_good_client(transcript& own) {
    own.network.sent.clear();
    own.established("mss 1024").play(R"(
        < . 1:1001 ack 1
        < . 1001:2001 ack 1
        > . 1 ack 2001
        read 2000
        write 3072
        > . 1:1025
        > . 1025:2049
        > . 2049:3073
        < . 2001 ack 3073
        < F. 2001 ack 3073
        > . 3073 ack 2002
        shutdown
        > F. 3073
        < . 2002 ack 3074
        state closed)");
}

TEST_CASE("tcp: a flood of SYNs leaves no more than its limit, and a good client is served") {
    tcp::settings how;
    CHECK(how.half_open == 256);
    transcript own{how};
    std::mt19937 random{1};
    for (unsigned i = 0; i < 50'000; ++i) {
        other_peer{own, static_cast<std::uint16_t>(1 + i),
                   net::ipv4_address{11, static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()), 1}}
            .says({.sequence = tcp_sequence{i}, .is_syn = true, .window = 1000});
        if (i % 1000 == 0)
            own.network.sent.clear();
        own.network.time += 100'000;
    }
    CHECK(own.engine.half_open() == 256);
    CHECK(own.engine.store().used() == 0);
    CHECK(own.counters.cookies_sent > 40'000);
    check_good_client(own);
    CHECK(own.counters.cookies_accepted == 1);
}

TEST_CASE("tcp: a flood of resets, SYNs and acknowledgments from the side does not end a connection") {
    transcript own;
    own.established();
    std::mt19937 random{2};
    for (unsigned i = 0; i < 20'000; ++i) {
        net::wire::tcp_header header{.sequence = tcp_sequence{static_cast<std::uint32_t>(random())}, .window = 1000};
        header.is_rst = i % 3 == 0;
        header.is_syn = i % 3 == 1;
        if (i % 3 != 0)
            header.acknowledgment = tcp_sequence{static_cast<std::uint32_t>(random())};
        // The one number in 2^32 that would do is left out.
        if (header.sequence.value() != 0xffff'ff01)
            own.engine.receive(own.one().ends(), header, {});
        own.network.time += 100'000;
        own.network.sent.clear();
    }
    own.play("state established\n< . 1:11 ack 1\nread 10\n+40\n> . 1 ack 11");
    // What belongs to nothing is answered within a limit, too.
    for (std::uint16_t port = 1; port <= 2000; ++port)
        own.engine.receive({{here, 81}, {there, port}}, {.acknowledgment = tcp_sequence{1}}, {});
    CHECK(own.network.sent.size() <= 501);
    CHECK(own.counters.resets_limited >= 1499);
    own.network.sent.clear();
}

TEST_CASE("tcp: those who hold their windows closed take the memory that there is, and a good client is served") {
    tcp::settings how;
    CHECK(how.memory == 16 * 1024 * 1024);
    how.memory = 512 * 1024;
    transcript own{how};
    std::vector<tcp::connection*> held;
    for (std::uint16_t port = 1; port <= 40; ++port) {
        held.push_back(other_peer{own, port}.connects(0));
        REQUIRE(held.back() != nullptr);
        while (held.back()->write(const_bytes{octets(4000)}) != 0) {}
    }
    CHECK(own.engine.store().used() >= how.memory);
    CHECK(own.engine.store().used() <= how.memory + 40 * 2 * tcp::memory::chunk_size);
    check_good_client(own);
    for (tcp::connection* const one : held) {
        one->abort();
        own.engine.release(*one);
    }
    CHECK(own.engine.store().used() == 0);
}

TEST_CASE("tcp: those who send all but the first byte take the memory that there is, and a good client is served") {
    tcp::settings how;
    how.memory = 512 * 1024;
    transcript own{how};
    std::vector<tcp::connection*> held;
    for (std::uint16_t port = 1; port <= 40; ++port) {
        const other_peer peer{own, port};
        held.push_back(peer.connects(1000));
        REQUIRE(held.back() != nullptr);
        const tcp_sequence ack = own.network.sent[0].header.sequence + 1u;
        for (std::uint32_t at = 2; at < 60'000; at += 1000)
            peer.says({.sequence = tcp_sequence{101 + at}, .acknowledgment = ack, .window = 1000}, octets(1000));
    }
    CHECK(own.counters.no_room > 0);
    CHECK(own.engine.store().used() <= how.memory + 40 * 2 * tcp::memory::chunk_size);
    check_good_client(own);
    for (tcp::connection* const one : held)
        own.engine.release(*one);
}

TEST_CASE("tcp: single bytes with gaps between them are kept up to a number, whose rest comes again") {
    tcp::settings how;
    CHECK(how.out_of_order_ranges == 64);
    transcript own{how};
    own.established("mss 1000 sackok");
    for (int at = 3; at < 3 + 2 * 80; at += 2)
        own.play("< . " + std::to_string(at) + ":" + std::to_string(at + 1) + " ack 1\n> *");
    CHECK(own.counters.no_room == 80 - 64);
    own.play("< . 1:1001 ack 1\n> . ack 1001\nread 1000");
}

TEST_CASE("rfc6191, rfc9293 3.4.1: what opens anew from TIME-WAIT begins beyond all that the old one sent") {
    transcript own;
    const other_peer peer{own, 1};
    auto* const one = peer.connects(1000);
    REQUIRE(one != nullptr);
    own.engine.release(*one);
    const tcp_sequence end = own.network.sent.back().header.sequence + 1;
    peer.says({.sequence = tcp_sequence{101}, .acknowledgment = end, .is_fin = true, .window = 1000});
    own.network.sent.clear();
    peer.says({.sequence = tcp_sequence{5000}, .is_syn = true, .window = 1000});
    REQUIRE(own.network.sent.size() == 1);
    CHECK(own.network.sent[0].header.is_syn);
    CHECK(own.network.sent[0].header.sequence > end);
    own.network.sent.clear();
}

TEST_CASE("tcp: connections have a number, and who comes beyond it is reset") {
    tcp::settings how;
    CHECK(how.connections == 4096);
    how.connections = 2;
    transcript own{how};
    const auto* const first = other_peer{own, 1}.connects(1000);
    const auto* const second = other_peer{own, 2}.connects(1000);
    REQUIRE(second != nullptr);
    CHECK(other_peer{own, 3}.connects(1000) == nullptr);
    CHECK(own.network.sent.back().header.is_rst);
    CHECK(own.counters.limit_reached == 1);
    CHECK_FALSE(own.engine.connect({{here, 0}, {there, 1}}, {}));
    for (const auto* const one : {first, second})
        own.engine.release(const_cast<tcp::connection&>(*one));
    own.network.sent.clear();
}

TEST_CASE("tcp: of what waits in TIME-WAIT the oldest goes when there is too much") {
    tcp::settings how;
    CHECK(how.time_waits == 1024);
    how.time_waits = 3;
    transcript own{how};
    for (std::uint16_t port = 1; port <= 5; ++port) {
        const other_peer peer{own, port};
        auto* const one = peer.connects(1000);
        REQUIRE(one != nullptr);
        own.engine.release(*one);
        const tcp_sequence end = own.network.sent.back().header.sequence + 1;
        peer.says({.sequence = tcp_sequence{101}, .acknowledgment = end, .is_fin = true, .window = 1000});
    }
    CHECK(own.engine.time_waits() == 3);
    CHECK(own.counters.time_waits_cut == 2);
    CHECK(own.engine.connections() == 0);
    own.network.sent.clear();
}

}  // namespace
