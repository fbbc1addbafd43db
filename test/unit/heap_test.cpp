// SPDX-License-Identifier: BSD-3-Clause
// The heap over page runs of its own, against a model that knows what is allocated.
#include "child.hpp"

#include "core/heap.hpp"
#include "core/pages.hpp"
#include "core/panic.hpp"

#include <algorithm>
#include <bit>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t arena_pages = 65'536;
constexpr std::size_t largest_alignment = std::size_t{2} << 20;

/// Pages out of one piece of memory, of which the sanitizer sees every use of a free one.
struct page_arena {
    page_arena() {
        void* const room = mmap(nullptr, arena_pages * page + largest_alignment, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        const auto address = reinterpret_cast<std::uintptr_t>(room);
        begin = static_cast<char*>(room) + (-address & (largest_alignment - 1));
        ASAN_POISON_MEMORY_REGION(begin, arena_pages * page);
    }

    char* begin;
    std::vector<bool> used = std::vector<bool>(arena_pages);
    std::size_t held = 0;             ///< pages that the heap has
    std::size_t limit = arena_pages;  ///< pages that it may have
};
page_arena arena;

std::size_t pages_for(std::size_t bytes) { return bytes / page + (bytes % page != 0); }

}  // namespace

namespace halvm::core {

void* pages_allocate(std::size_t bytes) noexcept {
    const std::size_t count = pages_for(bytes);
    if (count == 0 || count > arena.limit - arena.held)
        return nullptr;
    const std::size_t step = std::bit_ceil(std::min(count, largest_alignment / page));
    for (std::size_t first = 0; first + count <= arena_pages; first += step) {
        const auto run = arena.used.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = run + static_cast<std::ptrdiff_t>(count);
        if (std::find(run, end, true) != end)
            continue;
        std::fill(run, end, true);
        arena.held += count;
        ASAN_UNPOISON_MEMORY_REGION(arena.begin + first * page, count * page);
        // Pages come with whatever was there before.
        return std::memset(arena.begin + first * page, 0xa5, count * page);
    }
    return nullptr;
}

void pages_free(void* memory, std::size_t bytes) noexcept {
    if (memory == nullptr)
        return;
    const auto offset = static_cast<std::size_t>(static_cast<char*>(memory) - arena.begin);
    for (std::size_t one = offset / page; one < offset / page + pages_for(bytes); ++one) {
        if (offset % page != 0 || !arena.used.at(one))
            panic("pages_free(%p, %zu): not all of it was allocated", memory, bytes);
        arena.used[one] = false;
        --arena.held;
    }
    ASAN_POISON_MEMORY_REGION(memory, pages_for(bytes) * page);
}

void panic(const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::abort();
}

}  // namespace halvm::core

