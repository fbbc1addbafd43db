// SPDX-License-Identifier: BSD-3-Clause
// Every block lies in a region aligned to 16 KiB that begins with a header: a slab of equal blocks, or one large
// block. free() finds the header by rounding the address down. An address that is itself a multiple of 16 KiB
// can only be a large block of great alignment; then the header's address stands in the word before it.
#include "core/heap.hpp"

#include "core/page_source.hpp"
#include "core/pages.hpp"
#include "core/panic.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace halvm::core {
namespace {

constexpr std::size_t region_size = 16384;
constexpr std::size_t granule = 16;
constexpr std::size_t largest_small = 2720;  // six of them fill a slab
constexpr std::uint32_t slab_mark = 0x534c4142;
constexpr std::uint32_t large_mark = 0x4c524745;

// Multiples of 16 up to 128, then four steps to each doubling, each step a size that wastes little of a slab.
constexpr std::array<std::uint16_t, 24> class_sizes{16,  32,  48,  64,  80,  96,  112, 128,  160,  192,  224,  256,
                                                    320, 384, 448, 512, 640, 768, 896, 1024, 1344, 1616, 2032, 2720};

constexpr std::size_t max_blocks = region_size / granule;

struct region {
    std::uint32_t mark;
    std::uint32_t class_index;  // slab
    std::size_t bytes;          // large: of the whole region
    char* begin;                // large: the address that was handed out
};

struct slab : region {
    slab* next;
    slab* previous;
    std::uint32_t free_count;
    std::uint32_t hint;  // no word before this one has a free block
    std::array<std::uint64_t, max_blocks / 64> free_bits;

    char* block(std::size_t index) noexcept {
        return reinterpret_cast<char*>(this) + first_block() + index * class_sizes[class_index];
    }
    [[nodiscard]] std::size_t first_block() const noexcept {
        // Blocks are packed against the end of the region, so that those of a power of two are aligned to it.
        return region_size - block_count() * class_sizes[class_index];
    }
    [[nodiscard]] std::size_t block_count() const noexcept;
};

constexpr std::size_t header_size = sizeof(slab);
constexpr auto block_counts = [] {
    std::array<std::uint16_t, class_sizes.size()> counts{};
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = static_cast<std::uint16_t>((region_size - header_size) / class_sizes[i]);
    return counts;
}();

std::size_t slab::block_count() const noexcept { return block_counts[class_index]; }

// Slabs with at least one free block, by class. A slab that is wholly free is kept when it is its class's last,
// so that a loop of one malloc and one free does not go to the page allocator each time.
std::array<slab*, class_sizes.size()> partial;

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
    auto* const one = static_cast<slab*>(pages_allocate(region_size));
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

void* allocate_large(std::size_t size, std::size_t alignment) noexcept {
    // Up to the alignment of pages the block follows its header; beyond, it begins at a multiple of a region, or
    // of a larger alignment, with the header's address before it.
    const std::size_t before = alignment < region_size ? std::max(sizeof(region), alignment)
                                                       : alignment + (alignment > region_size ? region_size : 0);
    if (size > SIZE_MAX - before - region_size)
        return nullptr;
    const std::size_t bytes = (size + before + page_bytes - 1) / page_bytes * page_bytes;
    // A region must begin on 16 KiB, which blocks of four pages or more do.
    auto* const one = static_cast<region*>(pages_allocate(std::max(bytes, region_size)));
    if (one == nullptr)
        return nullptr;
    const auto start = reinterpret_cast<std::uintptr_t>(one);
    const auto begin = alignment < region_size ? start + before : (start + region_size + alignment - 1) & ~(alignment - 1);
    *one = {large_mark, 0, std::max(bytes, region_size), reinterpret_cast<char*>(begin)};
    if (alignment >= region_size)
        *reinterpret_cast<region**>(begin - sizeof(region*)) = one;
    return one->begin;
}

region* region_of(const void* memory) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    return address % region_size == 0 ? *reinterpret_cast<region**>(address - sizeof(region*))
                                      : reinterpret_cast<region*>(address & ~(region_size - 1));
}

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
    region* const owner = region_of(memory);
    if (owner->mark == large_mark && owner->begin == memory) {
        owner->mark = 0;
        pages_free(owner, owner->bytes);
        return;
    }
    if (owner->mark != slab_mark)
        bad_address(memory);

    auto* const one = static_cast<slab*>(owner);
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
        pages_free(one, region_size);
    }
}

std::size_t heap_usable(const void* memory) noexcept {
    if (memory == nullptr)
        return 0;
    const region* const owner = region_of(memory);
    if (owner->mark == slab_mark)
        return class_sizes[owner->class_index];
    if (owner->mark != large_mark)
        bad_address(memory);
    return owner->bytes - static_cast<std::size_t>(owner->begin - reinterpret_cast<const char*>(owner));
}

}  // namespace halvm::core
