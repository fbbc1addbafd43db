// SPDX-License-Identifier: BSD-3-Clause
// TCP's core against scripts: how connections begin, carry data and end. Named after the sections that ask for it; the
// table in README.md beside has each of RFC 9293's requirements. tcp_transcript.hpp says how to read a script.
#include "net/tcp_transcript.hpp"

namespace {

using namespace halvm;
using namespace halvm::test;

// --- How it begins

TEST_CASE("rfc9293 3.5 figure 6: who connects sends SYN, and acknowledges the answer") {
    transcript{}.play(R"(
        connect
        > S 0 mss 1460 sackok ws 7 win 65535
        < S. 0 ack 1 mss 1000
        > . 1 ack 1 !mss !sackok !ts
        state established)");
}

TEST_CASE("rfc9293 3.5 figure 6, 3.10.7.2: a listener answers a SYN with all options that both have") {
    transcript{}.play(R"(
        < S 0 mss 1000 ws 7 sackok ts 77,0
        > S. 0 ack 1 mss 1460 ws 7 sackok ts *,77
        < . 1 ack 1 ts 78,last
        accept
        state established
        < S 0 port 6000 mss 1000
        > S. 0 ack 1 mss 1460 !ws !sackok !ts port 6000)");
}

TEST_CASE("rfc9293 3.5 figure 7, MUST-10: both begin at once, and it becomes one connection") {
    transcript{}.play(R"(
        connect
        > S 0
        < S 0 mss 1000
        > S. 0 ack 1
        state syn-received
        < S. 0 ack 1 mss 1000
        > . 1 ack 1
        state established)");
    transcript{}.play(R"(
        connect
        > S 0
        < S 0 mss 1000
        > S. 0 ack 1
        < . 1:6 ack 1
        state established
        read 5
        +40
        > . 1 ack 6)");
    // The window of that answer is not scaled either.
    transcript own;
    own.play(R"(
        connect
        > S 0
        < S 0 mss 1000 ws 7 win 1000
        > S. 0 ack 1
        < S. 0 ack 1 mss 1000 ws 7 win 1000
        > . 1 ack 1
        state established)");
    CHECK(own.one().peer_window() <= 1000);
    CHECK(own.one().peer_window() > 1000 - 128);
}

TEST_CASE("rfc9293 3.5.1 figure 8: an old duplicate SYN is answered, and the peer's reset clears it away") {
    transcript{}.play(R"(
        < S 900 mss 1000
        > S. 0 ack 901
        < R 901
        half-open 0
        < S 0 mss 1000
        > S. 0 ack 1
        < . 1 ack 1
        accept)");
}

TEST_CASE("rfc9293 3.5.2 figure 9: half-open connections are found out, at either end") {
    // The peer has forgotten the connection, and connects again.
    transcript{}.established().play(R"(
        < S 400
        > . 1 ack 1
        < R 1
        error reset)");
    // We have.
    transcript{}.play(R"(
        < . 100:101 ack 300
        > R 300
        < - 100:101
        < - 100:101 to 81
        > R. ack 101)");
}

TEST_CASE("rfc9293 3.10.7.1: what belongs to nothing is reset, by the number that it says, and a reset is not") {
    transcript{}.play(R"(
        < . 7 ack 99 to 81
        > R 99
        < F 7 to 81
        > R. ack 8
        < S 7:10 to 81
        > R. ack 11
        < S. 7 ack 99 to 81
        > R 99
        < R 7 to 81
        < R. 7 ack 99 to 81)");
}

TEST_CASE("rfc9293 3.10.7.3: in SYN-SENT only what answers our SYN counts") {
    transcript{}.play(R"(
        connect
        > S 0
        < S. 0 ack 5
        > R 5
        < . 9 ack 0
        > R 0
        < R. 0 ack 5
        < R 0
        < . 0 ack 1
        state syn-sent
        < R. 0 ack 1
        error refused)");
}

TEST_CASE("rfc9293 3.10.7.3: data and FIN may come with the answer to our SYN") {
    transcript{}.play(R"(
        connect
        > S 0
        < SF. 0 ack 1 mss 1000
        > . 1 ack 2
        state close-wait
        end)");
}

TEST_CASE("rfc9293 3.8.1, 3.8.3 MUST-22, MUST-23: a SYN goes out again, each time later, for three minutes") {
    transcript{}.play(R"(
        connect
        > S 0
        +1000
        > S 0
        +2000
        > S 0
        +4000
        > S 0
        +8000
        > S 0
        +16000
        > S 0
        +32000
        > S 0
        +64000
        > S 0
        +52999
        error none
        +1
        error timed-out)");
}

TEST_CASE("rfc9293 3.10.7.4: an answer to a SYN that was lost goes out again, five times, and is given up") {
    transcript{}.play(R"(
        < S 0 mss 1000
        > S. 0 ack 1
        < S 0 mss 1000
        > S. 0 ack 1
        +1000
        > S. 0 ack 1
        +2000
        > S. 0 ack 1
        +28000
        > S. 0 ack 1
        > S. 0 ack 1
        > S. 0 ack 1
        half-open 1
        +32000
        half-open 0)");
}

TEST_CASE("rfc9293 3.10.7.4: the third step may be lost, when data follows it") {
    transcript{}.play(R"(
        < S 0 mss 1000
        > S. 0 ack 1
        < . 1:11 ack 1
        accept
        read 10
        +40
        > . 1 ack 11)");
}

TEST_CASE("rfc9293 3.10.7.4: in SYN-RECEIVED a wrong acknowledgment is reset, and the handshake goes on") {
    transcript{}.play(R"(
        < S 0 mss 1000
        > S. 0 ack 1
        < . 1 ack 9
        > R 9
        < . 1 ack 0
        > R 0
        < - 1
        < . 999999 ack 1
        half-open 1
        < . 1 ack 1
        accept
        state established)");
}

TEST_CASE("rfc9293 3.10.7.2: data on a SYN is not lost, because it is not acknowledged") {
    transcript{}.play(R"(
        < S 0:6 mss 1000
        > S. 0 ack 1
        < . 1:6 ack 1
        accept
        read 5
        +40
        > . 1 ack 6)");
}

TEST_CASE("rfc9293 3.7.1 MUST-15, MUST-16, rfc6691: segments are as large as the peer says, without its word 536") {
    for (const auto& [said, options, size] : {std::tuple{"", "", 536},
                                              {"mss 1000", "", 1000},
                                              {"mss 9000", "", 1460},
                                              {"mss 1000 ts 1,0", " ts 2,last", 988}})
        transcript{}.established(said).play("write 5000\n> . 1:" + std::to_string(1 + size) + "\n> *");
    // One that says next to nothing gets no such segments.
    transcript{}.established("mss 1").play("write 500\n> . 1:89\n> *");
}

TEST_CASE("rfc7323 2.2: windows are scaled but for those of SYNs") {
    tcp::settings how;
    how.receive_buffer = 1 << 20;
    transcript own{how};
    own.play(R"(
        < S 0 mss 1000 ws 14 win 10
        > S. 0 ack 1 ws 7 win 65535
        < . 1 ack 1 win 1
        accept
        write 10
        > . 1:11 win 8192)");
    CHECK(own.one().peer_window() == 16384);
    how.window_scale = false;
    transcript{how}.play("< S 0 mss 1000 ws 7\n> S. 0 ack 1 !ws win 65535");
}

TEST_CASE("rfc7323 3.2: stamps are in all segments once both have them, and what comes without is dropped") {
    transcript own;
    own.established("mss 1000 ts 1,0").play(R"(
        < . 1:11 ack 1
        +1000
        readable 0
        < . 1:11 ack 1 ts 5,last
        readable 10
        +40
        > . 1 ack 11 ts *,5
        write 10
        > . 1:11 ts *,5)");
    CHECK(own.counters.no_timestamp == 1);
    transcript{}.established("mss 1000").play("< . 1:11 ack 1 ts 5,6\n+40\n> . ack 11 !ts");
}

// --- Data

TEST_CASE("rfc9293 3.8.6.3, rfc5681 4.2: data is acknowledged after 40 ms, every second full segment at once") {
    transcript{}.established().play(R"(
        < . 1:3 ack 1
        +39
        +1
        > . 1 ack 3
        < . 3:1003 ack 1
        < . 1003:2003 ack 1
        > . 1 ack 2003
        < . 2003:2004 ack 1
        write 5
        > . 1:6 ack 2004)");
}

TEST_CASE("rfc9293 3.10.7.4, SHLD-31: what is ahead of a gap is kept, and acknowledged by a duplicate at once") {
    transcript{}.established().play(R"(
        < . 1001:2001 ack 1
        > . 1 ack 1 !sack
        < . 2001:3001 ack 1
        > . 1 ack 1
        < . 1:1001 ack 1
        > . 1 ack 3001
        read 3000)");
}

TEST_CASE("rfc9293 3.4: segments that overlap what is there add what is new") {
    transcript{}.established().play(R"(
        < . 1:101 ack 1
        < . 51:151 ack 1
        < . 301:401 ack 1
        > . 1 ack 151
        < . 201:351 ack 1
        > . 1 ack 151
        < . 101:251 ack 1
        > . 1 ack 401
        read 400)");
}

TEST_CASE("rfc9293 3.4, 3.10.7.4: what is before the window is acknowledged and dropped, as what is behind it") {
    transcript own;
    own.established().play(R"(
        < . 1:101 ack 1
        +40
        > . 1 ack 101
        < . 1:101 ack 1
        > . 1 ack 101
        < . 999101:999201 ack 1
        > . 1 ack 101
        readable 100)");
    CHECK(own.counters.out_of_window == 2);
}

TEST_CASE("rfc9293 3.4: data that goes beyond the window is cut there") {
    tcp::settings how;
    how.receive_buffer = how.most_receive_buffer = 3000;
    transcript{how}.established().play(R"(
        < . 1:5001 ack 1
        > . 1 ack 3001 win 0
        read 3000
        > . 1 ack 3001 win 3000)");
}

TEST_CASE("rfc9293 3.4: numbers go round in both directions") {
    // The peer's begin 256 below the wrap.
    transcript own;
    own.established();
    for (int at = 1; at < 3000; at += 500)
        own.play("< . " + std::to_string(at) + ":" + std::to_string(at + 500) + " ack 1\n> *\nread 500\n> *");
}

TEST_CASE("rfc9293 3.7.4 SHLD-7, MUST-17: Nagle holds a small segment back, until all is acknowledged or it is off") {
    transcript{}.established().play(R"(
        write 10
        > . 1:11
        write 10
        write 10
        +100
        < . 1 ack 11
        > . 11:31
        write 1500
        > . 31:1031
        < . 1 ack 31
        < . 1 ack 1031
        > . 1031:1531
        write 5
        no-delay
        > . 1531:1536
        write 5
        > . 1536:1541)");
    transcript{{}, {.no_delay = true}}.established().play("write 5\n> . 1:6\nwrite 5\n> . 6:11");
}

TEST_CASE("rfc9293 3.7.4: the end of the stream is not held back") {
    transcript{}.established().play(R"(
        write 10
        > . 1:11
        write 10
        shutdown
        > F. 11:21)");
}

TEST_CASE("rfc9293 3.8.6.2.1 MUST-38: the sender sends no slivers of a window") {
    transcript{}.established("mss 1000", 4000).play(R"(
        write 6000
        > . 1:1001
        > . 1001:2001
        > . 2001:3001
        > . 3001:4001
        < . 1 ack 4001 win 100
        < . 1 ack 4001 win 999
        < . 1 ack 4001 win 1000
        > . 4001:5001)");
    // Half of the largest window that there ever was is no sliver.
    transcript{}.established("mss 1000", 400).play(R"(
        write 1000
        > . 1:401
        < . 1 ack 401 win 199
        < . 1 ack 401 win 200
        > . 401:601)");
}

TEST_CASE("rfc9293 3.8.6.2.1: what is too little for a window is sent in the end, or nothing ever would be") {
    transcript{}.established("mss 1000", 4000).play(R"(
        write 5000
        > *
        < . 1 ack 4001 win 100
        +200
        > . 4001:4101)");
}

TEST_CASE("rfc9293 3.8.6.2.2 MUST-39: the receiver opens its window by segments, not by slivers") {
    tcp::settings how;
    how.receive_buffer = how.most_receive_buffer = 4000;
    transcript{how}.established().play(R"(
        < . 1:1001 ack 1
        < . 1001:2001 ack 1
        > . 1 ack 2001 win 2000
        < . 2001:3001 ack 1
        < . 3001:4001 ack 1
        > . 1 ack 4001 win 0
        read 500
        read 499
        read 1
        > . 1 ack 4001 win 1000
        read 3000
        > . 1 ack 4001 win 4000)");
    // Nor by what else we acknowledge.
    transcript{how}.established().play(R"(
        < . 1:1001 ack 1
        < . 1001:2001 ack 1
        > . 1 ack 2001 win 2000
        read 100
        < . 2001:2002 ack 1
        +40
        > . 1 ack 2002 win 1999)");
}

TEST_CASE("rfc9293 3.8.6 SHLD-14: a window that was offered is never taken back") {
    tcp::settings how;
    how.memory = 64 * 1024;
    how.receive_buffer = how.most_receive_buffer = 60'000;
    transcript own{how};
    own.established();
    // Others take the memory.
    std::vector<std::byte*> taken;
    while (std::byte* const one = own.engine.store().take())
        taken.push_back(one);
    own.play(R"(
        < . 1:1001 ack 1
        < . 1001:2001 ack 1
        > . 1 ack 2001 win 58000)");
    for (std::byte* const one : taken)
        own.engine.store().give(one);
}

TEST_CASE("rfc9293 3.8.6 MUST-34, SHLD-15, SHLD-16: a window that shrinks stops new data and loses none") {
    transcript{}.established("mss 1000", 4000).play(R"(
        write 6000
        > *
        < . 1 ack 1001 win 1000
        +200
        > . 1001:2001
        < . 1 ack 4001 win 4000
        > . 4001:5001
        > . 5001:6001)");
    // What we acknowledge then must be where it counts there.
    transcript{}.established("mss 1000", 4000).play(R"(
        write 4000
        > *
        < . 1:1001 ack 1 win 1500
        < . 1001:2001 ack 1 win 1500
        > . 1501 ack 2001)");
}

TEST_CASE(
    "rfc9293 3.8.6.1 MUST-35, MUST-36, SHLD-29, SHLD-30: a closed window is asked after an RTO, then ever later") {
    transcript{}.established("mss 1000", 0).play(R"(
        write 100
        +199
        +1
        > . 1:2
        < . 1 ack 1 win 0
        +399
        +1
        > . 1:2
        < . 1 ack 1 win 0
        +800
        > . 1:2
        < . 1 ack 1 win 5000
        > . 1:101)");
}

TEST_CASE("rfc9293 3.8.6.1 MUST-37: a window stays closed for as long as the peer answers, and not when it does not") {
    transcript own;
    own.established("mss 1000", 0).play("write 100");
    for (int i = 0; i < 30; ++i)
        own.play("+61000\n> . 1:2\n> *\n< . 1 ack 1 win 0");
    own.play("< . 1 ack 1 win 5000\n> . 1:101");
    transcript{}.established("mss 1000", 0).play("write 100\n+310000\n> *\n+60000\n> *\nerror timed-out");
}

TEST_CASE("rfc9293 3.8.6.1: a peer that takes the probe's byte has it, and the rest follows") {
    transcript{}.established("mss 1000", 0).play(R"(
        write 100
        +200
        > . 1:2
        < . 1 ack 2 win 0
        +200
        > . 2:3
        < . 1 ack 2 win 500
        > . 2:101)");
}

TEST_CASE("rfc9293 3.10.7.4 MUST-66: with a closed window acknowledgments and resets count still") {
    tcp::settings how;
    how.receive_buffer = how.most_receive_buffer = 1000;
    transcript own{how};
    own.established().play(R"(
        < . 1:1001 ack 1
        +40
        > . 1 ack 1001 win 0
        write 10
        > . 1:11
        < . 1001 ack 11
        < . 1001:1002 ack 11
        > . 11 ack 1001 win 0
        < R 1001
        error reset)");
}

TEST_CASE("rfc9293 3.8.5: urgent data is data, and its pointer harmless") {
    transcript{}.established().play(R"(
        < . 1:6 ack 1 urg 5
        < . 6:7 ack 1 urg 65535
        < . 7:8 ack 1 urg 0
        readable 7
        +40
        > . 1 ack 8)");
}

TEST_CASE("rfc9293 3.10.7.4: old, doubled and future acknowledgments change nothing") {
    transcript own;
    own.established().play(R"(
        write 1000
        > . 1:1001
        < . 1 ack 5000
        > . 1001 ack 1
        < . 1 ack 1001
        < . 1 ack 1
        < . 1 ack 500 win 1
        write 900
        > . 1001:1901)");
    CHECK(own.one().peer_window() == 65000);
}

TEST_CASE("rfc9293 3.10.7.4: an older segment does not move the window back") {
    transcript own;
    own.established().play(R"(
        < . 101:201 ack 1 win 3000
        > . 1 ack 1
        < . 1:101 ack 1 win 9000
        > . 1 ack 201)");
    CHECK(own.one().peer_window() == 3000);
}

TEST_CASE("rfc9293 3.8.4 MUST-24 to MUST-29, SHLD-12: keep-alive asks an idle peer, without data, when it is on") {
    transcript{}.established().play("+8000000");  // off by default
    tcp::connection_options on;
    on.keep_alive = true;
    CHECK(on.keep_alive_idle == 2h);
    on.keep_alive_idle = 10s;
    on.keep_alive_interval = 5s;
    on.keep_alive_probes = 2;
    transcript{{}, on}.established().play(R"(
        +9999
        +1
        > . 0 ack 1
        < . 1 ack 1
        +9999
        +1
        > . 0 ack 1
        +5000
        > . 0 ack 1
        < . 1 ack 1
        +10000
        > . 0 ack 1
        +5000
        > . 0 ack 1
        +5000
        > R. 1
        error timed-out)");
}

TEST_CASE("rfc9293 3.8.3 MUST-20, MUST-21: what is not acknowledged for the user's timeout ends the connection") {
    tcp::connection_options options;
    CHECK(options.user_timeout == 5min);
    options.user_timeout = 10s;
    transcript{{}, options}.established().play(R"(
        write 10
        > . 1:11
        +9999
        > *
        error none
        +1
        > R. 11
        error timed-out)");
}

TEST_CASE("rfc9293 3.9.2.2, rfc5927 4.1, MUST-56: ICMP ends a connection that begins, and is a hint to others") {
    transcript{}.play("connect\n> S 0\nicmp soft 0\nstate syn-sent\nicmp hard 0\nerror host-unreachable");
    transcript{}.play("connect\n> S 0\nicmp hard 7\nstate syn-sent");
    transcript{}.established().play(R"(
        write 10
        > . 1:11
        icmp hard 1
        icmp hard 500
        state established
        +400000
        > *
        error host-unreachable)");
}

TEST_CASE("rfc9293 3.7.2 SHLD-6, rfc1191: what was too big for the way goes out again in smaller pieces") {
    transcript own;
    own.established("mss 1460").play("write 2920\n> . 1:1461\n> . 1461:2921");
    own.network.sizes_.send = 1000;
    own.play(R"(
        icmp narrow 9999
        icmp narrow 1
        > . 1:1001
        > . 1001:2001
        > . 2001:2921)");
}

TEST_CASE("tcp: who waits for room is told as soon as there is some") {
    tcp::settings how;
    how.send_buffer = how.most_send_buffer = 4000;
    transcript own{how};
    own.established().play("write 4000\n> *");
    const unsigned told = own.watcher.count;
    own.play("< . 1 ack 1001");
    CHECK(own.watcher.count == told + 1);
    CHECK(own.one().room() == 1000);
}

// --- How it ends

TEST_CASE("rfc9293 3.6 figure 12: we close first, and TIME-WAIT stays for a minute and no memory but an entry") {
    transcript own;
    own.established().play(R"(
        shutdown
        > F. 1 ack 1
        state fin-wait-1
        < . 1 ack 2
        state fin-wait-2
        < F. 1 ack 2
        > . 2 ack 2
        end
        time-waits 1
        connections 0
        +30000
        < F. 1 ack 2
        > . 2 ack 2
        +59999
        time-waits 1
        +1
        time-waits 0)");
}

TEST_CASE("rfc9293 3.6: the peer closes first, and what we write still goes out") {
    transcript{}.established().play(R"(
        < F. 1 ack 1
        > . 1 ack 2
        state close-wait
        end
        write 10
        > . 1:11 ack 2
        < . 2 ack 11
        shutdown
        > F. 11 ack 2
        state last-ack
        < . 2 ack 12
        state closed
        error none
        time-waits 0)");
}

TEST_CASE("rfc9293 3.6 figure 13: both close at once") {
    transcript{}.established().play(R"(
        shutdown
        > F. 1 ack 1
        < F. 1 ack 1
        > . 2 ack 2
        state closing
        < . 2 ack 2
        state time-wait
        time-waits 1)");
}

TEST_CASE("rfc9293 3.10.7.4: FIN, ours and theirs, is acknowledged by one segment") {
    transcript{}.established().play("shutdown\n> F. 1 ack 1\n< F. 1 ack 2\n> . 2 ack 2\nstate time-wait");
}

TEST_CASE("rfc9293 3.10.7.4: a FIN ahead of a gap waits until the gap is filled, and nothing behind it counts") {
    transcript{}.established().play(R"(
        < F. 101:201 ack 1
        > . 1 ack 1
        state established
        < . 201:301 ack 1
        > . 1 ack 1
        < . 1:101 ack 1
        > . 1 ack 202
        read 200
        end)");
}

TEST_CASE("rfc9293 3.10.7.4: a FIN that was lost is sent again") {
    transcript{}.established().play(R"(
        write 5
        > . 1:6
        shutdown
        > F. 6
        +200
        > F. 1:6
        < . 1 ack 7
        state fin-wait-2)");
}

TEST_CASE(
    "rfc9293 3.6.1 MAY-1, SHLD-3, rfc2525 2.17: who lets go with bytes unread, or gets more, says so by a reset") {
    transcript{}.established().play(R"(
        < . 1:11 ack 1
        release
        > R. 1
        connections 0)");
    transcript{}.established().play(R"(
        release
        > F. 1
        < . 1:11 ack 2
        > R. 2
        connections 0)");
}

TEST_CASE("rfc9293 3.6: who has let go waits in FIN-WAIT-2 for a minute, and no longer") {
    transcript{}.established().play(R"(
        release
        > F. 1
        < . 1 ack 2
        connections 1
        +59999
        connections 1
        +1
        connections 0)");
}

TEST_CASE("rfc9293 3.6: what was written before letting go still goes out") {
    transcript{}.established("mss 1000", 1000).play(R"(
        write 1500
        > . 1:1001
        release
        < . 1 ack 1001 win 1000
        > F. 1001:1501
        < F. 1 ack 1502
        > . 1502 ack 2
        connections 0)");
}

TEST_CASE("rfc9293 3.10.5: abort is a reset, and silence where nothing has begun") {
    transcript{}.established().play("write 3\n> . 1:4\nabort\n> R. 4 ack 1\nerror aborted");
    transcript{}.play("connect\n> S 0\nabort\nerror aborted");
}

TEST_CASE("rfc9293 3.10.4: closing what has not begun ends it, and with something written it waits for the answer") {
    transcript{}.play("connect\n> S 0\nshutdown\nstate closed");
    transcript{}.play(R"(
        connect
        > S 0
        write 5
        shutdown
        < S. 0 ack 1 mss 1000
        > F. 1:6 ack 1
        state fin-wait-1)");
}

TEST_CASE("rfc9293 3.6.1 MAY-2, rfc6191, rfc1337: TIME-WAIT hears no reset, and a later SYN opens anew") {
    transcript own;
    own.established("mss 1000 ts 1,0").play(R"(
        shutdown
        > F. 1
        < F. 1 ack 2 ts 20,last
        > . 2 ack 2
        < R 2
        time-waits 1
        < S 1 mss 1000 ts 20,0
        > . 2 ack 2
        < S 1 mss 1000 ts 19,0
        > . 2 ack 2
        time-waits 1
        < S 1 mss 1000 ts 21,0
        > S. 0 ack 2
        time-waits 0
        half-open 1)");
    transcript{}.established().play(R"(
        shutdown
        > F. 1
        < F. 1 ack 2
        > . 2 ack 2
        < S 2 mss 1000
        > . 2 ack 2
        < S 3 mss 1000
        > S. 0 ack 4)");
}

TEST_CASE("tcp: an idle connection's state is less than a kilobyte, and no buffers") {
    CHECK(sizeof(tcp::connection) <= 832);
    transcript own;
    own.established();
    CHECK(own.engine.store().used() == 0);
}

}  // namespace
