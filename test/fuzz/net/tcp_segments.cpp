// SPDX-License-Identifier: BSD-3-Clause
// TCP's core with a peer that sends any segments, in any order, while our end writes, reads, closes and lets go.
// Whatever it is: nothing crashes; each byte that comes out is the one that its number says, and so is each that goes
// out; no limit is passed; who waits is told; when all have gone nothing is held, and a good client is served.
//
// An input is a sequence of steps of seven bytes: one says which, the others how. The peer's numbers are near those
// that would be right, which are taken from what we sent last.
#include "fuzz.hpp"

#include <halvm/net/tcp/engine.hpp>

#include <array>
#include <random>

namespace {

using namespace halvm;
using namespace halvm::net;
using fuzz::must;
using wire::tcp_sequence;
using octets = std::vector<std::byte>;

constexpr ip_address here{ipv4_address{10, 0, 0, 1}}, there{ipv4_address{10, 0, 0, 2}};
constexpr std::uint16_t segment = 1000;

/// At an offset from the first byte of a stream; the peer's stream and ours differ.
std::byte byte_at(std::uint32_t at, bool ours) {
    return static_cast<std::byte>((at + (ours ? 77 : 0)) * 2654435761u >> 13);
}

/// A connection as the peer sees it.
struct half {
    tcp_sequence first{};     // of our numbers
    tcp_sequence next{};      // the end of what we have sent
    tcp_sequence expected{};  // what we have acknowledged last
    tcp_sequence irs{};
    bool has_sent = false;
};

class world final : public tcp::network, public tcp::observer {
public:
    static constexpr std::uint16_t first_port = 5000, ports = 4;

