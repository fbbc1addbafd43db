// SPDX-License-Identifier: BSD-3-Clause
// HTTP in a domain, counted, without a network: heads, and requests to a server over a stream in memory, whose own cost
// is measured beside it. Run where one instruction is one tick of the time stamp counter.
#include <halvm/fiber.hpp>
#include <halvm/http/head.hpp>
#include <halvm/http/router.hpp>
#include <halvm/http/server.hpp>
#include <halvm/model/loopback_stream.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

using namespace halvm;

constexpr std::string_view short_request = "GET / HTTP/1.1\r\nHost: 10.0.1.5\r\n\r\n";
constexpr std::string_view browser_request =
    "GET /index.html HTTP/1.1\r\nHost: www.example.org\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\nIf-None-Match: \"264-8d6a\"\r\n\r\n";

std::uint64_t parse(std::string_view text) {
    static std::array<http::field, 100> room;
    http::head_finder finder;
    const auto end = finder.find(text, {});
    const auto head = http::parse_request(text.substr(0, *end), room);
    return head ? head->fields.size() : 0;
}

template <class Run>
void print(const char* metric, std::uint64_t per, Run run) {
    constexpr std::uint64_t times = 500;
    for (int warm = 0; warm < 20; ++warm)
        run();
    const std::uint64_t before = __builtin_ia32_rdtsc();
    for (std::uint64_t at = 0; at < times; ++at)
        run();
    std::printf("%s\t%lu\n", metric, static_cast<unsigned long>((__builtin_ia32_rdtsc() - before) / times / per));
}

/// Sends a text, and reads until so many bytes have come back.
void exchange(model::loopback_stream& client, std::string_view text, std::size_t answer) {
    std::array<std::byte, 8192> room;
    static_cast<void>(client.write(as_bytes(text)));
    while (answer != 0)
        answer -= client.read(bytes{room}.first(std::min(answer, room.size()))).value();
}

}  // namespace

int halvm_main() {
    print("parse a request of 34 bytes", 1, [] { parse(short_request); });
    print("parse a browser's request of 482 bytes", 1, [] { parse(browser_request); });

    const std::string page(612, 'x');
    http::router routes;
    routes.get("/", [&](http::request&) { return http::response{}.type("text/html").view(as_bytes(page)); });
    http::server web{routes};
    auto [client, far] = model::loopback_stream::make_pair(65'536);
    web.adopt(std::move(far));
    static_cast<void>(client.write(as_bytes(short_request)));
    std::array<std::byte, 8192> room;
    const std::size_t answer = client.read(room).value();
    print("a request with a page of 612 bytes, keep-alive", 1, [&] { exchange(client, short_request, answer); });
    std::string sixteen;
    for (int count = 0; count < 16; ++count)
        sixteen += short_request;
    print("the same, 16 in one piece", 16, [&] { exchange(client, sixteen, 16 * answer); });

    // What of that is the stream's: the same bytes there and back, by a fiber that does nothing else.
    auto [near, other] = model::loopback_stream::make_pair(65'536);
    auto echo = fiber::spawn([&] {
        std::array<std::byte, 100> in;
        const std::string out(answer, 'y');
        while (other.read(in).value_or(0) != 0)
            static_cast<void>(other.write(as_bytes(out)));
    });
    print("the stream and two switches, in each of them", 1, [&] { exchange(near, short_request, answer); });
    static_cast<void>(near.shutdown());
    echo.join();
    return 0;
}
