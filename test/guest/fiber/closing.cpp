// SPDX-License-Identifier: BSD-3-Clause
// fflush(nullptr) goes through the list of streams while another fiber closes one of them: the stream that is being
// looked at must not be freed.
#include "report.hpp"

#include <halvm/fiber.hpp>

#include <cstdio>
#include <string>

namespace fiber = halvm::fiber;

namespace {

ssize_t write_slowly(void*, const char*, std::size_t size) {
    fiber::yield();
    return static_cast<ssize_t>(size);
}

}  // namespace

int halvm_main() {
    std::FILE* const stream = fopencookie(nullptr, "w", {nullptr, write_slowly, nullptr, nullptr});
    std::fputs("text", stream);
    std::string order;
    auto closes = fiber::spawn([&] {
        HALVM_CHECK(std::fclose(stream) == 0);
        order += 'c';
    });
    auto flushes = fiber::spawn([&] {
        HALVM_CHECK(std::fflush(nullptr) == 0);
        order += 'f';
    });
    closes.join();
    flushes.join();
    HALVM_CHECK(order == "fc");
    return report::verdict("closing");
}
