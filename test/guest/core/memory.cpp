// SPDX-License-Identifier: BSD-3-Clause
// Takes all of the domain's memory, page by page: each page is there, writable, and nobody else's. Then gives it
// back and takes it again as large blocks. The protections still hold afterwards, which faults/ tests at the start:
// with the word `attack` the program then writes to its own text through the direct map.
#include "report.hpp"

#include "core/pages.hpp"

#include <halvm/program.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace core = halvm::core;

namespace {

constexpr std::size_t page = 4096;
constexpr std::uintptr_t direct_map = std::uintptr_t{512} << 20;

struct taken {
    taken* next;
    std::uintptr_t self;
};

std::uint64_t take_all(taken*& list, std::size_t bytes) {
    std::uint64_t count = 0;
    while (auto* const block = static_cast<taken*>(core::pages_allocate(bytes))) {
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        // Both ends of the block are written, so that a page handed out twice is noticed below.
        *block = {list, address};
        reinterpret_cast<std::uintptr_t*>(address + bytes)[-1] = address;
        list = block;
        ++count;
    }
    return count;
}

std::uint64_t give_back(taken* list, std::size_t bytes) {
    std::uint64_t wrong = 0;
    while (list != nullptr) {
        taken* const next = list->next;
        const auto address = reinterpret_cast<std::uintptr_t>(list);
        wrong += list->self != address || reinterpret_cast<std::uintptr_t*>(address + bytes)[-1] != address;
        core::pages_free(list, bytes);
        list = next;
    }
    return wrong;
}

}  // namespace

int halvm_main() {
    const auto start = core::pages_count();
    taken* list = nullptr;
    const auto pages = take_all(list, page);
    const auto full = core::pages_count();
    HALVM_CHECK(full.mapped == full.total);
    HALVM_CHECK(full.free == 0);
    HALVM_CHECK(core::pages_allocate(page) == nullptr);
    HALVM_CHECK(std::malloc(1 << 20) == nullptr);
    // What is missing is the image, what the builder made, and one page of tables for each chunk.
    HALVM_CHECK(pages + 700 + 2 * (start.total / 512) > start.total);
    HALVM_CHECK(give_back(list, page) == 0);
    HALVM_CHECK(core::pages_count().free == pages);

    list = nullptr;
    const auto blocks = take_all(list, 256 * 1024);
    HALVM_CHECK(blocks * 64 + 64 + pages / 8 > pages);
    HALVM_CHECK(give_back(list, 256 * 1024) == 0);
    HALVM_CHECK(core::pages_count().free == pages);

    // Page tables are kept together, so that half of the memory can be had in one piece.
    if (pages > 8192 && pages < 262144) {
        const std::size_t most = pages / 2 * page;
        auto* const large = static_cast<char*>(std::malloc(most));
        HALVM_CHECK(large != nullptr);
        if (large != nullptr) {
            for (std::size_t at = 0; at < most; at += page)
                large[at] = static_cast<char>(at / page);
            bool same = true;
            for (std::size_t at = 0; at < most; at += page)
                same = same && large[at] == static_cast<char>(at / page);
            HALVM_CHECK(same);
            std::free(large);
        }
    }
    std::printf("%lu of %lu pages\n", pages, start.total);
    if (halvm::command_line() == std::string_view{"attack"})
        *reinterpret_cast<volatile char*>(reinterpret_cast<std::uintptr_t>(&take_all) + direct_map) = 1;
    return report::verdict("memory");
}
