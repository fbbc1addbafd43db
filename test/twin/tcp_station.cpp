// SPDX-License-Identifier: BSD-3-Clause
// A host that speaks TCP as its input says, a line at a time, and answers each with a line; `ip=` on its command line
// is its address. Whatever it is told, it serves: at port 7 what comes goes back; at 9 it is read up to its end, and
// then told how much it was, and whether it was right; at 19 a line with a number is answered with as many bytes; at 21
// nothing is read until `drain` is said.
#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/command_line.hpp>
#include <halvm/net/tcp.hpp>
#include <halvm/nic.hpp>
#include <halvm/program.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;

constexpr std::size_t period = 65521;
std::stop_source over;
fiber::wait_limit patience(std::chrono::nanoseconds most = 60s) { return fiber::within(most, over.get_token()); }
std::string reason(const error& why) { return why.code().message(); }

/// The stream that everybody sends here: which byte it is, its place says.
std::span<const std::byte> pattern_at(std::size_t at, std::size_t most) {
    static const auto whole = [] {
        std::vector<std::byte> made(2 * period);
        for (std::size_t i = 0; i < made.size(); ++i)
            made[i] = static_cast<std::byte>((i % period) * 2654435761u >> 13);
        return made;
    }();
    return std::span{whole}.subspan(at % period, std::min(most, period));
}

result<void> send_pattern(net::tcp_connection& to, std::size_t from, std::size_t size) {
    for (std::size_t done = 0; done != size;) {
        const auto piece = pattern_at(from + done, size - done);
        if (auto written = to.write(piece, patience()); !written)
            return written;
        done += piece.size();
    }
    return {};
}

/// How much came, up to the end or `most`, and what there is to say of it.
struct taken {
    std::size_t size = 0;
    bool is_right = true;
    bool at_end = false;
    std::string failure{};
};
taken take_pattern(net::tcp_connection& from, std::size_t begin, std::size_t most) {
    taken all;
    std::vector<std::byte> some(65536);
    while (all.size < most) {
        const auto count = from.read(bytes{some}.first(std::min({some.size(), most - all.size, period})), patience());
        if (!count)
            all.failure = reason(count.error());
        all.at_end = count && *count == 0;
        if (!count || *count == 0)
            break;
        const auto expected = pattern_at(begin + all.size, *count);
        all.is_right = all.is_right && std::equal(expected.begin(), expected.end(), some.begin());
        all.size += *count;
    }
    return all;
}
std::string text_of(const taken& what) {
    return std::to_string(what.size) + (what.is_right ? " right" : " WRONG") + (what.at_end ? ", the end" : "") +
           (what.failure.empty() ? "" : ", " + what.failure);
}

void echo(net::tcp_connection& one) {
    std::vector<std::byte> some(65536);
    while (const std::size_t count = one.read(some, patience()).value_or(0))
        if (!one.write(bytes{some}.first(count), patience()))
            return;
    (void)one.close(patience());
}
void sink(net::tcp_connection& one) {
    (void)one.write(as_bytes(text_of(take_pattern(one, 0, SIZE_MAX)) + "\n"));
    (void)one.close(patience());
}
void source(net::tcp_connection& one) {
    std::string line;
    std::array<std::byte, 1> each;
    while (one.read(each, patience()).value_or(0) != 0 && as_text(each) != "\n")
        line += as_text(each);
    (void)send_pattern(one, 0, std::stoul("0" + line));
    (void)one.close(patience());
}

class station {
public:
    explicit station(net::stack& stack) : stack_{stack} {
        serve(7, echo);
        serve(9, sink);
        serve(19, source);
        serve(21, [this](net::tcp_connection& one) {
            if (drained_.wait(patience()))
                sink(one);
        });
    }

    ~station() {
        over.request_stop();
        // Those that serve peers are told of while the listeners end.
        for (std::size_t i = 0; i < serving_.size(); ++i)
            serving_[i].join();
    }

    std::string obey(const std::string& line) {
        std::istringstream words{line};
        std::string verb;
        words >> verb;
        const auto known = verbs_.find(verb);
        return known != verbs_.end() ? (this->*known->second)(words) : "what is " + verb + "?";
    }

private:
    using action = std::string (station::*)(std::istringstream&);

    void serve(std::uint16_t port, std::function<void(net::tcp_connection&)> by) {
        serving_.push_back(fiber::spawn([this, port, by] {
            auto listener = stack_.tcp().listen(port).value();
            while (auto one = listener.accept(over.get_token()))
                serving_.push_back(fiber::spawn([by, c = std::move(*one)]() mutable { by(c); }));
        }));
    }

