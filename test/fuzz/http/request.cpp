// SPDX-License-Identifier: BSD-3-Clause
// A head, as a request and as a response: found at the same place however it arrives, and what it was parsed into lies
// inside it and is what its fields say.
#include "fuzz.hpp"

#include <halvm/http/head.hpp>
#include <halvm/http/syntax.hpp>

#include <array>

namespace {

using namespace halvm;
using namespace halvm::http;

bool lies_in(std::string_view part, std::string_view whole) {
    return part.empty() || part == "/" || part == "*" ||
           (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::exact_copy copy{{reinterpret_cast<const std::byte*>(data), size}};
    const std::string_view text = as_text(copy);
    const head_limits limits{.line = 200, .head = 1000, .fields = 10};
    std::array<field, 10> room;

    head_finder at_once;
    const auto end = at_once.find(text, limits);
    head_finder slowly;
    auto grown = slowly.find(text.substr(0, 0), limits);
    for (std::size_t upto = 1; upto <= text.size() && grown && *grown == 0; ++upto)
        grown = slowly.find(text.substr(0, upto), limits);
    fuzz::must(end.has_value() == grown.has_value(), "a head is as good in parts as at once");
    if (!end || *end == 0)
        return 0;
    fuzz::must(*end == *grown && at_once.begin() == slowly.begin(), "a head ends where it ends");
    const std::string_view head = text.substr(at_once.begin(), *end - at_once.begin());
    fuzz::must(head.ends_with("\r\n\r\n") && head.size() <= limits.head, "a head ends in an empty line");

    if (const auto request = parse_request(head, room)) {
        fuzz::must(!request->method_name.empty() && !request->path.empty() == (request->method != method::connect),
                   "a request has a method and a path");
        for (const std::string_view part :
             {request->method_name, request->target, request->path, request->query, request->host})
            fuzz::must(lies_in(part, head), "a part lies in its head");
        for (const field& one : request->fields)
            fuzz::must(lies_in(one.name, head) && lies_in(one.value, head) && !one.name.empty() &&
                           syntax::all(one.name, syntax::token) && syntax::all(one.value, syntax::value),
                       "a field is one");
        const auto lengths = request->fields.count("Content-Length");
        const auto codings = request->fields.count("Transfer-Encoding");
        fuzz::must(lengths + (codings != 0) <= 1, "a request has one length");
        fuzz::must((request->body.how == body_length::kind::none) == (lengths + codings == 0), "its length is known");
        fuzz::must(request->fields.count("Host") <= 1, "a request has one host");
    }
    if (const auto response = parse_response(head, room, method::get))
        fuzz::must(response->code >= status::continue_ && lies_in(response->reason, head), "a response has a status");
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() {
    std::vector<input> all;
    for (const std::string_view text :
         {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
          "\r\nPOST /a%20b?c=d HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 12\r\nConnection: close, x\r\n\r\n",
          "PUT http://a.example:80/b HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nConnection: keep-alive\r\n\r\n",
          "OPTIONS * HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: \"q,\\\"\"\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nhello"})
        all.emplace_back(as_bytes(text).begin(), as_bytes(text).end());
    return all;
}
