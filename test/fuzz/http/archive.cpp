// SPDX-License-Identifier: BSD-3-Clause
// Whatever an archive is, the files that are read from it lie in it, and none has a name that leads outside.
#include "fuzz.hpp"
#include "http/tar.hpp"

#include <halvm/http/archive.hpp>

namespace {

using namespace halvm;

void read(const_bytes bytes) {
    const fuzz::exact_copy copy{bytes};
    const const_bytes archive = copy;
    const auto files = http::read_archive(archive, {.files = 100, .name = 300});
    if (!files)
        return;
    std::string_view before;
    for (const auto& one : *files) {
        fuzz::must(!one.name.empty() && one.name.front() != '/' &&
                       ("/" + one.name + "/").find("/../") == std::string::npos &&
                       one.name.find('\0') == std::string::npos,
                   "a name is one");
        fuzz::must(one.content.empty() || (one.content.data() >= archive.data() &&
                                           one.content.data() + one.content.size() <= archive.data() + archive.size()),
                   "a file lies in its archive");
        fuzz::must(before < one.name, "names are sorted, and each is there once");
        before = one.name;
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    read({reinterpret_cast<const std::byte*>(data), size});
    // The same with right sums, which few mutations would have.
    std::string text{reinterpret_cast<const char*>(data), size};
    for (std::size_t at = 0; at + 512 <= size; at += 512)
        test::tar::seal(text, at);
    read(as_bytes(text));
    return 0;
}

std::vector<halvm::fuzz::input> halvm::fuzz::seeds() {
    std::vector<input> all;
    for (const std::string& text :
         {test::tar{}.file("a", "aaa").file("b/", "", '5').file("b/c", "ccc", '0', "prefix").end(),
          test::tar{}.file("x", "12 path=abc\n", 'x').file("y", "").file("l", "long", 'L').file("z", "z").end()}) {
        const const_bytes bytes = as_bytes(text);
        all.emplace_back(bytes.begin(), bytes.end());
    }
    return all;
}
