// SPDX-License-Identifier: BSD-3-Clause
// Small blocks lie in slabs of equal blocks, each aligned to 16 KiB and beginning with a header that free() finds by
// rounding the address down. Large blocks are whole pages; a table tells which page-aligned addresses are theirs.
#include "core/heap.hpp"

#include "core/large_blocks.hpp"
#include "core/page_source.hpp"
#include "core/pages.hpp"
#include "core/panic.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace halvm::core {
namespace {

constexpr std::size_t slab_size = 16384;
constexpr std::size_t granule = 16;
constexpr std::size_t largest_small = 2720;  // six of them fill a slab
constexpr std::uint32_t slab_mark = 0x534c4142;

// Multiples of 16 up to 128, then four steps to each doubling, each step a size that wastes little of a slab.
constexpr std::array<std::uint16_t, 24> class_sizes{16,  32,  48,  64,  80,  96,  112, 128,  160,  192,  224,  256,
                                                    320, 384, 448, 512, 640, 768, 896, 1024, 1344, 1616, 2032, 2720};

constexpr std::size_t max_blocks = slab_size / granule;

struct slab {
    std::uint32_t mark;
    std::uint32_t class_index;
    slab* next;
    slab* previous;
    std::uint32_t free_count;
    std::uint32_t hint;  // no word before this one has a free block
    std::array<std::uint64_t, max_blocks / 64> free_bits;

    char* block(std::size_t index) noexcept {
        return reinterpret_cast<char*>(this) + first_block() + index * class_sizes[class_index];
    }
    [[nodiscard]] std::size_t first_block() const noexcept {
        // Blocks are packed against the end of the slab, so that those of a power of two are aligned to it.
        return slab_size - block_count() * class_sizes[class_index];
    }
    [[nodiscard]] std::size_t block_count() const noexcept;
};

constexpr std::size_t header_size = sizeof(slab);
constexpr auto block_counts = [] {
    std::array<std::uint16_t, class_sizes.size()> counts{};
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = static_cast<std::uint16_t>((slab_size - header_size) / class_sizes[i]);
    return counts;
}();

std::size_t slab::block_count() const noexcept { return block_counts[class_index]; }

// Slabs with at least one free block, by class. A slab that is wholly free is kept when it is its class's last,
// so that a loop of one malloc and one free does not go to the page allocator each time.
constinit std::array<slab*, class_sizes.size()> partial{};

constinit large_blocks large;

constexpr auto classes_by_granule = [] {
    std::array<std::uint8_t, largest_small / granule + 1> classes{};
    std::uint8_t index = 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        if (i * granule > class_sizes[index])
            ++index;
        classes[i] = index;
    }
    return classes;
}();

void push(slab* one) noexcept {
    slab*& first = partial[one->class_index];
    one->next = first;
    one->previous = nullptr;
    if (first != nullptr)
        first->previous = one;
    first = one;
}

void remove(slab* one) noexcept {
    (one->previous != nullptr ? one->previous->next : partial[one->class_index]) = one->next;
    if (one->next != nullptr)
        one->next->previous = one->previous;
}

slab* new_slab(std::uint32_t class_index) noexcept {
    auto* const one = static_cast<slab*>(pages_allocate(slab_size));
    if (one == nullptr)
        return nullptr;
    one->mark = slab_mark;
    one->class_index = class_index;
    one->free_count = block_counts[class_index];
    one->hint = 0;
    one->free_bits.fill(0);
    for (std::size_t left = one->free_count, word = 0; left != 0; ++word) {
        const auto bits = std::min<std::size_t>(left, 64);
        one->free_bits[word] = ~std::uint64_t{0} >> (64 - bits);
        left -= bits;
    }
    push(one);
    return one;
}

void* allocate_small(std::uint32_t class_index) noexcept {
    slab* one = partial[class_index];
    if (one == nullptr && (one = new_slab(class_index)) == nullptr)
        return nullptr;
    std::size_t word = one->hint;
    while (one->free_bits[word] == 0)
        ++word;
    const auto bit = static_cast<std::size_t>(std::countr_zero(one->free_bits[word]));
    one->free_bits[word] &= one->free_bits[word] - 1;
    one->hint = static_cast<std::uint32_t>(word);
    if (--one->free_count == 0)
        remove(one);
    return one->block(word * 64 + bit);
}

