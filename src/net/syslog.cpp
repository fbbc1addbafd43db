// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/fiber/clock.hpp>
#include <halvm/net/syslog.hpp>

#include <new>

namespace halvm::net {
namespace {

constexpr std::size_t longest = 1024;  // what every receiver takes [rfc5424 6.1]

/// Printable ASCII without blanks, as the header's parts are; "-" for nothing.
void append_word(std::string& to, std::string_view word, std::size_t most) {
    to += ' ';
    if (word.empty())
        to += '-';
    for (const char one : word.substr(0, most))
        to += one > ' ' && one < 0x7f ? one : '_';
}

void append_number(std::string& to, long value, std::size_t digits) {
    const std::string text = std::to_string(value);
    to.append(digits - std::min(digits, text.size()), '0').append(text);
}

}  // namespace

std::string format(const syslog_message& one) {
    using namespace std::chrono;
    std::string made =
        "<" + std::to_string(static_cast<unsigned>(one.facility) * 8 + static_cast<unsigned>(one.severity)) + ">1 ";
    const auto when = floor<milliseconds>(one.when);
    const auto midnight = floor<days>(when);
    const year_month_day date{midnight};
    const hh_mm_ss time{when - midnight};
    append_number(made, static_cast<int>(date.year()), 4);
    append_number(made += '-', static_cast<long>(static_cast<unsigned>(date.month())), 2);
    append_number(made += '-', static_cast<long>(static_cast<unsigned>(date.day())), 2);
    append_number(made += 'T', time.hours().count(), 2);
    append_number(made += ':', time.minutes().count(), 2);
    append_number(made += ':', time.seconds().count(), 2);
    append_number(made += '.', time.subseconds().count(), 3);
    made += 'Z';
    append_word(made, one.host, 255);
    append_word(made, one.program, 48);
    append_word(made, {}, 0);  // PROCID
    append_word(made, one.kind, 32);
    made += " - ";  // STRUCTURED-DATA
    for (const char letter : one.text.substr(0, longest - std::min(longest, made.size())))
        made += static_cast<unsigned char>(letter) < ' ' || letter == 0x7f ? ' ' : letter;
    return made;
}

result<syslog> syslog::open(stack& own, const endpoint& to, std::string host, std::string program) {
    auto socket = own.udp().bind();
    if (!socket)
        return failure(socket.error());
    return syslog{std::move(*socket), {to.address, to.port != 0 ? to.port : port}, std::move(host), std::move(program)};
}

void syslog::send(severity how, std::string_view kind, std::string_view text) noexcept {
    try {
        const std::string made = format({.severity = how,
                                         .when = std::chrono::system_clock::now(),
                                         .host = host_,
                                         .program = program_,
                                         .kind = kind,
                                         .text = text});
        // What does not go now would only keep what it tells of waiting.
        if (!socket_.send_to(as_bytes(made), to_, fiber::wait_limit{fiber::this_scheduler().now()}))
            ++lost_;
    } catch (const std::bad_alloc&) {
        ++lost_;
    }
}

}  // namespace halvm::net
