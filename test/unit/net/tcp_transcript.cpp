// SPDX-License-Identifier: BSD-3-Clause
#include "net/tcp_transcript.hpp"

#include <map>

namespace halvm::test {
namespace {

constexpr std::uint16_t our_port = 80, usual_port = 5000;

std::byte data_at(std::size_t at) { return static_cast<std::byte>(at * 2654435761u >> 13); }

std::vector<std::int64_t> numbers_of(std::string text) {
    std::vector<std::int64_t> found;
    for (char& one : text)
        if (std::isdigit(static_cast<unsigned char>(one)) == 0)
            one = ' ';
    std::istringstream words{text};
    for (std::int64_t one = 0; words >> one;)
        found.push_back(one);
    return found;
}

const std::map<std::string, tcp::state> states{{"closed", tcp::state::closed},
                                               {"syn-sent", tcp::state::syn_sent},
                                               {"syn-received", tcp::state::syn_received},
                                               {"established", tcp::state::established},
                                               {"fin-wait-1", tcp::state::fin_wait_1},
                                               {"fin-wait-2", tcp::state::fin_wait_2},
                                               {"close-wait", tcp::state::close_wait},
                                               {"closing", tcp::state::closing},
                                               {"last-ack", tcp::state::last_ack},
                                               {"time-wait", tcp::state::time_wait}};
const std::map<std::string, std::errc> errors{{"none", std::errc{}},
                                              {"refused", std::errc::connection_refused},
                                              {"reset", std::errc::connection_reset},
                                              {"aborted", std::errc::connection_aborted},
                                              {"timed-out", std::errc::timed_out},
                                              {"host-unreachable", std::errc::host_unreachable}};

}  // namespace

transcript::transcript(const tcp::settings& how, const tcp::connection_options& with, std::uint64_t seed)
    : network{seed}, engine{how, network, counters}, options{with} {
    at_ = engine.listen({{}, our_port}, options, 4).value();
}

transcript::~transcript() {
    if (one_ != nullptr && !released_)
        engine.release(*one_);
    engine.release(*at_);
}

std::string transcript::text_of(const tcp_segment& one) const {
    const auto& header = one.header;
    std::ostringstream text;
    text << (header.is_syn ? "S" : "") << (header.is_fin ? "F" : "") << (header.is_rst ? "R" : "")
         << (header.is_push ? "P" : "") << (header.acknowledgment ? "." : "") << " " << (header.sequence - iss_) << ":"
         << (header.sequence - iss_) + static_cast<std::int64_t>(one.data.size());
    if (header.acknowledgment)
        text << " ack " << (*header.acknowledgment - irs_);
    text << " win " << header.window;
    for (const auto& block : header.options.sack)
        text << " sack " << (block.begin - irs_) << "-" << (block.end - irs_);
    return text.str();
}

void transcript::wrong(const std::string& why) {
    FAIL_CHECK(why);
    throw line_failed{};
}

void transcript::nothing_more() {
    if (!network.sent.empty())
        wrong("nothing was expected, and sent was " + text_of(network.sent.front()));
}

void transcript::pass(std::uint64_t milliseconds) {
    const fiber::instant end = network.time + milliseconds * 1'000'000;
    while (engine.deadline() <= end) {
        network.time = std::max(network.time, engine.deadline());
        engine.advance();
    }
    network.time = end;
}

transcript& transcript::play(const std::string& lines) {
    std::istringstream all{lines};
    std::string each;
    try {
        while (std::getline(all, each)) {
            INFO(each);
            line(each);
        }
        nothing_more();
    } catch (const line_failed&) {
        network.sent.clear();
    }
    return *this;
}

transcript& transcript::established(const std::string& fields, std::uint32_t window) {
    const std::string said = " win " + std::to_string(window) + "\n";
    // As Linux does, with the stamp of the SYN.
    const std::size_t stamp = fields.find("ts ");
    play("< S 0 " + fields + said + "> S. 0 ack 1\n" + "< . 1 ack 1" +
         (stamp != fields.npos ? " " + fields.substr(stamp, fields.find(',', stamp) - stamp) + ",last" : "") + said +
         "accept\nstate established\n");
    REQUIRE(one_ != nullptr);
    return *this;
}

void transcript::line(const std::string& text) {
    std::istringstream words{text.substr(0, text.find('#'))};
    std::string verb, flags;
    if (!(words >> verb))
        return;
    if (verb == ">") {
        words >> flags;
        return sends(words, flags);
    }
    nothing_more();
    if (verb == "<") {
        words >> flags;
        receives(words, flags);
    } else if (verb[0] == '+') {
        pass(std::stoull(verb.substr(1)));
    } else {
        command(verb, words);
    }
}

void transcript::receives(std::istringstream& words, std::string flags) {
    net::wire::tcp_header header;
    std::uint16_t port = usual_port, to = our_port;
    octets data;
    const auto has = [&](char flag) { return flags.find(flag) != flags.npos; };
    header.is_syn = has('S');
    header.is_fin = has('F');
    header.is_rst = has('R');
    header.is_push = has('P');
    header.has_ecn_echo = has('E');
    header.has_window_reduced = has('W');
    if (has('.'))
        header.acknowledgment = ours(0);
    header.window = 65000;
    std::string range, word, value;
    words >> range;
    const auto ends = numbers_of(range);
    header.sequence = theirs(ends.at(0));
    if (ends.size() == 2)
        for (std::int64_t at = ends[0]; at < ends[1]; ++at)
            data.push_back(data_at(static_cast<std::size_t>(at - 1)));
    while (words >> word) {
        if (word == "sackok") {
            header.options.sack_permitted = true;
            continue;
        }
        words >> value;
        const auto all = numbers_of(value);
        const auto number = all.empty() ? 0 : all[0];
        if (word == "ack")
            header.acknowledgment = ours(number);
        else if (word == "win")
            header.window = static_cast<std::uint16_t>(number);
        else if (word == "mss")
            header.options.mss = static_cast<std::uint16_t>(number);
        else if (word == "ws")
            header.options.window_scale = static_cast<std::uint8_t>(number);
        else if (word == "urg")
            header.urgent = static_cast<std::uint16_t>(number);
        else if (word == "port")
            port = static_cast<std::uint16_t>(number);
        else if (word == "to")
            to = static_cast<std::uint16_t>(number);
        else if (word == "ts")
            header.options.timestamps = net::wire::tcp_timestamps{
                static_cast<std::uint32_t>(number),
                value.ends_with("last") ? last_stamp_ : static_cast<std::uint32_t>(all.size() > 1 ? all[1] : 0)};
        else if (word == "sack")
            for (std::size_t i = 0; i + 1 < all.size(); i += 2)
                header.options.sack.push_back({ours(all[i]), ours(all[i + 1])});
        else
            wrong("what is " + word + "?");
    }
    engine.receive({{here, to}, {there, port}}, header, const_bytes{data});
    // What was released is gone when it has ended.
    if (released_ && engine.connections() == 0)
        one_ = nullptr;
}

void transcript::sends(std::istringstream& words, const std::string& flags) {
    if (flags == "*") {
        network.sent.clear();
        return;
    }
    if (network.sent.empty())
        wrong("nothing was sent");
    const tcp_segment sent = std::move(network.sent.front());
    network.sent.erase(network.sent.begin());
    const auto& header = sent.header;
    if (header.is_syn)
        iss_ = header.sequence;
    INFO("sent: " << text_of(sent));
    const auto expect = [&](bool holds, const std::string& what) {
        if (!holds)
            wrong(what + ", and sent was " + text_of(sent));
    };
    const auto has = [&](char flag) { return flags.find(flag) != flags.npos; };
    expect(has('S') == header.is_syn && has('F') == header.is_fin && has('R') == header.is_rst &&
               has('.') == header.acknowledgment.has_value() && (!has('P') || header.is_push) && !header.urgent,
           "flags " + flags);
    if (header.options.timestamps)
        last_stamp_ = header.options.timestamps->value;
    bool sized = false;
    for (std::string word, value; words >> word;) {
        if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) {
            const auto ends = numbers_of(word);
            expect(header.sequence == ours(ends[0]), "sequence " + word);
            expect(sent.data.size() == static_cast<std::size_t>(ends.size() == 2 ? ends[1] - ends[0] : 0),
                   "bytes " + word);
            for (std::size_t i = 0; i < sent.data.size(); ++i)
                expect(sent.data[i] == data_at(static_cast<std::size_t>(ends[0]) - 1 + i), "other bytes");
            sized = true;
        } else if (word == "sackok") {
            expect(header.options.sack_permitted, word);
        } else if (word == "!sackok") {
            expect(!header.options.sack_permitted, word);
        } else if (word == "!ts") {
            expect(!header.options.timestamps, word);
        } else if (word == "!ws") {
            expect(!header.options.window_scale, word);
        } else if (word == "!sack") {
            expect(header.options.sack.empty(), word);
        } else if (word == "!mss") {
            expect(!header.options.mss, word);
        } else {
            words >> value;
            const auto all = numbers_of(value);
            if (word == "ack") {
                expect(header.acknowledgment == theirs(all[0]), "ack " + value);
            } else if (word == "win") {
                expect(header.window == all[0], "win " + value);
            } else if (word == "mss") {
                expect(header.options.mss == all[0], "mss " + value);
            } else if (word == "ws") {
                expect(header.options.window_scale == all[0], "ws " + value);
            } else if (word == "port") {
                expect(sent.way.remote.port == all[0], "port " + value);
            } else if (word == "ts") {
                expect(header.options.timestamps && header.options.timestamps->echo == all.back(), "ts " + value);
            } else if (word == "sack") {
                net::wire::tcp_sack_blocks blocks;
                for (std::size_t i = 0; i + 1 < all.size(); i += 2)
                    blocks.push_back({theirs(all[i]), theirs(all[i + 1])});
                expect(header.options.sack == blocks, "sack " + value);
            } else {
                wrong("what is " + word + "?");
            }
        }
    }
    expect(sized || sent.data.empty(), "no data");
}

