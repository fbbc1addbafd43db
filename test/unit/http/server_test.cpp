// SPDX-License-Identifier: BSD-3-Clause
// The server by transcript: what a client writes, and every byte that comes back.
#include "fiber_world.hpp"

#include <halvm/http/date.hpp>
#include <halvm/http/router.hpp>
#include <halvm/http/server.hpp>
#include <halvm/model/loopback_stream.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace halvm;
using namespace halvm::http;
using namespace std::chrono_literals;
using model::loopback_stream;

std::chrono::sys_seconds long_ago() { return std::chrono::sys_seconds{784111777s}; }

/// A server whose answers say what it was asked.
struct serving {
    explicit serving(server_options options = {}, std::size_t capacity = 4096) : room{capacity} {
        options.wall_clock = long_ago;
        options.log = [this](const transaction& done) {
            log.push_back(std::string{done.method} + " " + std::string{done.target} + " " +
                          std::to_string(static_cast<unsigned>(done.code)));
        };
        routes.get("/", [](request&) { return response{}.text("hello"); })
            .post("/echo",
                  [](request& ask) {
                      auto body = ask.read_all(100'000);
                      return body ? response{}.text("<" + *body + ">") : response{};
                  })
            .post("/ignore", [](request&) { return response{status::no_content}; })
            .post("/trailers",
                  [](request& ask) {
                      std::array<field, 4> fields;
                      static_cast<void>(ask.read_all(1000));
                      return response{}.text(std::string{ask.trailers(fields).value().find("X-Sum").value_or("none")});
                  })
            .get("/stream",
                 [](request&) {
                     return response{}.stream([](body_writer& to) -> result<void> {
                         for (const char* part : {"one ", "", "two"})
                             if (auto done = to.write(part); !done)
                                 return done;
                         return {};
                     });
                 })
            .get("/summed",
                 [](request&) {
                     return response{}.stream([](body_writer& to) {
                         to.trailer("X-Sum", "7");
                         return to.write("34");
                     });
                 })
            .get("/sums-split",
                 [](request&) {
                     return response{}.stream([](body_writer& to) {
                         to.trailer("X-Sum", "7\r\nX: y");
                         return to.write("34");
                     });
                 })
            .get("/counted",
                 [](request&) { return response{}.stream([](body_writer& to) { return to.write("12345"); }, 5); })
            .get("/short",
                 [](request&) { return response{}.stream([](body_writer& to) { return to.write("123"); }, 5); })
            .get("/large", [this](request&) { return response{}.view(as_bytes(large)); })
            .get("/throws", [](request&) -> response { throw std::runtime_error{"no"}; })
            .get("/no-memory", [](request&) -> response { throw std::bad_alloc{}; })
            .get("/split", [](request&) { return response{}.set("X", "a\r\nSet-Cookie: b").text(""); })
            .get("/slow",
                 [this](request&) {
                     gate.wait();
                     return response{}.text("at last");
                 })
            .get("/user/{name}/{what}",
                 [](request& ask) { return response{}.text(ask.parameter("name") + "|" + ask.parameter("what")); })
            .get("/files/{path...}", [](request& ask) { return response{}.text(ask.parameter("path")); });
        one.emplace(routes, std::move(options));
    }

    loopback_stream connect() {
        auto [near, far] = loopback_stream::make_pair(room);
        REQUIRE(one->adopt(std::move(far)));
        return std::move(near);
    }
    /// All that comes back for `text`, when the client ends its half behind it.
    std::string talk(std::string_view text) {
        auto client = connect();
        auto writing = fiber::spawn([&] {
            static_cast<void>(client.write(as_bytes(text)));
            static_cast<void>(client.shutdown());
        });
        std::string all = read_all(client);
        writing.join();
        return all;
    }
    static std::string read_all(loopback_stream& client) {
        std::string all;
        std::array<std::byte, 512> part;
        while (const std::size_t count = client.read(part).value_or(0))
            all += as_text(bytes{part}.first(count));
        return all;
    }
    static std::string read_some(loopback_stream& client) {
        std::array<std::byte, 2048> part;
        const std::size_t count = client.read(part).value_or(0);
        return std::string{as_text(bytes{part}.first(count))};
    }
    static void say(loopback_stream& client, std::string_view text) { REQUIRE(client.write(as_bytes(text))); }

    test::fiber_world world;
    std::size_t room;
    std::string large = std::string(100'000, 'x');
    fiber::event gate;
    std::vector<std::string> log;
    router routes;
    std::optional<server> one;
};

const std::string date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const std::string text_type = "Content-Type: text/plain; charset=utf-8\r\n";
const std::string hello = "HTTP/1.1 200 OK\r\n" + date + text_type + "Content-Length: 5\r\n\r\nhello";
std::string get(std::string_view target, std::string_view lines = "") {
    return "GET " + std::string{target} + " HTTP/1.1\r\nHost: a\r\n" + std::string{lines} + "\r\n";
}

unsigned status_of(const std::string& text) {
    return text.starts_with("HTTP/1.1 ") ? static_cast<unsigned>(std::stoul(text.substr(9, 3))) : 0;
}

TEST_CASE("server: answers a request, and the next on the same connection") {
    serving web;
    auto client = web.connect();
    for (int round = 0; round < 3; ++round) {
        serving::say(client, get("/"));
        CHECK(serving::read_some(client) == hello);
    }
    CHECK(web.one->statistics().accepted == 1);
    CHECK(web.one->statistics().requests == 3);
    CHECK(web.one->statistics().responses == std::array<std::uint64_t, 5>{0, 3, 0, 0, 0});
    CHECK(web.log == std::vector<std::string>(3, "GET / 200"));
}

TEST_CASE("server: requests in one piece, and in pieces of any size, are answered in their order") {
    const std::string two =
        get("/") + "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get("/counted") + get("/stream");
    std::string first;
    for (const std::size_t capacity : {100'000U, 3U, 1U}) {
        serving web{{}, capacity};
        const std::string all = web.talk(two);
        if (first.empty())
            first = all;
        CHECK(all == first);
    }
    CHECK(first == hello + "HTTP/1.1 200 OK\r\n" + date + text_type + "Content-Length: 5\r\n\r\n<abc>" +
                       "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 5\r\n\r\n12345" + "HTTP/1.1 200 OK\r\n" + date +
                       "Transfer-Encoding: chunked\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n");
}

TEST_CASE("server: a chunked request is read, with its trailers") {
    serving web;
    CHECK(
        web.talk(
               "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n")
            .ends_with("\r\n\r\n<abcde>"));
    CHECK(web.talk("POST /trailers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: "
                   "7\r\n\r\n")
              .ends_with("\r\n\r\n7"));
    CHECK(web.talk("POST /trailers HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na").ends_with("\r\n\r\nnone"));
}

TEST_CASE("rfc9112 7.1.2: a response has trailers when it is chunked, and what may not stand there breaks it off") {
    serving web;
    CHECK(web.talk(get("/summed") + get("/")).ends_with("\r\n\r\n2\r\n34\r\n0\r\nX-Sum: 7\r\n\r\n" + hello));
    CHECK(web.talk("GET /summed HTTP/1.0\r\n\r\n").ends_with("\r\nConnection: close\r\n\r\n34"));
    CHECK(web.talk(get("/sums-split") + get("/")).find("X: y") == std::string::npos);
    CHECK(web.one->statistics().broken == 1);
}

TEST_CASE("server: a large body goes both ways through small buffers") {
    serving web{{}, 1000};
    const std::string body(50'000, 'y');
    CHECK(web.talk("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + body + get("/"))
              .ends_with("<" + body + ">" + hello));
    CHECK(web.talk("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n" + body +
                   "\r\n0\r\n\r\n")
              .ends_with("<" + body + ">"));
    CHECK(web.talk(get("/large")).ends_with("\r\nContent-Length: 100000\r\n\r\n" + web.large));
}

TEST_CASE("server: HEAD has the fields of GET and no body") {
    serving web;
    for (const char* path : {"/", "/large", "/stream", "/counted", "/missing"}) {
        const std::string whole = web.talk(get(path));
        const std::string head = web.talk("HEAD " + std::string{path} + " HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(head.ends_with("\r\n\r\n"));
        CHECK(whole.starts_with(head));
    }
}

TEST_CASE("server: a client of HTTP/1.0 has its connection ended, unless it asks otherwise") {
    serving web;
    auto client = web.connect();
    serving::say(client, "GET / HTTP/1.0\r\n\r\n");
    CHECK(serving::read_all(client) ==
          "HTTP/1.1 200 OK\r\n" + date + text_type + "Content-Length: 5\r\nConnection: close\r\n\r\nhello");
    CHECK(web.talk(
              "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" +
              get("/")) == "HTTP/1.1 200 OK\r\n" + date + text_type +
                               "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello" + "HTTP/1.1 200 OK\r\n" +
                               date + "Connection: close\r\n\r\none two");
}

TEST_CASE("server: Connection: close is obeyed, and what follows is not answered") {
    serving web;
    CHECK(web.talk(get("/", "Connection: close\r\n") + get("/")) ==
          "HTTP/1.1 200 OK\r\n" + date + text_type + "Content-Length: 5\r\nConnection: close\r\n\r\nhello");
}

TEST_CASE("server: leave to send a body is given when the handler reads it, and only then") {
    serving web;
    const std::string expecting = " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    auto client = web.connect();
    serving::say(client, "POST /echo" + expecting);
    CHECK(serving::read_some(client) == "HTTP/1.1 100 Continue\r\n\r\n");
    serving::say(client, "abc");
    CHECK(serving::read_some(client).ends_with("\r\n\r\n<abc>"));
    serving::say(client, "POST /ignore" + expecting);
    CHECK(serving::read_all(client) == "HTTP/1.1 204 No Content\r\n" + date + "Connection: close\r\n\r\n");
}

TEST_CASE(
    "server: a body that the handler leaves is read over when it is short, and ends the connection when it is long") {
    serving web{server_options{.body = 1'000'000}};
    CHECK(web.talk("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get("/"))
              .ends_with("\r\n\r\n" + hello));
    const std::string all = web.talk("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" +
                                     std::string(200'000, 'x') + get("/"));
    CHECK(all == "HTTP/1.1 204 No Content\r\n" + date + "\r\n");
}

TEST_CASE("server: what is malformed is answered with its status, and the connection ends") {
    serving web{server_options{.body = 1000}};
    const struct {
        std::string text;
        unsigned code;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: a\n\n", 400},
        {"\x16\x03\x01\x02", 400},
        {get("/", "Host: b\r\n"), 400},
        {get("/", "X : b\r\n"), 400},
        {get("/", "X: b\r\n c\r\n"), 400},
        {get("/", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
        {get("/", "Content-Length: 1, 1\r\n"), 400},
        {get("/", "Transfer-Encoding: gzip\r\n"), 501},
        {get("/", "Expect: tea\r\n"), 417},
        {get("/" + std::string(9000, 'a')), 414},
        {get("/", "X: " + std::string(17'000, 'a') + "\r\n"), 431},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'a') +
             "\r\n0\r\n\r\n",
         413},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400},
        {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
    };
    for (const auto& [text, code] : cases) {
        auto client = web.connect();
        auto writing = fiber::spawn([&] { static_cast<void>(client.write(as_bytes(text + get("/")))); });
        const std::string all = serving::read_all(client);
        CHECK_MESSAGE(status_of(all) == code, text.substr(0, 80), " -> ", all.substr(0, 60));
        if (code != 501 || text.starts_with("GET"))
            CHECK(all.find("Connection: close\r\n") != std::string::npos);
        static_cast<void>(client.shutdown());
        writing.join();
    }
    CHECK(web.talk(get("/")) == hello);
}

TEST_CASE("server: a handler that fails is a 500, without memory a 503, and the connection goes on") {
    serving web;
    const std::string all = web.talk(get("/throws") + get("/no-memory") + get("/split") + get("/"));
    CHECK(status_of(all) == 500);
    CHECK(all.find("HTTP/1.1 503 Service Unavailable\r\n") != std::string::npos);
    CHECK(all.find("Set-Cookie") == std::string::npos);
    CHECK(all.ends_with(hello));
    CHECK(web.log == std::vector<std::string>{"GET /throws 500", "GET /no-memory 503", "GET /split 500", "GET / 200"});
}

TEST_CASE("server: a body that is not what was announced breaks the connection off") {
    serving web;
    CHECK(web.talk(get("/short") + get("/")).empty());
    CHECK(web.one->statistics().broken == 1);
}

TEST_CASE("server: a head that comes too slowly is answered with 408, however it trickles") {
    serving web{server_options{.idle_time = 60s, .head_time = 10s}};
    auto client = web.connect();
    std::string answer;
    auto reader = fiber::spawn([&] { answer = serving::read_all(client); });
    const std::string line = get("/", "X: " + std::string(100, 'a') + "\r\n");
    const auto begun = web.world.time;
    for (const char one : line)
        if (!client.write(as_bytes({&one, 1})) || !fiber::sleep(fiber::within(1s)) || !answer.empty())
            break;
    static_cast<void>(client.shutdown());
    reader.join();
    CHECK(status_of(answer) == 408);
    CHECK(web.world.time - begun < static_cast<std::uint64_t>(std::chrono::nanoseconds{20s}.count()));
    CHECK(web.one->statistics().timed_out == 1);
}

TEST_CASE("server: an idle connection ends without a word") {
    serving web{server_options{.idle_time = 60s}};
    auto client = web.connect();
    serving::say(client, get("/"));
    CHECK(serving::read_all(client) == hello);
    CHECK(web.one->statistics().open == 0);
    CHECK(serving::read_all(client).empty());
}

TEST_CASE("server: a body that stops coming is answered with 408, a client that stops reading is given up") {
    serving web{server_options{.body_time = 20s, .write_time = 20s}};
    auto client = web.connect();
    serving::say(client, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    CHECK(status_of(serving::read_all(client)) == 408);
    auto deaf = web.connect();
    serving::say(deaf, get("/large"));
    CHECK(fiber::sleep(fiber::within(60s)));
    CHECK(web.one->statistics().open == 0);
    CHECK(web.one->statistics().broken == 1);
}

TEST_CASE("server: idle connections hold no fiber, and slow ones do not keep others from being served") {
    serving web{server_options{.workers = 2}};
    std::vector<loopback_stream> idle;
    for (int count = 0; count < 200; ++count) {
        idle.push_back(web.connect());
        serving::say(idle.back(), count % 2 == 0 ? get("/") : "GET / HT");
        if (count % 2 == 0)
            CHECK(serving::read_some(idle.back()) == hello);
    }
    fiber::yield();
    CHECK(web.one->statistics().open == 200);
    CHECK(web.one->statistics().workers == 1);
    std::size_t fibers = 0;
    fiber::this_scheduler().for_each([&](const auto&) { ++fibers; });
    CHECK(fibers == 3);
    CHECK(web.talk(get("/")) == hello);
    serving::say(idle[1], "TP/1.1\r\nHost: a\r\n\r\n");
    CHECK(serving::read_some(idle[1]) == hello);
}

TEST_CASE("server: a body that nobody wants and that does not come keeps no worker from the others") {
    serving here{{.workers = 1}};
    auto owing = here.connect();
    serving::say(owing, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1");
    CHECK(serving::read_some(owing).starts_with("HTTP/1.1 204 "));
    auto chunked = here.connect();
    serving::say(chunked, "POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n1");
    CHECK(serving::read_some(chunked).starts_with("HTTP/1.1 204 "));
    CHECK(here.talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("hello"));
    serving::say(owing, "2345");
    serving::say(owing, "6789GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(serving::read_some(owing).ends_with("hello"));
    serving::say(owing, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    CHECK(serving::read_some(owing).starts_with("HTTP/1.1 204 "));
    CHECK(serving::read_all(owing) == "");
    CHECK(here.one->statistics().timed_out == 1);
}

TEST_CASE("server: another worker comes when all are blocked, up to the limit, and goes when it is not needed") {
    serving web{server_options{.workers = 3}};
    std::vector<loopback_stream> clients;
    for (int count = 0; count < 4; ++count) {
        clients.push_back(web.connect());
        serving::say(clients.back(), get("/slow"));
    }
    for (int turn = 0; turn < 10; ++turn)
        fiber::yield();
    CHECK(web.one->statistics().workers == 3);
    CHECK(web.one->statistics().requests == 3);
    web.gate.set();
    for (auto& one : clients)
        CHECK(serving::read_some(one).ends_with("at last"));
    CHECK(fiber::sleep(fiber::within(30s)));
    CHECK(web.one->statistics().workers == 1);
}

TEST_CASE("server: beyond the limit of connections the one that has been idle longest makes place") {
    serving web{server_options{.connections = 2}};
    auto oldest = web.connect();
    fiber::yield();
    auto older = web.connect();
    fiber::yield();
    auto client = web.connect();
    serving::say(client, get("/"));
    CHECK(serving::read_some(client) == hello);
    CHECK(serving::read_all(oldest).empty());
    serving::say(older, get("/"));
    CHECK(serving::read_some(older) == hello);
    CHECK(web.one->statistics().evicted == 1);
}

TEST_CASE("server: closing answers what is under way, and ends what is idle at once") {
    serving web;
    auto idle = web.connect();
    auto busy = web.connect();
    serving::say(busy, get("/slow") + get("/"));
    fiber::yield();
    auto closing = fiber::spawn([&] { web.one->close(fiber::within(60s)); });
    CHECK(serving::read_all(idle).empty());
    auto [near, far] = loopback_stream::make_pair();
    CHECK_FALSE(web.one->adopt(std::move(far)));
    web.gate.set();
    const std::string answer = serving::read_some(busy);
    CHECK(answer.ends_with("Connection: close\r\n\r\nat last"));
    static_cast<void>(busy.shutdown());
    CHECK(serving::read_all(busy).empty());
    closing.join();
    CHECK(web.one->statistics().open == 0);
}

TEST_CASE("server: what is not over at the limit of closing is cut off") {
    serving web{server_options{.write_time = 1000s}};
    auto deaf = web.connect();
    serving::say(deaf, get("/large"));
    fiber::yield();
    const auto begun = web.world.time;
    web.one->close(fiber::within(5s));
    CHECK(web.world.time - begun == 5'000'000'000);
    CHECK(web.one->statistics().open == 0);
}

TEST_CASE("server: serves what a listener hands out, until a stop or its end") {
    serving web;
    model::loopback_listener listener;
    std::stop_source stop;
    auto serves = fiber::spawn([&] { return web.one->serve(listener, stop.get_token()); });
    auto client = listener.connect().value();
    serving::say(client, get("/"));
    CHECK(serving::read_some(client) == hello);
    stop.request_stop();
    CHECK(serves.join());
    auto again = fiber::spawn([&] { return web.one->serve(listener, {}); });
    fiber::yield();
    listener.close();
    CHECK_FALSE(again.join());
}

TEST_CASE("server: a listener without memory has an idle connection's, and goes on") {
    serving web;
    auto idle = web.connect();
    fiber::yield();
    struct {
        result<loopback_stream> accept(const fiber::wait_limit& limit) {
            if (++calls <= 2)
                return failure{error{std::make_error_code(std::errc::not_enough_memory)}};
            return below.accept(limit);
        }
        model::loopback_listener below{};
        int calls = 0;
    } listener;
    std::stop_source stop;
    auto serves = fiber::spawn([&] { return web.one->serve(listener, stop.get_token()); });
    auto client = listener.below.connect().value();
    serving::say(client, get("/"));
    CHECK(serving::read_some(client) == hello);
    CHECK(serving::read_all(idle).empty());
    CHECK(web.one->statistics().no_memory == 2);
    stop.request_stop();
    CHECK(serves.join());
}

TEST_CASE("server: memory that runs out refuses a connection and no more") {
    serving web{server_options{.workers = 8, .worker_stack = 1 << 20}};  // no such stack is kept
    test::stacks_refused = true;
    auto client = web.connect();
    serving::say(client, get("/slow"));
    auto other = web.connect();
    serving::say(other, get("/"));
    for (int turn = 0; turn < 5; ++turn)
        fiber::yield();
    CHECK(web.one->statistics().no_memory != 0);
    test::stacks_refused = false;
    web.gate.set();
    CHECK(serving::read_some(client).ends_with("at last"));
    CHECK(serving::read_some(other) == hello);
}

TEST_CASE("router: parts of a path are parameters, decoded") {
    serving web;
    CHECK(web.talk(get("/user/a%20b/c?d=e")).ends_with("\r\n\r\na b|c"));
    CHECK(web.talk(get("/us%65r/a/b%2fc")).ends_with("\r\n\r\na|b/c"));
    CHECK(web.talk(get("/files/")).ends_with("\r\n\r\n"));
    CHECK(web.talk(get("/files/a/b")).ends_with("\r\n\r\na/b"));
    for (const char* path :
         {"/user", "/user/", "/user/a", "/user//a", "/user/a/b/", "/files", "/user/a/%zz", "/nowhere"})
        CHECK_MESSAGE(status_of(web.talk(get(path))) == 404, path);
}

TEST_CASE("router: a method that a path does not have") {
    serving web;
    const auto method = [&](const char* name, const char* path) {
        return web.talk(std::string{name} + " " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    };
    CHECK(status_of(method("DELETE", "/")) == 405);
    CHECK(method("DELETE", "/").find("Allow: GET, HEAD, OPTIONS\r\n") != std::string::npos);
    CHECK(status_of(method("BREW", "/")) == 501);
    CHECK(method("OPTIONS", "/echo") == "HTTP/1.1 204 No Content\r\n" + date + "Allow: POST, OPTIONS\r\n\r\n");
    CHECK(status_of(method("OPTIONS", "*")) == 204);
    CHECK(status_of(method("GET", "/echo")) == 405);
}

TEST_CASE("dates: in the three forms, there and back") {
    CHECK(date_text{long_ago()}.view() == "Sun, 06 Nov 1994 08:49:37 GMT");
    for (const char* text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
        CHECK(parse_date(text) == long_ago());
    for (const char* text :
         {"", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
          "Sun, 06 Nov 1994 08:49:37 UTC", "Xun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT "})
        CHECK_MESSAGE(!parse_date(text), text);
    for (const auto when : {0s, 951782400s, 4102444799s})
        CHECK(parse_date(date_text{std::chrono::sys_seconds{when}}.view()) == std::chrono::sys_seconds{when});
}

}  // namespace
