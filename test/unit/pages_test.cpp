// SPDX-License-Identifier: BSD-3-Clause
// The page allocator over memory that stands where the domain's would: what is not mapped, the image and the page
// tables cannot be touched there, so that handing out a wrong page ends the test.
#include "child.hpp"

#include "core/page_source.hpp"
#include "core/pages.hpp"
#include "core/panic.hpp"

#include <algorithm>
#include <bit>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <sys/mman.h>
#include <utility>
#include <vector>

namespace halvm::core {
namespace {

constexpr std::uint64_t image_first = 256;  // 1 MiB, as kernel.lds has it
constexpr std::size_t chunk_bytes = chunk_page_count * page_bytes;

char* page(std::uint64_t index) { return reinterpret_cast<char*>(page_base + index * page_bytes); }

void allow(std::uint64_t first, std::uint64_t last, int protection) {
    if (first < last && mprotect(page(first), (last - first) * page_bytes, protection) != 0)
        panic("mprotect of pages %lu to %lu failed", first, last);
}

struct {
    page_source_layout layout;
    std::uint64_t next_chunk;
    bool image_open = false;
} machine;

/// A domain of so many pages, whose image ends at `image_end`. Called once in each child, before any allocation.
void start(std::uint64_t pages, std::uint64_t image_end) {
    const auto whole = [](std::uint64_t count) {
        return (count + chunk_page_count - 1) / chunk_page_count * chunk_page_count;
    };
    constexpr std::uint64_t builder_pages = 1024;  // Xen's builder maps 4 MiB
    void* const memory = mmap(page(0), whole(pages) * page_bytes, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory != page(0))
        panic("the memory of the test's domain cannot be had");
    const std::uint64_t first_free = image_end + 3;  // what boot put behind the image
    machine.layout = {pages, whole(first_free), first_free, std::max(builder_pages, whole(first_free))};
    machine.next_chunk = machine.layout.mapped_pages;
    allow(machine.layout.image_pages, std::min(pages, machine.layout.mapped_pages), PROT_READ | PROT_WRITE);
    pages_start(machine.layout);
}

struct run {
    std::size_t bytes;
    std::uint64_t stamp;
};

/// Writes to each page of the run, so that two that overlap show.
void stamp(char* memory, const run& one) {
    for (std::size_t at = 0; at < one.bytes; at += page_bytes)
        std::memcpy(memory + at, &one.stamp, sizeof one.stamp);
}
bool is_intact(const char* memory, const run& one) {
    for (std::size_t at = 0; at < one.bytes; at += page_bytes)
        if (std::memcmp(memory + at, &one.stamp, sizeof one.stamp) != 0)
            return false;
    return true;
}

std::size_t random_bytes(std::mt19937_64& random) {
    switch (random() % 10) {
    case 0: return 1 + random() % (3 * chunk_bytes);
    case 1: return chunk_bytes >> random() % 10;
    default: return 1 + random() % (20 * page_bytes);
    }
}

void check(bool good, const char* what) {
    if (!good)
        panic("%s", what);
}

void allocate_one(std::map<char*, run>& living, std::mt19937_64& random) {
    const run fresh{random_bytes(random), random()};
    auto* const memory = static_cast<char*>(pages_allocate(fresh.bytes));
    if (memory == nullptr)
        return;
    const std::size_t natural = std::bit_ceil(std::min((fresh.bytes + page_bytes - 1) / page_bytes, chunk_page_count));
    check(reinterpret_cast<std::uintptr_t>(memory) % (natural * page_bytes) == 0, "a run is not aligned to its size");
    check(memory > page(0) && memory + fresh.bytes <= page(machine.layout.pages), "a run is not in the domain");
    stamp(memory, fresh);
    living[memory] = fresh;
}

void free_one(std::map<char*, run>& living, char* memory) {
    const auto one = living.find(memory);
    check(is_intact(one->first, one->second), "a run was overwritten");
    pages_free(one->first, one->second.bytes);
    living.erase(one);
}

/// Comes and goes at random, up to all of the memory; then everything is given back.
int churn(std::uint64_t pages, std::uint64_t image_end, int steps) {
    start(pages, image_end);
    std::mt19937_64 random{pages};
    std::map<char*, run> living;
    for (int step = 0; step < steps; ++step)
        if (living.empty() || random() % 100 < 60)
            allocate_one(living, random);
        else
            free_one(living, std::next(living.begin(), static_cast<long>(random() % living.size()))->first);
    while (!living.empty())
        free_one(living, living.begin()->first);

    std::uint64_t single = 0;
    const auto before = pages_count();
    while (pages_allocate(1) != nullptr)
        ++single;
    const auto after = pages_count();
    check(single >= before.free, "pages that are free cannot be had one by one");
    check(after.free == 0, "pages that are counted as free cannot be had");
    // All but the image, page tables and the allocator's own bits; page 0 is nobody's.
    const auto own = pages / chunk_page_count * 2 + 64 + image_end - image_first + 4;
    check(single + own >= pages, "pages were lost");
    return 0;
}

}  // namespace

void map_pages(std::uint64_t first, void* table, void* directory) noexcept {
    check(first == machine.next_chunk, "chunks are not mapped in order");
    machine.next_chunk += chunk_page_count;
    allow(first, std::min(machine.next_chunk, machine.layout.pages), PROT_READ | PROT_WRITE);
    check((directory != nullptr) == needs_page_directory(first), "a page directory is missing or too many");
    for (void* const taken : {table, directory})
        if (taken != nullptr && mprotect(taken, page_bytes, PROT_READ) != 0)
            panic("a page table is not a page");
}

bool needs_page_directory(std::uint64_t first) noexcept { return first % (chunk_page_count * chunk_page_count) == 0; }

void open_image_pages() noexcept {
    check(!std::exchange(machine.image_open, true), "the image's pages are opened twice");
    allow(1, image_first, PROT_READ | PROT_WRITE);
    allow(machine.layout.first_free, std::min(machine.layout.image_pages, machine.layout.pages),
          PROT_READ | PROT_WRITE);
}

std::uint64_t first_image_page() noexcept { return image_first; }

void panic(const char* format, ...) noexcept {
    std::va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::abort();
}

namespace {

using test::in_child;

TEST_CASE("pages: runs are aligned, apart and in the domain, and none is lost, in domains of every size") {
    constexpr std::uint64_t mib = 256;
    const struct {
        std::uint64_t pages;
        std::uint64_t image_end;
    } domains[]{{4 * mib, 320},         {4 * mib, 900},  {5 * mib + 7, 400}, {16 * mib, 300},
                {16 * mib + 511, 2000}, {64 * mib, 320}, {1024 * mib, 320},  {1100 * mib + 1, 320}};
    for (const auto& domain : domains) {
        CAPTURE(domain.pages);
        CAPTURE(domain.image_end);
        const auto end = in_child([&] { return churn(domain.pages, domain.image_end, 20'000); });
        CHECK(end.errors == "");
        CHECK(end.exit_status == 0);
    }
}

TEST_CASE("pages: what is freed grows together again") {
    const auto end = in_child([] {
        start(64 * 256, 320);
        void* const whole = pages_allocate(24 * chunk_bytes);
        check(whole != nullptr, "no run of 48 MiB in 64 MiB");
        pages_free(whole, 24 * chunk_bytes);
        std::vector<void*> single;
        while (void* const one = pages_allocate(page_bytes))
            single.push_back(one);
        std::shuffle(single.begin(), single.end(), std::mt19937{1});
        for (void* const one : single)
            pages_free(one, page_bytes);
        check(pages_allocate(24 * chunk_bytes) != nullptr, "48 MiB are free but in pieces");
        return 0;
    });
    CHECK(end.errors == "");
    CHECK(end.exit_status == 0);
}

TEST_CASE("pages: memory is mapped when it is needed, not before") {
    const auto end = in_child([] {
        start(1024 * 256, 320);
        const auto mapped = pages_count().mapped;
        check(mapped <= 2048, "more than a few chunks are mapped at the start");
        for (int i = 0; i < 1000; ++i)
            pages_free(pages_allocate(page_bytes), page_bytes);
        check(pages_count().mapped == mapped, "mapped although there were free pages");
        check(pages_allocate(10 * chunk_bytes) != nullptr, "no 20 MiB in 1 GiB");
        check(pages_count().mapped > mapped && pages_count().mapped < mapped + 20 * chunk_page_count,
              "mapped much more than was asked for");
        return 0;
    });
    CHECK(end.errors == "");
    CHECK(end.exit_status == 0);
}

TEST_CASE("pages: nothing, and more than there is, are refused") {
    const auto end = in_child([] {
        start(16 * 256, 320);
        check(pages_allocate(0) == nullptr, "0 bytes");
        check(pages_allocate(16U << 20) == nullptr, "the whole domain");
        check(pages_allocate(SIZE_MAX) == nullptr, "all addresses");
        check(pages_allocate(SIZE_MAX - page_bytes) == nullptr, "nearly all addresses");
        check(pages_allocate(page_bytes) != nullptr, "one page afterwards");
        return 0;
    });
    CHECK(end.errors == "");
    CHECK(end.exit_status == 0);
}

}  // namespace
}  // namespace halvm::core