namespace {

using halvm::core::heap_allocate;
using halvm::core::heap_free;
using halvm::core::heap_usable;
using halvm::test::in_child;

constexpr std::size_t slab_pages = 4;
constexpr std::size_t table_pages = 32;  // of the large blocks, of which these tests have 5,000 at most

struct block {
    unsigned char* memory;
    std::size_t size;
    unsigned char stamp;
};

void fill(const block& one) { std::memset(one.memory, one.stamp, one.size); }
bool is_intact(const block& one) {
    return std::all_of(one.memory, one.memory + one.size, [&](unsigned char byte) { return byte == one.stamp; });
}

/// Sizes as programs have them: many small, some large, and the borders of everything between.
std::size_t random_size(std::mt19937& random) {
    switch (random() % 8) {
    case 0: return random() % 40'000;
    case 1: return random() % 20 == 0 ? random() % 3'000'000 : random() % 4'000;
    case 2: return (std::size_t{1} << random() % 15) + random() % 3 - 1;
    default: return random() % 400;
    }
}

TEST_CASE("heap: blocks are aligned, apart, whole, and keep what is written while others come and go") {
    for (const unsigned seed : {1U, 2U, 3U}) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        std::map<unsigned char*, block> living;
        for (int step = 0; step < 20'000; ++step) {
            if (living.empty() || random() % 100 < (step < 15'000 ? 55 : 35)) {
                const std::size_t size = random_size(random);
                const std::size_t alignment = random() % 10 == 0 ? std::size_t{1} << random() % 17 : 16;
                auto* const memory = static_cast<unsigned char*>(heap_allocate(size, alignment));
                REQUIRE(memory != nullptr);
                REQUIRE(reinterpret_cast<std::uintptr_t>(memory) % std::max(alignment, std::size_t{16}) == 0);
                REQUIRE(heap_usable(memory) >= size);
                const block fresh{memory, heap_usable(memory), static_cast<unsigned char>(random())};
                const auto next = living.lower_bound(memory);
                REQUIRE((next == living.end() || memory + fresh.size <= next->first));
                REQUIRE((next == living.begin() || std::prev(next)->first + std::prev(next)->second.size <= memory));
                fill(fresh);  // all that is usable, so that the sanitizer and the neighbours see if it is not
                living[memory] = fresh;
            } else {
                auto victim =
                    living.lower_bound(std::next(living.begin(), static_cast<long>(random() % living.size()))->first);
                REQUIRE(is_intact(victim->second));
                heap_free(victim->first);
                living.erase(victim);
            }
        }
        for (const auto& [memory, one] : living) {
            REQUIRE(is_intact(one));
            heap_free(memory);
        }
        CHECK(arena.held <= 24 * slab_pages + table_pages);  // one kept slab for each size class
    }
}

TEST_CASE("heap: what was freed is used again") {
    for (int round = 0; round < 1000; ++round)
        for (const std::size_t size : {16U, 100U, 2'720U, 2'721U, 50'000U, 3'000'000U})
            heap_free(heap_allocate(size));
    CHECK(arena.held <= 24 * slab_pages + table_pages);
}

TEST_CASE("heap: thousands of large blocks are all found again, in any order") {
    std::mt19937 random{5};
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (int i = 0; i < 5'000; ++i) {
        const std::size_t size = 2'721 + random() % 20'000;
        blocks.emplace_back(heap_allocate(size), size);
        REQUIRE(blocks.back().first != nullptr);
    }
    std::shuffle(blocks.begin(), blocks.end(), random);
    while (!blocks.empty()) {
        const auto [memory, size] = blocks.back();
        blocks.pop_back();
        const std::size_t usable = heap_usable(memory);
        REQUIRE((usable >= size && usable < size + page));
        heap_free(memory);
    }
}

TEST_CASE("heap: a block of no bytes has an address of its own") {
    void* const one = heap_allocate(0);
    void* const other = heap_allocate(0);
    CHECK(one != nullptr);
    CHECK(one != other);
    heap_free(one);
    heap_free(other);
    heap_free(nullptr);
    CHECK(heap_usable(nullptr) == 0);
}

TEST_CASE("heap: every alignment is kept, for every size, up to eight megabytes, and all of it comes back") {
    for (std::size_t alignment = 1; alignment <= std::size_t{8} << 20; alignment *= 2)
        for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, alignment, alignment + 1}) {
            CAPTURE(alignment);
            CAPTURE(size);
            void* const memory = heap_allocate(size, alignment);
            REQUIRE(memory != nullptr);
            CHECK(reinterpret_cast<std::uintptr_t>(memory) % alignment == 0);
            CHECK(heap_usable(memory) >= size);
            std::memset(memory, 1, heap_usable(memory));
            heap_free(memory);
        }
    CHECK(arena.held <= 24 * slab_pages + table_pages);
}

TEST_CASE("heap: without memory the answer is nullptr, and the heap goes on when there is some again") {
    arena.limit = arena.held + 10;
    std::vector<void*> taken;
    while (void* const memory = heap_allocate(640))
        taken.push_back(memory);
    CHECK(taken.size() >= 40);
    CHECK(heap_allocate(100'000) == nullptr);
    for (void* const memory : taken)
        heap_free(memory);
    void* const again = heap_allocate(640);
    CHECK(again != nullptr);
    heap_free(again);
    arena.limit = arena_pages;
}

TEST_CASE("heap: sizes near the end of the address space are refused, not wrapped around") {
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096, SIZE_MAX - 16384, SIZE_MAX / 2})
        for (const std::size_t alignment : {std::size_t{16}, std::size_t{4096}, std::size_t{1} << 20}) {
            CAPTURE(size);
            CHECK(heap_allocate(size, alignment) == nullptr);
        }
}

TEST_CASE("heap: a second free panics and says so") {
    void* const keeps_the_slab = heap_allocate(100);
    for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{2720}}) {
        CAPTURE(size);
        const auto end = in_child([size] {
            void* const neighbour = heap_allocate(size);
            void* const memory = heap_allocate(size);
            heap_free(memory);
            heap_free(memory);
            return neighbour == nullptr ? 1 : 0;
        });
        CHECK(end.signal == SIGABRT);
        CHECK(end.errors.find("is free already") != std::string::npos);
    }
    heap_free(keeps_the_slab);
}

TEST_CASE("heap: an address that was never handed out panics") {
    for (const std::size_t size : {std::size_t{48}, std::size_t{2720}, std::size_t{100'000}})
        for (const std::size_t offset : {1U, 8U, 16U, 32U}) {
            CAPTURE(size);
            CAPTURE(offset);
            const auto end = in_child([size, offset] {
                heap_free(static_cast<char*>(heap_allocate(size)) + offset);
                return 0;
            });
            CHECK(end.signal == SIGABRT);
            CHECK(end.errors.find("is not of a block that the heap handed out") != std::string::npos);
        }
}

}  // namespace
