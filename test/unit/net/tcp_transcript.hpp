// SPDX-License-Identifier: BSD-3-Clause
// TCP's core against a script, a line at a time:
//
//   < S 0 win 5000 mss 1000     the peer sends a SYN; numbers are relative to each end's first, so data begins at 1
//   > S. 0 ack 1                we send this next, with just these flags; what the line does not name may be anything
//   < . 1:11 ack 1 win 5000     ten bytes; one of ours without a range has none
//   +40                         milliseconds pass
//   > . ack 11
//   accept | connect | write N | read N | shutdown | abort | release | state NAME | error NAME | ...
//
// Whatever is sent and not named by the next lines fails the script: each line tests silence too. `> *` passes over all
// that was sent. Fields: ack, win, mss, ws, sackok, ts VALUE,ECHO ('*' is any, `last` as an echo the value that we sent
// last), sack A-B,C-D, urg, port (of the peer, 5000 unless said), to (our port, 80). `!` before a name: without it.
// Flags are of SFRPUEW and '.', for the ACK flag, and '-' is none. PSH is looked at only where it is named.
#pragma once

#include "tcp_link.hpp"

#include <sstream>

namespace halvm::test {

class transcript {
public:
    explicit transcript(const tcp::settings& how = {}, const tcp::connection_options& options = {},
                        std::uint64_t seed = 1);
    ~transcript();

    transcript& play(const std::string& lines);
    /// A connection that the peer has begun with these fields in its SYN, and a window that is not scaled down.
    transcript& established(const std::string& fields = "mss 1000", std::uint32_t window = 65000);

    tcp::connection& one() { return *one_; }
    /// One that the script does not speak of; null when there is none.
    tcp::connection* accept() { return at_->accept(); }

    tcp_network network;
    net::tcp_statistics counters;
    tcp::engine engine;
    tcp::connection_options options;
    tcp_watcher watcher;

private:
    struct line_failed {};
    void line(const std::string& text);
    void receives(std::istringstream& words, std::string flags);
    void sends(std::istringstream& words, const std::string& flags);
    void command(const std::string& verb, std::istringstream& words);
    void nothing_more();
    void pass(std::uint64_t milliseconds);
    [[noreturn]] void wrong(const std::string& why);
    std::string text_of(const tcp_segment& one) const;
    tcp_sequence ours(std::int64_t relative) const { return iss_ + static_cast<std::uint32_t>(relative); }
    tcp_sequence theirs(std::int64_t relative) const { return irs_ + static_cast<std::uint32_t>(relative); }

    tcp::listener* at_ = nullptr;
    tcp::connection* one_ = nullptr;
    tcp_sequence iss_{};
    tcp_sequence irs_{0xffff'ff00};  // so that the numbers go round
    std::uint32_t last_stamp_ = 0;
    bool released_ = false;
    std::size_t written_ = 0;
    std::size_t read_ = 0;
};

}  // namespace halvm::test
