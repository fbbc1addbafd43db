// SPDX-License-Identifier: BSD-3-Clause
// Content as clients ask for it, archives, sites made of them; and our client against our server.
#include "fiber_world.hpp"
#include "http/tar.hpp"

#include <halvm/http/client.hpp>
#include <halvm/http/content.hpp>
#include <halvm/http/server.hpp>
#include <halvm/http/site.hpp>
#include <halvm/model/loopback_stream.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>

namespace {

using namespace halvm;
using namespace halvm::http;
using namespace std::chrono_literals;
using model::loopback_stream;
using test::tar;

constexpr std::chrono::sys_seconds long_ago{784111777s};  // Sun, 06 Nov 1994 08:49:37 GMT

struct asking {
    explicit asking(handler by) : web{std::move(by)} {}

    reply operator()(std::string_view target, std::string_view fields = {}, method by = method::get) {
        auto [near, far] = loopback_stream::make_pair();
        REQUIRE(web.adopt(std::move(far)));
        client from{std::move(near), "a"};
        auto answer = from.send({.method = by, .target = target, .fields = fields}, fiber::within(60s));
        REQUIRE(answer);
        return *answer;
    }
    test::fiber_world world;
    server web;
};

asking letters() {
    return asking{[](request& ask) {
        return answer_with(
            ask,
            {.content = as_bytes("abcdefghij"), .type = "text/plain", .entity_tag = "\"v1\"", .modified = long_ago});
    }};
}

unsigned code_of(const reply& one) { return static_cast<unsigned>(one.code); }

TEST_CASE("rfc9110 13: conditions, in their order of precedence") {
    auto ask = letters();
    const struct {
        const char* fields;
        unsigned code;
    } cases[] = {
        {"", 200},
        {"If-None-Match: \"v1\"\r\n", 304},
        {"If-None-Match: W/\"v1\"\r\n", 304},
        {"If-None-Match: \"v0\", \"v1\"\r\n", 304},
        {"If-None-Match: *\r\n", 304},
        {"If-None-Match: \"v2\"\r\n", 200},
        {"If-Match: \"v1\"\r\n", 200},
        {"If-Match: *\r\n", 200},
        {"If-Match: W/\"v1\"\r\n", 412},
        {"If-Match: \"v2\"\r\n", 412},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 304},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 200},
        {"If-Modified-Since: yesterday\r\n", 200},
        {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200},
        {"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 412},
        {"If-None-Match: \"v2\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 200},
        {"If-Match: \"v1\"\r\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n", 200},
        {"If-Match: \"v1\"\r\nIf-None-Match: \"v1\"\r\n", 304},
    };
    for (const auto& [fields, code] : cases)
        CHECK_MESSAGE(code_of(ask("/", fields)) == code, fields);
    CHECK(ask("/", "If-None-Match: \"v1\"\r\n").field("ETag") == "\"v1\"");
    CHECK(ask("/").field("Last-Modified") == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(code_of(ask("/", "If-None-Match: \"v1\"\r\n", method::put)) == 412);
}

TEST_CASE("rfc9110 14: one range, several, none that can be satisfied, and those that are ignored") {
    auto ask = letters();
    const struct {
        const char* range;
        unsigned code;
        const char* content_range;
        const char* body;
    } cases[] = {
        {"bytes=0-2", 206, "bytes 0-2/10", "abc"},
        {"bytes=7-", 206, "bytes 7-9/10", "hij"},
        {"bytes=-3", 206, "bytes 7-9/10", "hij"},
        {"bytes=-100", 206, "bytes 0-9/10", "abcdefghij"},
        {"BYTES=9-1000", 206, "bytes 9-9/10", "j"},
        {"bytes=10-", 416, "bytes */10", nullptr},
        {"bytes=-0", 416, "bytes */10", nullptr},
        {"bytes=3-2", 200, "", "abcdefghij"},
        {"bytes=a-b", 200, "", "abcdefghij"},
        {"bytes=", 200, "", "abcdefghij"},
        {"bytes=-", 200, "", "abcdefghij"},
        {"lines=0-2", 200, "", "abcdefghij"},
        {"bytes=0-99999999999999999999", 200, "", "abcdefghij"},
        {"bytes=0-8,1-9", 200, "", "abcdefghij"},
        {"bytes=20-30,1-1", 206, "bytes 1-1/10", "b"},
    };
    for (const auto& [range, code, content_range, body] : cases) {
        const reply answer = ask("/", "Range: " + std::string{range} + "\r\n");
        CHECK_MESSAGE(code_of(answer) == code, range);
        CHECK_MESSAGE(answer.field("Content-Range") == content_range, range);
        if (body != nullptr)
            CHECK_MESSAGE(answer.body == body, range);
    }
    std::string many = "Range: bytes=";
    for (int count = 0; count < 17; ++count)
        many += "0-0,";
    CHECK(code_of(ask("/", many + "\r\n")) == 200);

    const reply parts = ask("/", "Range: bytes=0-1, -1\r\n");
    CHECK(code_of(parts) == 206);
    CHECK(parts.field("Content-Type") == "multipart/byteranges; boundary=halvm-part");
    CHECK(parts.body ==
          "\r\n--halvm-part\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\nab"
          "\r\n--halvm-part\r\nContent-Type: text/plain\r\nContent-Range: bytes 9-9/10\r\n\r\nj"
          "\r\n--halvm-part--\r\n");
    CHECK(parts.field("Content-Length") == std::to_string(parts.body.size()));
}

TEST_CASE("rfc9110 13.1.5: a range of another version is not given") {
    auto ask = letters();
    CHECK(code_of(ask("/", "Range: bytes=0-2\r\nIf-Range: \"v1\"\r\n")) == 206);
    CHECK(code_of(ask("/", "Range: bytes=0-2\r\nIf-Range: \"v2\"\r\n")) == 200);
    CHECK(code_of(ask("/", "Range: bytes=0-2\r\nIf-Range: W/\"v1\"\r\n")) == 200);
    CHECK(code_of(ask("/", "Range: bytes=0-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n")) == 206);
    CHECK(code_of(ask("/", "Range: bytes=0-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n")) == 200);
}

TEST_CASE("rfc9110 12.5.3: which clients take gzip") {
    const auto takes = [](std::string_view value) {
        const std::array<field, 1> one{field{"Accept-Encoding", value}};
        return accepts_encoding(fields{one}, "gzip");
    };
    for (const char* value : {"gzip", "br, GZIP", "*", "gzip;q=0.001", "gzip; q=1", "*;q=0, gzip"})
        CHECK_MESSAGE(takes(value), value);
    for (const char* value : {"", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "*, gzip;q=0", "identity"})
        CHECK_MESSAGE(!takes(value), value);
    CHECK_FALSE(accepts_encoding(fields{}, "gzip"));
}

TEST_CASE("archive: files, sorted, with long names, the last of equals, and what is no file passed over") {
    const std::string long_name = std::string(120, 'd') + "/" + std::string(150, 'f');
    const std::string all = tar{}
                                .file("./z.txt", "z")
                                .file("a/", "", '5')
                                .file("a/b.txt", "first")
                                .file("link", "", '2')
                                .file("a//./b.txt", "second")
                                .file("ignored", "27 path=" + std::string(18, 'p') + "\n", 'x')
                                .file("x", "by pax")
                                .file("ignored", long_name + std::string(1, '\0'), 'L')
                                .file("y", "by gnu")
                                .file("g", "12 comment=\n", 'g')
                                .file("split", "by prefix", '0', std::string(150, 'q'))
                                .end();
    const auto files = read_archive(as_bytes(all));
    REQUIRE(files);
    REQUIRE(files->size() == 5);
    CHECK((*files)[0].name == "a/b.txt");
    CHECK(as_text((*files)[0].content) == "second");
    CHECK((*files)[0].modified == long_ago);
    CHECK((*files)[1].name == long_name);
    CHECK(as_text((*files)[1].content) == "by gnu");
    CHECK((*files)[2].name == std::string(18, 'p'));
    CHECK((*files)[3].name == std::string(150, 'q') + "/split");
    CHECK((*files)[4].name == "z.txt");
}

TEST_CASE("archive: what is none, what is damaged and what leads outside is refused") {
    const auto code = [](const std::string& text) {
        const auto files = read_archive(as_bytes(text));
        return files ? std::error_code{} : files.error().code();
    };
    const auto is = [](std::errc one) { return std::make_error_code(one); };
    const std::string good = tar{}.file("a", "aaa").end();
    CHECK(code(good) == std::error_code{});
    CHECK(code(tar{}.file("a", "aaa").text) == std::error_code{});
    CHECK(code("") == is(std::errc::invalid_argument));
    CHECK(code("PK\3\4 no tar") == is(std::errc::invalid_argument));
    CHECK(code(std::string(2000, 'x')) == is(std::errc::invalid_argument));
    CHECK(code(std::string(1024, '\0')) == is(std::errc::invalid_argument));
    CHECK(code(good.substr(0, 514)) == is(std::errc::illegal_byte_sequence));
    std::string bad = good;
    bad[0] ^= 1;
    CHECK(code(bad) == is(std::errc::invalid_argument));
    CHECK(code(tar{}.file("a", "aaa").file("b", "bbb", '0', "", 100'000).end()) ==
          is(std::errc::illegal_byte_sequence));
    CHECK(code(tar{}.file("n", "100 path=b\n", 'x').file("b", "").end()) == is(std::errc::illegal_byte_sequence));
    CHECK(code(tar{}.file("n", "9 size=x\n", 'x').file("b", "").end()) == is(std::errc::illegal_byte_sequence));
    for (const char* name : {"../a", "a/../../b", "..", "/../etc/passwd"})
        CHECK_MESSAGE(code(tar{}.file(name, "x").end()) == is(std::errc::permission_denied), name);
    CHECK(code(tar{}.file("n", "14 path=../ab\n", 'x').file("b", "").end()) == is(std::errc::permission_denied));
    CHECK(read_archive(as_bytes(tar{}.file("a", "").file("b", "").end()), {.files = 1}).error().code() ==
          is(std::errc::value_too_large));
}

struct site_of {
    explicit site_of(const tar& from) : text{from.text} {
        auto made = static_site::from_archive(as_bytes(text));
        REQUIRE(made);
        site = std::move(*made);
    }
    std::string text;
    std::optional<static_site> site;
    asking ask{[this](request& one) { return (*site)(one); }};
};

TEST_CASE("site: index files, media types, compressed files, and pages that are not there") {
    site_of one{tar{}
                    .file("index.html", "<h1>root</h1>")
                    .file("style.css", "body{}")
                    .file("style.css.gz", "packed")
                    .file("a/index.html", "in a")
                    .file("data.bin", "bytes")
                    .file("sp ace.TXT", "text")
                    .file("404.html", "gone away")};
    CHECK(one.ask("/").body == "<h1>root</h1>");
    CHECK(one.ask("/").field("Content-Type") == "text/html; charset=utf-8");
    CHECK(one.ask("/?x").body == "<h1>root</h1>");
    CHECK(one.ask("/a/").body == "in a");
    CHECK(code_of(one.ask("/a?b=c")) == 301);
    CHECK(one.ask("/a?b=c").field("Location") == "/a/?b=c");
    CHECK(one.ask("/data.bin").field("Content-Type") == "application/octet-stream");
    CHECK(one.ask("/sp%20ace.TXT").field("Content-Type") == "text/plain; charset=utf-8");

    CHECK(one.ask("/style.css").body == "body{}");
    CHECK(one.ask("/style.css").field("Vary") == "Accept-Encoding");
    const reply packed = one.ask("/style.css", "Accept-Encoding: gzip\r\n");
    CHECK(packed.body == "packed");
    CHECK(packed.field("Content-Encoding") == "gzip");
    CHECK(packed.field("Content-Type") == "text/css; charset=utf-8");
    CHECK(packed.field("ETag") != one.ask("/style.css").field("ETag"));
    CHECK(one.ask("/data.bin", "Accept-Encoding: gzip\r\n").field("Content-Encoding").empty());

    CHECK(code_of(one.ask("/nothing")) == 404);
    CHECK(one.ask("/nothing").body == "gone away");
    CHECK(code_of(one.ask("/", "", method::post)) == 405);
    CHECK(one.ask("/", "", method::post).field("Allow") == "GET, HEAD, OPTIONS");
    CHECK(code_of(one.ask("/nothing", "", method::post)) == 404);
    const std::string tag{one.ask("/").field("ETag")};
    CHECK(code_of(one.ask("/", "If-None-Match: " + tag + "\r\n")) == 304);
}

TEST_CASE("site: no target leads outside, and none redirects to another host") {
    site_of one{tar{}.file("index.html", "root").file("a/index.html", "in a").file("a/secret", "s")};
    for (const char* target :
         {"/../index.html", "/a/../../index.html", "/%2e%2e/index.html", "/a/%2e%2e%2f..%2findex.html", "/%00", "/%"})
        CHECK_MESSAGE(code_of(one.ask(target)) == 400, target);
    for (const char* target : {"//a", "//a/index.html", "/a//secret", "/a\\secret", "/a/secret/", "/..a"})
        CHECK_MESSAGE(code_of(one.ask(target)) == 404, target);
    CHECK(one.ask("/a/../index.html").body == "root");
    CHECK(one.ask("/a/./secret").body == "s");
    CHECK(one.ask("/a/b/..").body == "in a");
}

TEST_CASE("client: several requests over one connection, either body streamed") {
    test::fiber_world world;
    server web{[](request& ask) -> response {
        if (ask.path() == "/end")
            return response{}.text("bye").close();
        auto body = ask.read_all(10'000);
        const std::string text =
            std::string{name_of(ask.method())} + " " + std::string{ask.head().host} + " " + body.value_or("?");
        if (ask.path() == "/stream")
            return response{}.stream([text](body_writer& to) { return to.write(text); });
        return response{status::created}.text(text);
    }};
    auto [near, far] = loopback_stream::make_pair(100);
    REQUIRE(web.adopt(std::move(far)));
    client from{std::move(near), "a.example"};
    const auto limit = fiber::within(60s);
    CHECK(from.get("/", limit)->body == "GET a.example ");
    CHECK(from.post("/", "text/plain", "data", limit)->body == "POST a.example data");
    CHECK(from.post("/", "text/plain", "", limit)->code == status::created);
    CHECK(from.get("/stream", limit)->body == "GET a.example ");
    std::string taken;
    const auto streamed = from.send({.method = method::put,
                                     .target = "/stream",
                                     .stream = [](body_writer& to) { return to.write(std::string(5000, 'x')); },
                                     .into = [&](const_bytes part) -> result<void> {
                                         taken += as_text(part);
                                         return {};
                                     }},
                                    limit);
    REQUIRE(streamed);
    CHECK(taken == "PUT a.example " + std::string(5000, 'x'));
    CHECK(from.send({.method = method::head, .target = "/end"}, limit)->body.empty());
    CHECK_FALSE(from.is_open());
    CHECK(from.get("/", limit).error().code() == std::make_error_code(std::errc::not_connected));
}

TEST_CASE("client: passes interim replies over, and refuses what is no reply") {
    const auto answered_by = [](std::string_view text, client_options options = {}) {
        test::fiber_world world;
        auto [near, far] = loopback_stream::make_pair(100'000);
        REQUIRE(far.write(as_bytes(text)));
        REQUIRE(far.shutdown());
        client from{std::move(near), "a", options};
        return from.get("/", fiber::within(60s));
    };
    const auto fault = [&](std::string_view text) { return answered_by(text).error().code(); };
    CHECK(answered_by(
              "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall of it")
              ->body == "all of it");
    CHECK(answered_by("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n")
              ->trailers.at(0)
              .second == "y");
    CHECK(fault("") == http_errc::truncated);
    CHECK(fault("HTTP/1.1 200 OK\r\n") == http_errc::truncated);
    CHECK(fault("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc") == http_errc::truncated);
    CHECK(fault("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc") == http_errc::truncated);
    CHECK(fault("SSH-2.0-OpenSSH\r\n\r\n") == http_errc::bad_start_line);
    CHECK(fault("HTTP/1.1 200 OK\nContent-Length: 0\n\n") == http_errc::bad_line_end);
    CHECK(fault("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n") == http_errc::folded_field);
    CHECK(answered_by("HTTP/1.1 200 OK\r\n\r\nabcdef", {.body = 5}).error().code() == http_errc::body_too_large);
}

TEST_CASE("rfc9112 9.2: what nobody has asked for is no response") {
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
    for (const bool together : {true, false}) {
        test::fiber_world world;
        auto [near, far] = loopback_stream::make_pair(100'000);
        REQUIRE(far.write(as_bytes(answer + "a" + (together ? answer + "b" : ""))));
        client from{std::move(near), "a"};
        CHECK(from.get("/", fiber::within(60s))->body == "a");
        if (!together)
            REQUIRE(far.write(as_bytes(answer + "b")));
        CHECK(from.get("/", fiber::within(60s)).error().code() == std::make_error_code(std::errc::not_connected));
    }
}

}  // namespace