    explicit world(std::uint8_t how) {
        limits.connections = 3;
        limits.half_open = 2;
        limits.backlog = 2;
        limits.time_waits = 2;
        limits.memory = 64 * 1024;
        limits.out_of_order_ranges = 8;
        limits.receive_buffer = (how & 1) != 0 ? 5000 : 20'000;
        limits.send_buffer = (how & 1) != 0 ? 5000 : 20'000;
        limits.timestamps = (how & 2) != 0;
        limits.selective_acks = (how & 4) != 0;
        limits.cookies = (how & 8) != 0;
        options.no_delay = (how & 16) != 0;
        options.keep_alive = (how & 32) != 0;
        longest_ = (how & 64) != 0 ? 10 * segment : 1;
        engine.emplace(limits, *this, counters);
        at = engine->listen({{}, 80}, options, 2).value();
        for (std::uint16_t i = 0; i < ports; ++i)
            peers[i].irs = peers[i].expected = tcp_sequence{0xffff'fff0u + i};
    }

    fiber::instant now() noexcept override { return time; }
    std::uint64_t random() noexcept override { return numbers(); }
    std::uint32_t longest(const tcp::connection&) noexcept override { return longest_; }
    void deadline_changed() noexcept override {}
    result<tcp::segment_sizes> sizes(const tcp::flow&) noexcept override { return tcp::segment_sizes{1460, segment}; }
    void changed() noexcept override { ++told; }
    void send(const tcp::flow& way, const tcp::outgoing& what, tcp::connection* of) noexcept override {
        const auto& header = what.header;
        must(header.options.size() <= wire::tcp_field::greatest_options, "options fit");
        must(way.local.port == header.source_port && way.remote.port == header.destination_port, "it says its ports");
        must(what.size <= std::max<std::size_t>(longest_, 1460), "it is not longer than may be");
        if (way.remote.port < first_port || way.remote.port >= first_port + ports)
            return;
        half& peer = peers[way.remote.port - first_port];
        if (header.is_syn && !header.is_rst) {
            if (!peer.has_sent || peer.first != header.sequence)
                peer.next = header.sequence + 1;
            peer.first = header.sequence;
            peer.has_sent = true;
        }
        if (header.acknowledgment && of != nullptr)
            peer.expected = *header.acknowledgment;
        if (header.is_rst || of == nullptr)
            return;
        const tcp_sequence end = header.sequence + static_cast<std::uint32_t>(what.size) + (header.is_fin ? 1u : 0u);
        if (peer.next < end)
            peer.next = end;
        if (what.size == 0)
            return;
        octets data(what.size);
        what.from->copy_out(what.at, data);
        const auto begin = static_cast<std::uint32_t>(header.sequence - peer.first) - 1;
        for (std::uint32_t i = 0; i < data.size(); ++i)
            must(data[i] == byte_at(begin + i, true), "what goes out is what was written there");
    }

    /// A connection that somebody here has.
    struct user {
        tcp::connection* one = nullptr;
        std::uint32_t written = 0;
        std::uint32_t read = 0;
        bool was_open = true;
        bool was_full = false;
        std::size_t was_readable = 0;
        unsigned was_told = 0;
    };

    void take(tcp::connection* one) {
        if (one == nullptr)
            return;
        one->watch(this);
        users.push_back({.one = one, .was_open = one->is_open(), .was_readable = one->readable(), .was_told = told});
    }
    void write(user& by, std::size_t size) {
        if (!by.one->can_send())
            return;
        octets data(size);
        for (std::uint32_t i = 0; i < size; ++i)
            data[i] = byte_at(by.written + i, true);
        by.written += static_cast<std::uint32_t>(by.one->write(const_bytes{data}));
    }
    void read(user& by, std::size_t size) {
        octets data(size);
        const std::size_t count = by.one->read(data);
        for (std::uint32_t i = 0; i < count; ++i)
            must(data[i] == byte_at(by.read + i, false), "what comes out is what was sent there");
        by.read += static_cast<std::uint32_t>(count);
        by.was_readable = by.one->readable();
    }
    void let_go(std::size_t which) {
        engine->release(*users[which].one);
        users.erase(users.begin() + static_cast<std::ptrdiff_t>(which));
    }
    void pass(std::uint64_t nanoseconds) {
        const fiber::instant end = time + nanoseconds;
        while (engine->deadline() <= end) {
            time = std::max(time, engine->deadline());
            engine->advance();
        }
        time = end;
    }
    void look() {
        must(engine->connections() <= limits.connections, "connections have a limit");
        must(engine->half_open() <= limits.half_open, "handshakes have a limit");
        must(engine->time_waits() <= limits.time_waits, "what has ended has a limit");
        must(at->waiting() <= 2, "a backlog has a limit");
        // A first chunk of each stream may be beyond it.
        must(engine->store().used() <= limits.memory + 4 * limits.connections * tcp::memory::chunk_size,
             "memory has a limit");
        for (user& one : users) {
            const bool has_room = one.one->room() != 0;
            if ((one.was_readable == 0 && one.one->readable() != 0) || (one.was_open && !one.one->is_open()) ||
                (one.was_full && has_room))
                must(told != one.was_told, "who waits is told");
            one.was_readable = one.one->readable();
            one.was_open = one.one->is_open();
            one.was_full = !has_room;
            one.was_told = told;
        }
    }

    tcp::settings limits;
    tcp::connection_options options;
    fiber::instant time = 1'000'000'000;
    std::mt19937_64 numbers{1};
    tcp_statistics counters;
    std::optional<tcp::engine> engine;
    tcp::listener* at = nullptr;
    std::vector<user> users;
    std::array<half, ports> peers;
    std::uint32_t longest_ = 1;
    unsigned told = 0;
};

/// Near `right`, mostly.
std::uint32_t delta(unsigned choice) {
    constexpr std::array<std::int32_t, 16> all{0,   0,    0,     0,    0,      1,       -1, 10,
                                               -10, 1000, -1000, 3000, 64'000, -70'000, 5,  INT32_MAX};
    return static_cast<std::uint32_t>(all[choice & 15]);
}

void peer_sends(world& in, const_bytes how) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned>(how[i]); };
    const unsigned port = octet(0) % world::ports;
    half& peer = in.peers[port];
    const unsigned flags = octet(1);
    wire::tcp_header header;
    header.source_port = static_cast<std::uint16_t>(world::first_port + port);
    header.destination_port = 80;
    header.is_syn = (flags & 3) == 3;
    header.is_fin = (flags & 12) == 12;
    header.is_rst = (flags & 0xf0) == 0xf0;
    const std::uint32_t seq_delta = delta(octet(2)), ack_delta = delta(octet(2) >> 4);
    // A stream begins at one number, so that its bytes can be told; another SYN is for those who know that already.
    bool is_known = false;
    in.engine->for_each([&](tcp::connection& one) {
        is_known = is_known || (one.ends().remote.port == header.source_port && one.now() != tcp::state::syn_sent);
    });
    header.sequence = header.is_syn && (!is_known || (flags & 4) == 0) ? peer.irs : peer.expected + seq_delta;
    if (!header.is_syn || (flags & 16) != 0)
        header.acknowledgment = peer.next + ack_delta;
    constexpr std::array<std::uint16_t, 8> windows{0, 1, 500, 3000, 20'000, 65'535, 65'535, 65'535};
    header.window = windows[octet(3) & 7];
    if ((octet(3) & 8) != 0)
        header.urgent = static_cast<std::uint16_t>(octet(4));
    const unsigned said = octet(3) >> 4;
    if (header.is_syn) {
        header.options.mss = static_cast<std::uint16_t>((said & 8) != 0 ? 1460 : octet(4));
        header.options.sack_permitted = (said & 1) != 0;
        if ((said & 2) != 0)
            header.options.window_scale = static_cast<std::uint8_t>(octet(4) % 15);
    }
    if ((said & 4) == 0)
        header.options.timestamps = wire::tcp_timestamps{
            static_cast<std::uint32_t>(in.time / 1'000'000) + ((said & 8) != 0 ? 0 : delta(octet(4))), octet(4)};
    if (!header.is_syn && (said & 3) == 3)
        for (unsigned i = 0; i < 3; ++i)
            header.options.sack.push_back(
                {peer.next + delta(octet(4) + i), peer.next + delta(octet(4) + i) + i * 500 + octet(5)});
    // A byte of the stream is always the same one.
    const auto begin = static_cast<std::uint32_t>(header.sequence - peer.irs) - (header.is_syn ? 0u : 1u);
    octets data(header.is_rst ? 0 : (octet(5) & 0x80) != 0 ? (octet(5) & 0x7f) * 11 : octet(5) & 3);
    for (std::uint32_t i = 0; i < data.size(); ++i)
        data[i] = byte_at(begin + i, false);
    in.engine->receive({{here, 80}, {there, header.source_port}}, header, const_bytes{data});
}

