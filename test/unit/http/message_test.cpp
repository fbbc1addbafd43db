// SPDX-License-Identifier: BSD-3-Clause
// Message parsing by transcript. The cases are named after the sections of RFC 9112 whose rules they show.
#include <halvm/http/chunked.hpp>
#include <halvm/http/head.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

namespace {

using namespace halvm;
using namespace halvm::http;
using kind = body_length::kind;

/// A request as it arrives, byte by byte, and what the parser makes of it.
struct reading {
    explicit reading(std::string all, const head_limits& limits = {}) : text{std::move(all)} {
        head_finder finder;
        result<std::size_t> end = 0;
        for (std::size_t size = 0; size <= text.size() && end && *end == 0; ++size)
            end = finder.find(std::string_view{text}.substr(0, size), limits);
        if (!end) {
            failed = static_cast<http_errc>(end.error().code().value());
            return;
        }
        is_whole = *end != 0;
        if (!is_whole)
            return;
        rest = text.substr(*end);
        auto parsed = parse_request(std::string_view{text}.substr(finder.begin(), *end - finder.begin()), room);
        if (parsed)
            head = *parsed;
        else
            failed = static_cast<http_errc>(parsed.error().code().value());
    }
    reading(const reading&) = delete;
    reading& operator=(const reading&) = delete;

    [[nodiscard]] bool good() const { return is_whole && failed == http_errc{}; }

