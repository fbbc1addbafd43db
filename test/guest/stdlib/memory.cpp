// SPDX-License-Identifier: BSD-3-Clause
// feature: `new`, aligned `new`, `malloc` and its family; out of memory is `std::bad_alloc`
#include "report.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include <malloc.h>

namespace {

bool aligned(const void* memory, std::uintptr_t to) { return reinterpret_cast<std::uintptr_t>(memory) % to == 0; }

struct alignas(4096) page {
    unsigned char bytes[4096];
};

// Blocks of every size, their contents checked when they grow and when they go.
void churn() {
    constexpr std::size_t blocks = 300;
    unsigned char* block[blocks] = {};
    std::size_t size[blocks] = {};
    std::uint32_t random = 1;
    for (int step = 0; step != 30'000; ++step) {
        random = random * 1664525u + 1013904223u;
        const std::size_t i = (random >> 8) % blocks;
        const std::size_t wanted = (random >> 16) % (step % 50 == 0 ? 60'000 : 600) + 1;
        const auto mark = static_cast<unsigned char>(i);
        if (block[i] != nullptr)
            HALVM_CHECK(block[i][0] == mark && block[i][size[i] - 1] == mark);
        if (random % 3 == 0) {
            std::free(block[i]);
            block[i] = nullptr;
            continue;
        }
        auto* const moved = static_cast<unsigned char*>(std::realloc(block[i], wanted));
        HALVM_CHECK(moved != nullptr && aligned(moved, 16));
        std::memset(moved, mark, wanted);
        block[i] = moved;
        size[i] = wanted;
    }
    for (unsigned char* each : block)
        std::free(each);
}

}  // namespace

int halvm_main() {
    // Larger than any domain: these must fail.
    volatile std::size_t huge = std::size_t{1} << 46;
    void* volatile kept = nullptr;  // else the compiler may leave an allocation out
    HALVM_CHECK(report::throws<std::bad_alloc>([&] { kept = new char[huge]; }));
    HALVM_CHECK(report::throws<std::bad_array_new_length>([&] { kept = new page[huge * 64]; }));
    kept = new (std::nothrow) char[huge];
    HALVM_CHECK(kept == nullptr);
    errno = 0;
    kept = std::malloc(huge);
    HALVM_CHECK(kept == nullptr && errno == ENOMEM);
    kept = std::calloc(huge, huge);
    HALVM_CHECK(kept == nullptr);

    const auto object = std::make_unique<page>();
    HALVM_CHECK(aligned(object.get(), 4096));
    const std::unique_ptr<char[]> plain{new char[3]};
    HALVM_CHECK(aligned(plain.get(), 16));
    void* memory = std::aligned_alloc(64 * 1024, 64 * 1024);
    HALVM_CHECK(memory != nullptr && aligned(memory, 64 * 1024));
    std::free(memory);
    memory = nullptr;
    HALVM_CHECK(posix_memalign(&memory, 256, 1000) == 0 && aligned(memory, 256));
    std::free(memory);
    HALVM_CHECK(posix_memalign(&memory, 3, 8) == EINVAL);
    HALVM_CHECK(posix_memalign(&memory, std::size_t{1} << 40, 8) == ENOMEM);
    HALVM_CHECK(posix_memalign(&memory, std::size_t{1} << 63, 8) == ENOMEM);

    auto* zeroes = static_cast<unsigned char*>(std::calloc(100, 100));
    bool all_zero = zeroes != nullptr;
    for (int i = 0; i != 10'000; ++i)
        all_zero = all_zero && zeroes[i] == 0;
    HALVM_CHECK(all_zero && malloc_usable_size(zeroes) >= 10'000);
    std::free(zeroes);
    void* const empty = std::malloc(0);
    void* const also_empty = std::malloc(0);
    HALVM_CHECK(empty != nullptr && empty != also_empty);
    std::free(empty);
    std::free(also_empty);
    std::free(nullptr);

    churn();

    // All memory there is, given back, is there again.
    for (int round = 0; round != 2; ++round) {
        std::vector<std::unique_ptr<char[]>> hoard;
        HALVM_CHECK(report::throws<std::bad_alloc>([&] {
            for (;;)
                hoard.emplace_back(new char[256 * 1024])[0] = 1;
        }));
        HALVM_CHECK(hoard.size() > 16);
    }
    return report::verdict("memory");
}
