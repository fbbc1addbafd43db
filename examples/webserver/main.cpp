// SPDX-License-Identifier: BSD-3-Clause
// A web server: a static site, and pages about itself. Its words, besides those of halvm/net/command_line.hpp:
//
//   port=80             where it listens
//   patience=60         seconds that a DHCP server has to answer
//   idle=60             seconds after which a connection ends on which nothing is asked
//   log                 each request, on the console
//   syslog=10.0.0.5     each request, to this syslog server; with :PORT behind it when that is not 514
#include "pages.hpp"

#include <halvm/console.hpp>
#include <halvm/fiber.hpp>
#include <halvm/http/router.hpp>
#include <halvm/http/server.hpp>
#include <halvm/http/site.hpp>
#include <halvm/modules.hpp>
#include <halvm/net/command_line.hpp>
#include <halvm/net/dhcp.hpp>
#include <halvm/net/syslog.hpp>
#include <halvm/net/tcp.hpp>
#include <halvm/nic.hpp>
#include <halvm/program.hpp>
#include <halvm/shutdown.hpp>

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
    std::uint16_t port = 80;
    std::uint32_t patience = 60;
    std::uint32_t idle = 60;
    bool log = false;
    std::optional<net::endpoint> syslog{};
};

std::optional<std::string_view> value_of(std::string_view word, std::string_view name) {
    return word.starts_with(name) ? std::optional{word.substr(name.size())} : std::nullopt;
}

/// Errors: std::errc::invalid_argument and address_errc, with the word.
result<wish> read_words() {
    wish made;
    for (const std::string_view word : arguments()) {
        const auto refuse = [&](std::error_code code) { return failure{error{code, "read", word}}; };
        const auto number = [&](std::string_view text, auto& into) {
            const auto read = std::from_chars(text.begin(), text.end(), into);
            return read.ec == std::errc{} && read.ptr == text.end() && into != 0;
        };
        if (const auto port = value_of(word, "port=")) {
            if (!number(*port, made.port))
                return refuse(std::make_error_code(std::errc::invalid_argument));
        } else if (const auto patience = value_of(word, "patience=")) {
            if (!number(*patience, made.patience))
                return refuse(std::make_error_code(std::errc::invalid_argument));
        } else if (const auto idle = value_of(word, "idle=")) {
            if (!number(*idle, made.idle))
                return refuse(std::make_error_code(std::errc::invalid_argument));
        } else if (const auto server = value_of(word, "syslog=")) {
            auto end = net::endpoint::parse(*server);
            if (const auto address = net::ip_address::parse(*server); !end && address)
                end = net::endpoint{*address, net::syslog::port};
            if (!end)
                return refuse(end.error().code());
            made.syslog = *end;
        } else if (word == "log") {
            made.log = true;
        }
    }
    return made;
}

/// The ramdisk's, else the image's; nothing when there is neither.
result<std::optional<http::static_site>> find_site() {
    const auto ramdisks = modules();
    if (!ramdisks)
        return failure(ramdisks.error());
    const_bytes archive = ramdisks->empty() ? const_bytes{} : ramdisks->front();
    if (archive.empty())
        archive = built_in_site();
    if (archive.empty())
        return std::nullopt;
    auto site = http::static_site::from_archive(archive);
    if (!site)
        return failure(site.error());
    return std::optional{std::move(*site)};
}

http::response hello(std::uint64_t number) {
    return http::response{}.html("<!doctype html><title>halvm</title><p>halvm says hello! You are request " +
                                 std::to_string(number) + "</p>\n");
}

/// "10.0.2.2 GET / 200 102 153": whom, what, the status, bytes, and how long, in microseconds.
std::string line_of(const http::transaction& done) {
    std::string line{done.peer.address.to_text().view()};
    for (const std::string_view part : {done.method, done.target})
        line.append(" ").append(part.empty() ? "-" : part);
    for (const auto number :
         {static_cast<std::uint64_t>(done.code), done.sent, static_cast<std::uint64_t>(done.time.count()) / 1000})
        line.append(" ").append(std::to_string(number));
    return line;
}

}  // namespace

int halvm_main() {
    auto console = open_console().value();
    const auto asked = shutdown_token();
    const auto fails = [&](const error& why) {
        console.print(why.message() + "\n");
        return 2;
    };
    const auto begun = fiber::this_scheduler().now();
    const auto words = read_words();
    if (!words)
        return fails(words.error());
    const auto site = find_site();
    if (!site)
        return fails(site.error());
    auto device = open_nic();
    if (!device)
        return fails(device.error());
    net::stack stack{std::move(*device)};
    const auto network =
        net::configure(stack, arguments(), fiber::within(std::chrono::seconds{words->patience}, asked));
    if (!network)
        return fails(network.error());
    const std::string address{network->address.address().to_text().view()};
    console.print("Assigned IP: " + address + "\n");

    auto listener = stack.tcp().listen(words->port);
    if (!listener)
        return fails(listener.error());
    std::optional<net::syslog> syslog;
    if (words->syslog) {
        auto opened = net::syslog::open(stack, *words->syslog, address, "webserver");
        if (!opened)
            return fails(opened.error());
        syslog = std::move(*opened);
    }

    std::uint64_t greeted = 0;
    std::optional<subject> about;
    http::router routes;
    const auto greet = [&](http::request&) { return hello(greeted++); };
    routes.get("/hello", greet)
        .get("/status", [&](http::request&) { return status_page(*about); })
        .get("/metrics", [&](http::request&) { return metrics_page(*about); });
    if (!*site || !(*site)->has_index())
        routes.get("/", greet);
    if (*site)
        routes.otherwise([&](http::request& ask) { return (**site)(ask); });

    http::server_options options;
    options.idle_time = std::chrono::seconds{words->idle};
    if (words->log || syslog)
        options.log = [&](const http::transaction& done) {
            const std::string line = line_of(done);
            if (words->log)
                console.print(line + "\n");
            if (syslog)
                syslog->send(net::severity::informational, "access", line);
        };
    http::server web{routes, std::move(options)};
    about.emplace(subject{stack, web.statistics(), address, begun});
    console.print("Serving on http://" + address + ":" + std::to_string(words->port) + "/\n");

    const auto ended = web.serve(*listener, asked);
    listener->close();
    const auto patience = fiber::within(5s);
    web.close(patience);
    (void)stack.tcp().drain(patience);
    if (network->lease)
        stack.service<net::dhcp_client>().release(stack.at(1));
    console.print("Served " + std::to_string(web.statistics().requests) + " requests\n");
    return ended ? 0 : fails(ended.error());
}
