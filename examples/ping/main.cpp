// SPDX-License-Identifier: BSD-3-Clause
// Pings a host, as ping(8) does: `10.0.2.2`, or a name that a name server knows. The network is configured by the words
// of halvm/net/command_line.hpp; count=3 ends it after so many, size=56 is how many bytes each carries.
#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/net/command_line.hpp>
#include <halvm/net/dns.hpp>
#include <halvm/nic.hpp>
#include <halvm/program.hpp>
#include <halvm/shutdown.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace halvm;
using namespace std::chrono_literals;

struct wish {
    std::string_view host{};
    std::uint64_t count = UINT64_MAX;
    std::uint64_t size = 56;
};

/// Nothing, after it has said why, when the words make no sense.
std::optional<wish> read_words(halvm::console& console) {
    wish made;
    for (const std::string_view word : arguments()) {
        const std::size_t equals = word.find('=');
        const std::string_view name = word.substr(0, equals);
        if (name == "count" || name == "size") {
            std::uint64_t& value = name == "count" ? made.count : made.size;
            const char* const end = word.data() + word.size();
            const auto read = std::from_chars(word.data() + std::min(equals + 1, word.size()), end, value);
            if (read.ec != std::errc{} || read.ptr != end) {
                console.print(std::string{word} + " is no number\n");
                return std::nullopt;
            }
        } else if (equals == word.npos) {
            made.host = word;
        }
    }
    if (made.host.empty()) {
        console.print("whom? give an address or a name, as in --extra '10.0.2.2 count=3'\n");
        return std::nullopt;
    }
    return made;
}

/// "1.234 ms".
std::string text_of(std::chrono::nanoseconds time) {
    const std::string part = std::to_string(time.count() / 1000 % 1000);
    return std::to_string(time.count() / 1'000'000) + "." + std::string(3 - part.size(), '0') + part + " ms";
}

}  // namespace

int halvm_main() {
    auto console = open_console().value();
    const auto asked = shutdown_token();
    const auto words = read_words(console);
    if (!words)
        return 2;
    const auto fails = [&](const error& why) {
        console.print(why.message() + "\n");
        return 2;
    };
    auto device = open_nic();
    if (!device)
        return fails(device.error());
    net::stack stack{std::move(*device)};
    const auto network = net::configure(stack, arguments(), fiber::within(60s, asked));
    if (!network)
        return fails(network.error());
    console.print("Assigned IP: " + std::string{network->address.address().to_text().view()} + "\n");
    const auto found = stack.dns().resolve(words->host, fiber::within(30s, asked));
    if (!found)
        return fails(found.error());
    const net::ip_address host = found->front();
    const std::string address{host.to_text().view()};
    console.print("PING " + std::string{words->host} + " (" + address + "): " + std::to_string(words->size) +
                  " data bytes\n");

    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::chrono::nanoseconds least = std::chrono::nanoseconds::max(), most{}, sum{};
    while (sent != words->count) {
        const auto next = fiber::within(1s, asked);
        ++sent;
        const auto time = stack.ping(host, next, {.size = words->size});
        if (time) {
            ++received;
            least = std::min(least, *time), most = std::max(most, *time), sum += *time;
            console.print(std::to_string(words->size) + " bytes from " + address + ": seq=" + std::to_string(sent) +
                          " time=" + text_of(*time) + "\n");
        } else if (asked.stop_requested()) {
            --sent;
        } else {
            console.print("seq=" + std::to_string(sent) + ": " + time.error().message() + "\n");
        }
        if (asked.stop_requested() || (sent != words->count && !fiber::sleep(next)))
            break;
    }
    console.print(std::to_string(sent) + " sent, " + std::to_string(received) + " received");
    if (received != 0)
        console.print(", times " + text_of(least) + ", " + text_of(sum / static_cast<std::int64_t>(received)) + ", " +
                      text_of(most) + " (least, mean, most)");
    console.print("\n");
    return received != 0 ? 0 : 1;
}