void transcript::command(const std::string& verb, std::istringstream& words) {
    std::string word;
    words >> word;
    const auto number = static_cast<std::size_t>(std::atoll(word.c_str()));
    if (verb == "accept") {
        one_ = at_->accept();
        if (one_ == nullptr)
            wrong("there is nothing to accept");
        one_->watch(&watcher);
    } else if (verb == "connect") {
        one_ = engine.connect({{here, our_port}, {there, usual_port}}, options).value();
        one_->watch(&watcher);
    } else if (verb == "write") {
        octets data;
        for (std::size_t i = 0; i < number; ++i)
            data.push_back(data_at(written_ + i));
        const std::size_t done = one_->write(const_bytes{data});
        written_ += done;
        if (done != number)
            wrong("only " + std::to_string(done) + " were taken");
    } else if (verb == "read") {
        octets data(number + 1);
        const std::size_t done = one_->read(bytes{data}.first(number));
        if (done != number)
            wrong("only " + std::to_string(done) + " came");
        for (std::size_t i = 0; i < done; ++i)
            if (data[i] != data_at(read_ + i))
                wrong("other bytes came");
        read_ += done;
    } else if (verb == "readable") {
        if (one_->readable() != number)
            wrong(std::to_string(one_->readable()) + " are readable");
    } else if (verb == "end") {
        if (!one_->is_at_end())
            wrong("it is not at its end");
    } else if (verb == "shutdown") {
        one_->shutdown();
    } else if (verb == "abort") {
        one_->abort();
    } else if (verb == "release") {
        released_ = true;
        engine.release(*one_);
        if (engine.connections() == 0)
            one_ = nullptr;
    } else if (verb == "no-delay") {
        one_->set_no_delay(true);
    } else if (verb == "state") {
        if (one_->now() != states.at(word))
            wrong("it is in state " + std::to_string(static_cast<int>(one_->now())));
    } else if (verb == "error") {
        if (one_->failure() != errors.at(word))
            wrong("it failed by " + std::make_error_code(one_->failure()).message());
    } else if (verb == "cwnd") {
        if (one_->congestion_window() != number)
            wrong("the congestion window is " + std::to_string(one_->congestion_window()));
    } else if (verb == "icmp") {
        // hard|soft|narrow OFFSET, of what was sent.
        std::int64_t at = 0;
        words >> at;
        const tcp::flow way{{here, our_port}, {there, usual_port}};
        if (word == "narrow")
            engine.path_narrowed(way, ours(at));
        else
            engine.unreachable(way, ours(at), std::errc::host_unreachable, word == "hard");
    } else if (verb == "connections") {
        if (engine.connections() != number)
            wrong("there are " + std::to_string(engine.connections()));
    } else if (verb == "time-waits") {
        if (engine.time_waits() != number)
            wrong("there are " + std::to_string(engine.time_waits()));
    } else if (verb == "half-open") {
        if (engine.half_open() != number)
            wrong("there are " + std::to_string(engine.half_open()));
    } else {
        wrong("what is " + verb + "?");
    }
}

}  // namespace halvm::test