/// From a port that nobody has used.
void serve_a_good_client(world& in) {
    const std::uint16_t port = world::first_port + world::ports - 1;
    half& peer = in.peers[world::ports - 1];
    const tcp::flow way{{here, 80}, {there, port}};
    peer = {};
    peer.irs = tcp_sequence{12345};
    wire::tcp_header header{
        .source_port = port, .destination_port = 80, .sequence = peer.irs, .is_syn = true, .window = 9000};
    in.engine->receive(way, header, {});
    must(peer.has_sent, "a good client's SYN is answered");
    header.is_syn = false;
    header.sequence = peer.irs + 1;
    header.acknowledgment = peer.first + 1;
    octets hello(100);
    for (std::uint32_t i = 0; i < hello.size(); ++i)
        hello[i] = byte_at(i, false);
    in.engine->receive(way, header, const_bytes{hello});
    in.take(in.at->accept());
    must(!in.users.empty() && in.users.back().one->ends() == way, "a good client is accepted");
    in.read(in.users.back(), 200);
    must(in.users.back().read == 100, "a good client is read from");
    in.write(in.users.back(), 100);
    must(peer.next == peer.first + 101u, "a good client is answered");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes_in, std::size_t size) {
    const_bytes rest{reinterpret_cast<const std::byte*>(bytes_in), size};
    if (rest.empty())
        return 0;
    world own{static_cast<std::uint8_t>(rest[0])};
    rest = rest.subspan(1);
    while (rest.size() >= 7) {
        const auto step = static_cast<unsigned>(rest[0]);
        const auto number = static_cast<unsigned>(rest[1]);
        world::user* const by = own.users.empty() ? nullptr : &own.users[(step >> 4) % own.users.size()];
        switch (step & 15) {
        default: peer_sends(own, rest.subspan(1, 6)); break;
        case 10: own.pass(std::uint64_t{number} * number * 3'000'000); break;
        case 11:
            if (by != nullptr)
                own.write(*by, 1 + number * 20);
            break;
        case 12:
            if (by != nullptr)
                own.read(*by, 1 + number * 20);
            break;
        case 13: own.take(own.at->accept()); break;
        case 14:
            if (by == nullptr)
                break;
            if (number % 4 == 0)
                by->one->abort();
            else
                by->one->shutdown();
            break;
        case 15:
            if (number % 2 == 0 && by != nullptr)
                own.let_go((step >> 4) % own.users.size());
            else if (auto made = own.engine->connect(
                         {{here, 80}, {there, static_cast<std::uint16_t>(5000 + number % 3)}}, own.options))
                own.take(*made);
            break;
        }
        rest = rest.subspan(7);
        own.look();
    }
    while (!own.users.empty())
        own.let_go(0);
    while (own.at->waiting() != 0) {
        own.take(own.at->accept());
        own.let_go(0);
    }
    own.pass(3'600'000'000'000);
    while (own.at->waiting() != 0) {
        own.take(own.at->accept());
        own.let_go(0);
    }
    must(own.engine->connections() == 0, "nothing stays that nobody has");
    must(own.engine->half_open() == 0 && own.engine->time_waits() == 0, "what is left of connections goes");
    must(own.engine->store().used() == 0, "no memory is held");
    serve_a_good_client(own);
    own.let_go(0);
    own.engine->release(*own.at);
    own.pass(3'600'000'000'000);
    must(own.engine->store().used() == 0 && own.engine->connections() == 0, "nothing stays");
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() {
    // A handshake, data both ways, a gap that is filled, and the end; with each set of options.
    std::vector<input> all;
    for (const unsigned how : {0u, 0x0fu, 0x7fu, 0x56u, 0x2eu}) {
        std::string text;
        char digits[3];
        std::snprintf(digits, sizeof digits, "%02x", how);
        const bool stamped = (how & 2) != 0;
        const std::string syn = stamped ? "00 00 03 00 b5 01 00" : "00 00 03 00 f5 01 00";
        const std::string plain = stamped ? "85" : "c5";
        text = std::string{digits} + syn + "00 00 00 00" + plain + "00 00" + "0d 00 00 00 00 00 00";
        text += "00 00 00 00" + plain + "00 ff" + "0c ff 00 00 00 00 00" + "0b 80 00 00 00 00 00";
        text += "00 00 00 09" + plain + "00 ff" + "00 00 00 00" + plain + "00 ff" + "0a 08 00 00 00 00 00";
        text += "0c ff 00 00 00 00 00" + std::string{"0e 01 00 00 00 00 00"} + "00 00 0c 00" + plain + "00 00";
        text += "0f 00 00 00 00 00 00" + std::string{"0f 01 00 00 00 00 00"} + "0a ff 00 00 00 00 00";
        all.push_back(from_hex(text));
    }
    // Long ones, of any steps behind a handshake.
    std::mt19937 random{7};
    for (std::size_t i = 0; i < 200; ++i) {
        input one = all[i % 5];
        one.resize(1 + 3 * 7);
        for (std::size_t steps = 20 + random() % 80; steps != 0; --steps)
            for (std::size_t octet = 0; octet < 7; ++octet)
                one.push_back(static_cast<std::byte>(octet == 1 && random() % 4 != 0 ? 0 : random()));
        all.push_back(one);
    }
    return all;
}
