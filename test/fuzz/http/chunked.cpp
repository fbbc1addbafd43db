// SPDX-License-Identifier: BSD-3-Clause
// The same bytes, at once and one by one, are the same body; and what we would send of it is read as it again.
#include "fuzz.hpp"

#include <halvm/http/chunked.hpp>
#include <halvm/http/head.hpp>

#include <array>

namespace {

using namespace halvm;
using namespace halvm::http;

struct decoded {
    decoded(const_bytes in, std::size_t at_once) {
        std::array<std::byte, 64> out;
        while (!in.empty() && !decoder.is_over()) {
            const auto step = decoder.decode(in.first(std::min(at_once, in.size())),
                                             bytes{out}.first(std::min<std::size_t>(at_once, 64)));
            if (!step) {
                good = false;
                return;
            }
            fuzz::must(step->taken + step->given != 0, "each step takes something");
            body += as_text(bytes{out}.first(step->given));
            in = in.subspan(step->taken);
        }
        left = in.size();
    }
    chunk_decoder decoder;
    std::string body;
    std::size_t left = 0;
    bool good = true;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::exact_copy copy{{reinterpret_cast<const std::byte*>(data), size}};
    const decoded whole{copy, 4096};
    const decoded slow{copy, 1};
    fuzz::must(whole.good == slow.good, "a body is as good in parts");
    if (!whole.good)
        return 0;
    fuzz::must(whole.body == slow.body && whole.decoder.is_over() == slow.decoder.is_over() && whole.left == slow.left,
               "a body is the same in parts");
    if (!whole.decoder.is_over())
        return 0;
    std::array<field, 20> room;
    static_cast<void>(parse_fields(whole.decoder.trailers(), room));
    std::string sent;
    for (std::size_t at = 0; at < whole.body.size(); at += 10) {
        const std::string part = whole.body.substr(at, 10);
        sent += chunk_size_line{part.size()}.view();
        sent += part + "\r\n";
    }
    sent += "0\r\n\r\n";
    const decoded again{as_bytes(sent), 7};
    fuzz::must(again.good && again.decoder.is_over() && again.body == whole.body, "what is sent is read as it was");
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() {
    std::vector<input> all;
    for (const std::string_view text :
         {"5\r\nhello\r\n0\r\n\r\n", "a;b=\"c\\\"\";d\r\n0123456789\r\n1 ;x\r\n.\r\n0\r\nX: y\r\nZ: \r\n\r\nrest"})
        all.emplace_back(as_bytes(text).begin(), as_bytes(text).end());
    return all;
}