    std::string text;
    std::string rest;
    std::array<field, 100> room;
    request_head head;
    http_errc failed{};
    bool is_whole = false;
};

/// Of a request that has these lines besides a good request line and, when it has none, a Host.
http_errc fault_of_fields(const std::string& lines) {
    return reading{"GET / HTTP/1.1\r\n" + std::string{lines.find("Host:") == std::string::npos ? "Host: a\r\n" : ""} +
                   lines + "\r\n"}
        .failed;
}
http_errc fault_of_line(const std::string& line) { return reading{line + "\r\nHost: a\r\n\r\n"}.failed; }
body_length body_of(const std::string& lines) {
    const reading one{"POST / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n"};
    REQUIRE(one.good());
    return one.head.body;
}

struct chunked_text {
    /// Decoded `at_once` bytes of input, and of output, at a time.
    chunked_text(std::string_view text, std::size_t at_once) {
        std::vector<std::byte> out(at_once);
        while (!text.empty() && !decoder.is_over()) {
            const auto step = decoder.decode(as_bytes(text.substr(0, at_once)), out);
            if (!step) {
                failed = static_cast<http_errc>(step.error().code().value());
                return;
            }
            body += as_text(bytes{out}.first(step->given));
            text.remove_prefix(step->taken);
        }
        rest = text;
    }
    chunk_decoder decoder;
    std::string body;
    std::string_view rest;
    http_errc failed{};
};

TEST_CASE("rfc9112 2.1, 3: a request's head is its line and its fields, and what follows is not looked at") {
    const reading one{
        "POST /a/b?c=d&e HTTP/1.1\r\nHost: example.org:8080\r\nContent-Length:  3 \r\nX-Empty:\r\n\r\nabc"};
    REQUIRE(one.good());
    CHECK(one.head.method == method::post);
    CHECK(one.head.target == "/a/b?c=d&e");
    CHECK(one.head.path == "/a/b");
    CHECK(one.head.query == "c=d&e");
    CHECK(one.head.host == "example.org:8080");
    CHECK(one.head.minor_version == 1);
    CHECK(one.head.fields.size() == 3);
    CHECK(one.head.fields.find("content-LENGTH") == "3");
    CHECK(one.head.fields.find("x-empty") == "");
    CHECK_FALSE(one.head.fields.find("x"));
    CHECK(one.head.body == body_length{kind::counted, 3});
    CHECK(one.head.keeps_alive);
    CHECK(one.rest == "abc");
}

TEST_CASE("rfc9112 2.2: lines end in CR LF, and neither stands alone") {
    for (const char* text : {"GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\n\n", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"})
        CHECK(reading{text}.failed == http_errc::bad_line_end);
    CHECK(fault_of_fields("X: a\rb\r\n") == http_errc::bad_field);
    CHECK(fault_of_fields("X: a\r\r\n") == http_errc::bad_field);
    CHECK(fault_of_line("GET /\r HTTP/1.1") == http_errc::bad_target);
    CHECK(fault_of_line("GET / HTTP/1.1\r") == http_errc::bad_start_line);
    CHECK(reading{"\rGET / HTTP/1.1\r\n"}.failed == http_errc::bad_line_end);
}

TEST_CASE("rfc9112 2.2: empty lines before a request are skipped, but not many") {
    for (const char* before : {"\r\n", "\r\n\r\n"})
        CHECK(reading{std::string{before} + "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}.head.path == "/");
    CHECK(reading{"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"}.failed == http_errc::bad_line_end);
}

TEST_CASE("rfc9112 2.2: white space between the request line and the first field is refused") {
    CHECK(fault_of_fields(" X: a\r\n") == http_errc::folded_field);
    CHECK(reading{"GET / HTTP/1.1\r\n Host: a\r\n\r\n"}.failed == http_errc::folded_field);
}

TEST_CASE("rfc9112 2.2: another protocol is known by its first byte") {
    CHECK(reading{"\x16\x03\x01"}.failed == http_errc::not_http);
    CHECK(reading{std::string{"\0\0", 2}}.failed == http_errc::not_http);
}

TEST_CASE("rfc9112 2.3: the version is HTTP/1.x, in these letters") {
    CHECK(fault_of_line("GET / HTTP/1.0") == http_errc{});
    CHECK(reading{"GET / HTTP/1.9\r\nHost: a\r\n\r\n"}.head.minor_version == 1);
    CHECK(fault_of_line("GET / HTTP/2.0") == http_errc::bad_version);
    CHECK(fault_of_line("PRI * HTTP/2.0") == http_errc::bad_version);
    CHECK(fault_of_line("GET / HTTP/0.9") == http_errc::bad_version);
    for (const char* version :
         {"http/1.1", "HTTP/1", "HTTP/1.", "HTTP/1.11", "HTTP/11.1", "HTTP/1,1", "HTTP/ 1.1", "HTP/1.1"})
        CHECK(fault_of_line(std::string{"GET / "} + version) == http_errc::bad_start_line);
}

TEST_CASE("rfc9112 3: one blank stands between the three parts of a request line") {
    for (const char* line : {"GET /", "GET", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / a HTTP/1.1",
                             "GET\t/ HTTP/1.1", "GET / HTTP/1.1 ", "GET /a\tb HTTP/1.1"})
        CHECK_MESSAGE(fault_of_line(line) != http_errc{}, line);
}

TEST_CASE("rfc9112 3: a request line of 8000 bytes is read, and a longer one is answered with 414") {
    const std::string longest = "GET /" + std::string(8000 - 14, 'a') + " HTTP/1.1";
    REQUIRE(longest.size() == 8000);
    CHECK(fault_of_line(longest) == http_errc{});
    CHECK(fault_of_line("G" + longest) == http_errc::target_too_long);
    CHECK(reading{std::string(8010, 'a')}.failed == http_errc::target_too_long);
    CHECK(status_for(http_errc::target_too_long) == status::uri_too_long);
}

TEST_CASE("rfc9112 3.1: a method is a token, told apart by case") {
    CHECK(reading{"get / HTTP/1.1\r\nHost: a\r\n\r\n"}.head.method == method::other);
    CHECK(reading{"BREW / HTTP/1.1\r\nHost: a\r\n\r\n"}.head.method_name == "BREW");
    CHECK(fault_of_line("G(T / HTTP/1.1") == http_errc::bad_start_line);
    CHECK(fault_of_line("G\xc3\xa9T / HTTP/1.1") == http_errc::bad_start_line);
    for (const method one : {method::get, method::head, method::post, method::put, method::delete_, method::connect,
                             method::options, method::trace, method::patch})
        CHECK(method_named(name_of(one)) == one);
}

TEST_CASE("rfc9112 3.2: a request has one Host, and that is one") {
    CHECK(reading{"GET / HTTP/1.1\r\n\r\n"}.failed == http_errc::no_host);
    CHECK(reading{"GET / HTTP/1.0\r\n\r\n"}.good());
    CHECK(fault_of_fields("Host: a\r\nHost: a\r\n") == http_errc::bad_host);
    CHECK(fault_of_fields("Host: a\r\nhost: b\r\n") == http_errc::bad_host);
    for (const char* host : {"a b", "a/b", "a@b", "a:b", "a:1:2", "[::1", "[]", "[::g]", "a,b:c", "\"a\"", "a#"})
        CHECK_MESSAGE(fault_of_fields(std::string{"Host: "} + host + "\r\n") == http_errc::bad_host, host);
    for (const char* host : {"", "a", "a:80", "a:", "10.0.0.1:8080", "[::1]", "[2001:db8::1]:80", "a_b-c.example"})
        CHECK_MESSAGE(fault_of_fields(std::string{"Host: "} + host + "\r\n") == http_errc{}, host);
}

TEST_CASE("rfc9112 3.2.1-3.2.4: a target has one of four forms") {
    const reading whole{"GET http://Example.org:81/a?b HTTP/1.1\r\nHost: other\r\n\r\n"};
    CHECK(whole.head.path == "/a");
    CHECK(whole.head.query == "b");
    CHECK(whole.head.host == "Example.org:81");
    CHECK(reading{"GET HTTPS://a HTTP/1.1\r\nHost: a\r\n\r\n"}.head.path == "/");
    CHECK(reading{"GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"}.head.path == "/");
    CHECK(reading{"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"}.head.path == "*");
    CHECK(reading{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"}.head.path == "*");
    CHECK(reading{"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"}.head.host == "a:443");
    for (const char* line :
         {"GET *", "GET a", "GET a/b", "GET http:///a", "GET http://:80/", "GET http://u@a/", "GET ftp://a/",
          "GET /a#b", "GET /\x7f", "GET /\xc3\xa9", "CONNECT /", "CONNECT a", "GET /<script>"})
        CHECK_MESSAGE(fault_of_line(std::string{line} + " HTTP/1.1") == http_errc::bad_target, line);
}

TEST_CASE("rfc9112 5.1: no white space stands between a field's name and its colon") {
    for (const char* line : {"X : a\r\n", "X\t: a\r\n", "X\r\n", ": a\r\n", "X Y: a\r\n", "X\"Y: a\r\n", "(X): a\r\n",
                             "Content-Length : 3\r\n", "Transfer-Encoding\v: chunked\r\n"})
        CHECK_MESSAGE(fault_of_fields(line) == http_errc::bad_field, line);
}

TEST_CASE(
    "rfc9112 5, rfc9110 5.5: a field's value has no control characters, and the blanks around it are none of it") {
    const reading one{"GET / HTTP/1.1\r\nHost: a\r\nX:\t \tb c\td \t\r\nY: \xe9\r\n\r\n"};
    REQUIRE(one.good());
    CHECK(one.head.fields.find("X") == "b c\td");
    CHECK(one.head.fields.find("Y") == "\xe9");
    for (const char bad : {'\0', '\x01', '\x08', '\x0b', '\x0c', '\x1f', '\x7f'})
        CHECK(fault_of_fields(std::string{"X: a"} + bad + "b\r\n") == http_errc::bad_field);
}

TEST_CASE("rfc9112 5.2: a field that goes on in a second line is refused") {
    CHECK(fault_of_fields("X: a\r\n b\r\n") == http_errc::folded_field);
    CHECK(fault_of_fields("X: a\r\n\tb\r\n") == http_errc::folded_field);
    CHECK(fault_of_fields("X: a\r\n \r\n") == http_errc::folded_field);
}

TEST_CASE("rfc9112 5.4: fields that are too many or too large are answered with 431") {
    std::string many;
    for (int one = 0; one < 99; ++one)
        many += "X: a\r\n";
    CHECK(fault_of_fields(many) == http_errc{});
    CHECK(fault_of_fields(many + "X: a\r\n") == http_errc::head_too_large);
    CHECK(fault_of_fields("X: " + std::string(16'400, 'a') + "\r\n") == http_errc::head_too_large);
    CHECK(status_for(http_errc::head_too_large) == status::request_header_fields_too_large);
}

TEST_CASE("rfc9112 6.1: a transfer coding is chunked, once and last") {
    CHECK(body_of("Transfer-Encoding: chunked\r\n").how == kind::chunked);
    CHECK(body_of("transfer-encoding: , CHUNKED ,\r\n").how == kind::chunked);
    for (const char* coding : {"chunked, chunked", "chunked, gzip", "", ",", "chunked, identity"})
        CHECK_MESSAGE(fault_of_fields(std::string{"Transfer-Encoding: "} + coding + "\r\n") == http_errc::bad_coding,
                      coding);
    for (const char* coding :
         {"gzip", "gzip, chunked", "identity", "xchunked", "chunked;a=b", "\"chunked\"", "chunked\t x"})
        CHECK_MESSAGE(
            fault_of_fields(std::string{"Transfer-Encoding: "} + coding + "\r\n") == http_errc::unknown_coding, coding);
    CHECK(fault_of_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") == http_errc::bad_coding);
    CHECK(fault_of_fields("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n") == http_errc::unknown_coding);
    CHECK(status_for(http_errc::unknown_coding) == status::not_implemented);
}

TEST_CASE("rfc9112 6.1: an HTTP/1.0 message has no transfer coding") {
    CHECK(reading{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"}.failed == http_errc::bad_coding);
}

TEST_CASE("rfc9112 6.1, 6.3: a length beside a transfer coding is refused, in either order") {
    CHECK(fault_of_fields("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") == http_errc::two_lengths);
    CHECK(fault_of_fields("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n") == http_errc::two_lengths);
    CHECK(fault_of_fields("Transfer-Encoding: identity\r\nContent-Length: 3\r\n") == http_errc::two_lengths);
}

TEST_CASE("rfc9112 6.2, 6.3: Content-Length is one decimal number") {
    CHECK(body_of("Content-Length: 0\r\n") == body_length{kind::counted, 0});
    CHECK(body_of("Content-Length: 00042\r\n") == body_length{kind::counted, 42});
    CHECK(body_of("Content-Length: 9999999999999999999\r\n").count == 9'999'999'999'999'999'999ULL);
    for (const char* length : {"", "+3", "-3", "3 3", "3,3", "3, 3", "0x3", "3.0", "a", "99999999999999999999", "3;"})
        CHECK_MESSAGE(fault_of_fields(std::string{"Content-Length: "} + length + "\r\n") == http_errc::bad_length,
                      length);
    CHECK(fault_of_fields("Content-Length: 3\r\nContent-Length: 3\r\n") == http_errc::bad_length);
    CHECK(fault_of_fields("Content-Length: 3\r\nContent-Length: 4\r\n") == http_errc::bad_length);
}

TEST_CASE("rfc9112 6.3: a request that does not say how long it is has no body") {
    CHECK(body_of("X: a\r\n").how == kind::none);
}

TEST_CASE("rfc9112 6.3: which responses have a body, and up to where") {
    std::array<field, 8> room;
    const auto body = [&](const std::string& head, method to = method::get) {
        const auto parsed = parse_response(head + "\r\n", room, to);
        REQUIRE(parsed);
        return parsed->body;
    };
    CHECK(body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n") == body_length{kind::counted, 5});
    CHECK(body("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n").how == kind::chunked);
    CHECK(body("HTTP/1.1 200 OK\r\n").how == kind::until_end);
    CHECK(body("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", method::head).how == kind::none);
    CHECK(body("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n").how == kind::none);
    CHECK(body("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n").how == kind::none);
    CHECK(body("HTTP/1.1 100 Continue\r\n").how == kind::none);
    CHECK(body("HTTP/1.1 200 OK\r\n", method::connect).how == kind::none);
    CHECK_FALSE(parse_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", room,
                               method::get));
}

TEST_CASE("rfc9112 4: a status line") {
    std::array<field, 8> room;
    const auto parsed = parse_response("HTTP/1.1 404 Not here\r\n\r\n", room, method::get);
    REQUIRE(parsed);
    CHECK(parsed->code == status::not_found);
    CHECK(parsed->reason == "Not here");
    CHECK_FALSE(parsed->keeps_alive);
    CHECK(parse_response("HTTP/1.1 200 \r\n\r\n", room, method::get));
    CHECK(parse_response("HTTP/1.1 200\r\n\r\n", room, method::get));
    for (const char* line :
         {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1  200", "HTTP/1.1 2x0 OK",
          "HTTP/1.1 099 No", "HTTP/2.0 200 OK", "ICY 200 OK", "HTTP/1.1 200 O\x01K"})
        CHECK_MESSAGE(!parse_response(std::string{line} + "\r\n\r\n", room, method::get), line);
}

TEST_CASE("rfc9112 7.1: chunks are joined, however they arrive") {
    for (const std::size_t at_once : {1U, 2U, 3U, 100U}) {
        const chunked_text one{"5\r\nhello\r\n1;a;b=\"c;\\\"\"\r\n \r\n00A\r\nhalvm http\r\n0\r\n\r\nGET", at_once};
        CHECK(one.failed == http_errc{});
        CHECK(one.body == "hello halvm http");
        CHECK(one.decoder.is_over());
        CHECK(one.decoder.trailers() == "\r\n");
        CHECK(one.rest == "GET");
    }
}

TEST_CASE("rfc9112 7.1: a chunk's size is hexadecimal digits, and what is not that is refused") {
    for (const char* text : {"\r\n",
                             "g\r\n",
                             " 5\r\nhello\r\n",
                             "+5\r\nhello\r\n",
                             "-5\r\n",
                             "0x5\r\nhello\r\n",
                             "5\nhello\n",
                             "5 \r\nhello\r\n",
                             "5\r\rhello",
                             "5 x\r\nhello\r\n",
                             "5\r\nhelloX\r\n",
                             "5\r\nhello\n0\r\n",
                             "5\r\nhello0\r\n\r\n",
                             ";a\r\n",
                             "10000000000000000\r\n",
                             "00000000000000005\r\nhello\r\n",
                             "5;a\rb\r\n",
                             "5;\x01\r\n",
                             "5;\"\r\n\"\r\nhello",
                             "5;a\n"})
        CHECK_MESSAGE(chunked_text(text, 7).failed != http_errc{}, text);
    CHECK(chunked_text("5;" + std::string(1100, 'a') + "\r\n", 50).failed == http_errc::bad_chunk);
}

TEST_CASE("rfc9112 7.1.1: extensions that nobody knows are read over") {
    CHECK(chunked_text("5 ;a\r\nhello\r\n0;b\r\n\r\n", 100).body == "hello");
    CHECK(chunked_text("5;a=\"b\\\"c\" ; d\r\nhello\r\n0\r\n\r\n", 100).body == "hello");
}

TEST_CASE("rfc9112 7.1.2: trailers are fields behind the last chunk") {
    std::array<field, 4> room;
    const chunked_text one{"0\r\nX: a\r\nY: b\r\n\r\nrest", 3};
    REQUIRE(one.decoder.is_over());
    CHECK(one.rest == "rest");
    const auto trailers = parse_fields(one.decoder.trailers(), room);
    REQUIRE(trailers);
    CHECK(trailers->find("y") == "b");
    CHECK(chunked_text("0\r\nX: a\n\r\n", 100).failed == http_errc::bad_line_end);
    CHECK(chunked_text("0\r\nX: " + std::string(5000, 'a') + "\r\n\r\n", 100).failed == http_errc::head_too_large);
    CHECK_FALSE(parse_fields("X : a\r\n\r\n", room));
    CHECK_FALSE(parse_fields("X: a\r\n b\r\n\r\n", room));
}

TEST_CASE("rfc9112 7.1: what we send as a chunk is read as one") {
    for (const std::uint64_t size : {std::uint64_t{1}, std::uint64_t{0xabc}, ~std::uint64_t{0}})
        CHECK(chunked_text(chunk_size_line{size}.view(), 100).decoder.in_chunk() == size);
}

TEST_CASE("rfc9112 9.3: which connections persist") {
    const auto persists = [](const char* version, const char* lines) {
        const reading one{std::string{"GET / HTTP/"} + version + "\r\nHost: a\r\n" + lines + "\r\n"};
        REQUIRE(one.good());
        return one.head.keeps_alive;
    };
    CHECK(persists("1.1", ""));
    CHECK(persists("1.1", "Connection: keep-alive\r\n"));
    CHECK_FALSE(persists("1.1", "Connection: close\r\n"));
    CHECK_FALSE(persists("1.1", "Connection: Upgrade\r\nConnection: x, CLOSE\r\n"));
    CHECK_FALSE(persists("1.0", ""));
    CHECK(persists("1.0", "Connection: Keep-Alive\r\n"));
    CHECK_FALSE(persists("1.0", "Connection: keep-alive, close\r\n"));
}

TEST_CASE("rfc9110 10.1.1: of expectations there is 100-continue") {
    CHECK(reading{"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n"}.head.expects_continue);
    CHECK(fault_of_fields("Expect: tea\r\n") == http_errc::bad_expectation);
    CHECK_FALSE(reading{"PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"}.head.expects_continue);
    CHECK(reading{"PUT / HTTP/1.0\r\nExpect: tea\r\n\r\n"}.good());
}

TEST_CASE("rfc9110 5.6.1: elements of lists") {
    const std::array<field, 3> all{field{"Accept", "a, \"b,\\\"c\" ,,"}, field{"X", "y"}, field{"accept", "d"}};
    std::vector<std::string> found;
    fields{all}.for_each_of("Accept", [&](std::string_view one) { found.emplace_back(one); });
    CHECK(found == std::vector<std::string>{"a", "\"b,\\\"c\"", "d"});
    CHECK(fields{all}.lists("accept", "D"));
    CHECK_FALSE(fields{all}.lists("accept", "b"));
    CHECK(fields{all}.count("ACCEPT") == 2);
}

TEST_CASE("rfc3986 2.1: percent signs stand before two digits, and for no zero byte") {
    std::array<char, 8> room;
    const auto decoded = [&](std::string_view text) -> std::string {
        const auto size = percent_decode(text, room);
        return size ? std::string{room.data(), *size} : "refused";
    };
    CHECK(decoded("/a%20b%2F") == "/a b/");
    CHECK(decoded("") == "");
    for (const char* text : {"%", "%1", "%g0", "%0g", "%00", "123456789"})
        CHECK(decoded(text) == "refused");
}

TEST_CASE("errors of messages have words and a status") {
    for (int value = 1; value <= static_cast<int>(http_errc::not_http); ++value) {
        CHECK(http_category().message(value) != "unknown error");
        CHECK_FALSE(reason_of(status_for(static_cast<http_errc>(value))).empty());
    }
}

}  // namespace