constexpr std::size_t whole_pages(std::size_t bytes) noexcept { return (bytes + page_bytes - 1) & ~(page_bytes - 1); }

void* allocate_large(std::size_t size, std::size_t alignment) noexcept {
    if (size > SIZE_MAX / 4 || alignment > SIZE_MAX / 4)
        return nullptr;
    // The page allocator aligns up to 2 MiB to the size; for more, room is taken on both sides and given back.
    constexpr std::size_t natural = page_bytes * chunk_page_count;
    const std::size_t bytes = whole_pages(size);
    const std::size_t taken = alignment <= natural ? std::max(bytes, alignment) : bytes + alignment;
    auto* const start = static_cast<char*>(pages_allocate(taken));
    if (start == nullptr)
        return nullptr;
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) & (std::max(alignment, page_bytes) - 1);
    char* const block = start + before;
    if (!large.insert(block, bytes)) {
        pages_free(start, taken);
        return nullptr;
    }
    if (before != 0)
        pages_free(start, before);
    if (const std::size_t behind = taken - before - bytes; behind != 0)
        pages_free(block + bytes, behind);
    return block;
}

slab* slab_of(const void* memory) noexcept {
    return reinterpret_cast<slab*>(reinterpret_cast<std::uintptr_t>(memory) & ~(slab_size - 1));
}

bool may_be_large(const void* memory) noexcept { return reinterpret_cast<std::uintptr_t>(memory) % page_bytes == 0; }

[[noreturn]] void bad_address(const void* memory) noexcept {
    panic("free(%p): this address is not of a block that the heap handed out", memory);
}

}  // namespace

void* heap_allocate(std::size_t size, std::size_t alignment) noexcept {
    if (size == 0)
        size = 1;
    if (alignment <= granule) {
        if (size <= largest_small)
            return allocate_small(classes_by_granule[(size + granule - 1) / granule]);
    } else if (size <= 1024 && alignment <= 1024) {
        // A power of two is a class of its own, whose blocks are aligned to it.
        return allocate_small(classes_by_granule[std::bit_ceil(std::max(size, alignment)) / granule]);
    }
    return allocate_large(size, alignment);
}

void heap_free(void* memory) noexcept {
    if (memory == nullptr)
        return;
    if (reinterpret_cast<std::uintptr_t>(memory) % granule != 0)
        bad_address(memory);
    if (may_be_large(memory))
        if (const std::size_t bytes = large.remove(memory); bytes != 0) {
            pages_free(memory, bytes);
            return;
        }
    slab* const one = slab_of(memory);
    if (one->mark != slab_mark)
        bad_address(memory);

    const auto offset = static_cast<std::size_t>(static_cast<char*>(memory) - one->block(0));
    const std::size_t size = class_sizes[one->class_index];
    const std::size_t index = offset / size;
    if (index >= one->block_count() || offset % size != 0)
        bad_address(memory);
    const auto bit = std::uint64_t{1} << index % 64;
    if ((one->free_bits[index / 64] & bit) != 0)
        panic("free(%p): this block is free already", memory);

    one->free_bits[index / 64] |= bit;
    one->hint = std::min(one->hint, static_cast<std::uint32_t>(index / 64));
    if (one->free_count++ == 0)
        push(one);
    if (one->free_count == one->block_count() && (one->next != nullptr || one->previous != nullptr)) {
        remove(one);
        one->mark = 0;
        pages_free(one, slab_size);
    }
}

std::size_t heap_usable(const void* memory) noexcept {
    if (memory == nullptr)
        return 0;
    if (may_be_large(memory))
        if (const std::size_t bytes = large.find(memory); bytes != 0)
            return bytes;
    const slab* const one = slab_of(memory);
    if (one->mark != slab_mark)
        bad_address(memory);
    return class_sizes[one->class_index];
}

}  // namespace halvm::core