    /// ADDRESS PORT [from=PORT] [within=MS] [no-delay] [keep-alive] [patience=S]
    std::string connect(std::istringstream& words) {
        std::string address, word;
        net::endpoint to, from;
        words >> address >> to.port;
        to.address = net::ip_address::parse(address).value();
        net::tcp::connection_options options;
        auto limit = patience();
        while (words >> word) {
            const auto number = std::atoi(word.substr(word.find('=') + 1).c_str());
            if (word == "no-delay")
                options.no_delay = true;
            else if (word == "keep-alive")
                options = {
                    .keep_alive = true, .keep_alive_probes = 2, .keep_alive_idle = 1s, .keep_alive_interval = 1s};
            else if (word.starts_with("from="))
                from.port = static_cast<std::uint16_t>(number);
            else if (word.starts_with("within="))
                limit = patience(std::chrono::milliseconds{number});
            else if (word.starts_with("patience="))
                options.user_timeout = std::chrono::seconds{number};
        }
        one_.reset();
        sent_ = received_ = 0;
        auto made = stack_.tcp().connect(to, limit, options, from);
        if (!made)
            return reason(made.error());
        one_ = std::move(*made);
        return "connected";
    }
    std::string write(std::istringstream& words) {
        std::size_t size = 0;
        words >> size;
        const auto done = send_pattern(*one_, sent_, size);
        sent_ += size;
        return done ? "written" : reason(done.error());
    }
    std::string read(std::istringstream& words) {
        std::size_t most = SIZE_MAX;
        words >> most;
        const taken got = take_pattern(*one_, received_, most);
        received_ += got.size;
        return text_of(got);
    }
    /// SIZE: writes so much and ends, and reads up to the end at the same time.
    std::string both(std::istringstream& words) {
        std::size_t size = 0;
        words >> size;
        auto writer = fiber::spawn([&] {
            const auto done = send_pattern(*one_, 0, size);
            return done ? one_->shutdown() : done;
        });
        const std::string text = text_of(take_pattern(*one_, 0, SIZE_MAX));
        const auto done = writer.join();
        return text + (done ? "" : ", write: " + reason(done.error()));
    }
    /// COUNT SIZE: so often, and each time waits until it has come back.
    std::string turns(std::istringstream& words) {
        std::size_t count = 0, size = 0;
        words >> count >> size;
        for (std::size_t i = 0; i < count; ++i) {
            if (const auto done = send_pattern(*one_, i * size, size); !done)
                return reason(done.error());
            if (const taken got = take_pattern(*one_, i * size, size); got.size != size || !got.is_right)
                return "turn " + std::to_string(i) + ": " + text_of(got);
        }
        return "all came back";
    }
    std::string shutdown(std::istringstream&) {
        (void)one_->shutdown();
        return "ended";
    }
    std::string close(std::istringstream&) {
        const auto done = one_->close(patience());
        one_.reset();
        return done ? "closed" : reason(done.error());
    }
    std::string drop(std::istringstream&) {
        one_.reset();
        return "gone";
    }
    std::string abort(std::istringstream&) {
        one_->abort();
        return "aborted";
    }
    /// Whether all that was written has been acknowledged.
    std::string drained(std::istringstream&) { return one_->details().is_drained() ? "yes" : "no"; }
    std::string drain(std::istringstream&) {
        drained_.set();
        return "it is read";
    }
    std::string counted(std::istringstream&) {
        const net::tcp_statistics all = stack_.statistics().tcp;
        return "retransmitted " + std::to_string(all.retransmitted) + " timeouts " + std::to_string(all.timeouts) +
               " probes " + std::to_string(all.window_probes) + " keep-alives " + std::to_string(all.keep_alives) +
               " bad " + std::to_string(all.bad_segment + all.bad_checksum + all.bad_acknowledgment) + " connections " +
               std::to_string(stack_.tcp().engine().connections());
    }

    const std::map<std::string, action> verbs_{
        {"connect", &station::connect}, {"write", &station::write}, {"read", &station::read},
        {"both", &station::both},       {"turns", &station::turns}, {"shutdown", &station::shutdown},
        {"close", &station::close},     {"drop", &station::drop},   {"abort", &station::abort},
        {"drained", &station::drained}, {"drain", &station::drain}, {"counted", &station::counted}};
    net::stack& stack_;
    std::deque<fiber::handle<void>> serving_;
    std::optional<net::tcp_connection> one_;
    std::size_t sent_ = 0;
    std::size_t received_ = 0;
    fiber::event drained_;
};

}  // namespace

int halvm_main() {
    net::stack stack{open_nic().value()};
    net::configure(stack, arguments(), patience()).value();
    auto console = open_console().value();
    station one{stack};
    fiber::yield();
    console.print("ready\n");
    std::string text;
    std::array<std::byte, 512> some;
    while (const auto count = console.read(some)) {
        if (*count == 0)
            break;
        text += as_text(const_bytes{some}.first(*count));
        for (std::size_t end; (end = text.find('\n')) != text.npos; text.erase(0, end + 1))
            console.print(one.obey(text.substr(0, end)) + "\n");
    }
    return 0;
}
