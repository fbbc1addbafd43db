// SPDX-License-Identifier: BSD-3-Clause
#include "core/pages.hpp"

#include "core/page_source.hpp"
#include "core/panic.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace halvm::core {
namespace {

constexpr std::size_t max_order = 9;  // a whole chunk: 512 pages
constexpr std::size_t chunks_in_gib = 512;
constexpr std::size_t max_gib = 511;

/// Lies in the first bytes of every free block.
struct free_block {
    free_block* next;
    free_block* previous;
    std::size_t order;
};

/// Which pages of a chunk begin a free block; what the block's order is, the block says.
struct chunk_heads {
    std::array<std::uint64_t, chunk_page_count / 64> bits;
};

// Used before constructors run, so it must not have one.
constinit struct {
    std::array<free_block*, max_order + 1> free_lists{};
    std::array<chunk_heads*, max_gib> heads{};  // an array of the chunks of each GiB
    std::uint64_t total = 0;                    // pages
    std::uint64_t mapped = 0;                   // pages; always whole chunks
    std::uint64_t free = 0;
    std::uint64_t image_pages = 0;  // the image's chunks, unusable until open_image_chunks()
    std::uint64_t image_tail = 0;   // first free page behind the image in those chunks
    bool image_open = false;
    std::uint64_t table = 0;  // pages kept for page tables: they come in runs, so that most chunks stay whole
    std::uint64_t tables_left = 0;
} state;

std::uint64_t index_of(const void* page) noexcept {
    return (reinterpret_cast<std::uintptr_t>(page) - page_base) / page_bytes;
}
void* page_at(std::uint64_t index) noexcept { return reinterpret_cast<void*>(page_base + index * page_bytes); }

chunk_heads& heads_of(std::uint64_t page) noexcept {
    const auto chunk = page / chunk_page_count;
    return state.heads[chunk / chunks_in_gib][chunk % chunks_in_gib];
}
bool is_head(std::uint64_t page) noexcept {
    return (heads_of(page).bits[page % chunk_page_count / 64] >> page % 64 & 1) != 0;
}
void flip_head(std::uint64_t page) noexcept {
    heads_of(page).bits[page % chunk_page_count / 64] ^= std::uint64_t{1} << page % 64;
}

void link(std::uint64_t page, std::size_t order) noexcept {
    auto* const block = static_cast<free_block*>(page_at(page));
    *block = {state.free_lists[order], nullptr, order};
    if (block->next != nullptr)
        block->next->previous = block;
    state.free_lists[order] = block;
    flip_head(page);
}

void unlink(free_block* block) noexcept {
    (block->previous != nullptr ? block->previous->next : state.free_lists[block->order]) = block->next;
    if (block->next != nullptr)
        block->next->previous = block->previous;
    flip_head(index_of(block));
}

/// Gives one aligned block of 1 << order pages back, merged with its free neighbours.
void release(std::uint64_t page, std::size_t order) noexcept {
    state.free += std::uint64_t{1} << order;
    for (; order < max_order; ++order) {
        const std::uint64_t buddy = page ^ std::uint64_t{1} << order;
        if (!is_head(buddy) || static_cast<free_block*>(page_at(buddy))->order != order)
            break;
        unlink(static_cast<free_block*>(page_at(buddy)));
        page &= ~(std::uint64_t{1} << order);
    }
    link(page, order);
}

/// Gives any run of pages back, as the largest aligned blocks that it is made of.
void release_run(std::uint64_t page, std::uint64_t count) noexcept {
    while (count != 0) {
        const auto by_count = static_cast<std::size_t>(std::bit_width(count) - 1);
        const auto order = std::min({by_count, static_cast<std::size_t>(std::countr_zero(page)), max_order});
        release(page, order);
        page += std::uint64_t{1} << order;
        count -= std::uint64_t{1} << order;
    }
}

void* take(std::size_t order) noexcept {
    std::size_t found = order;
    while (found <= max_order && state.free_lists[found] == nullptr)
        ++found;
    if (found > max_order)
        return nullptr;
    free_block* const block = state.free_lists[found];
    unlink(block);
    const auto page = index_of(block);
    while (found-- != order)
        link(page + (std::uint64_t{1} << found), found);
    state.free -= std::uint64_t{1} << order;
    return block;
}

/// Sees to it that the next chunk's page tables have a place, while there is one to be had.
void refill_tables() noexcept {
    const auto chunks = (state.total - std::min(state.mapped, state.total) + chunk_page_count - 1) / chunk_page_count;
    if (chunks == 0 || state.tables_left >= 2)
        return;
    release_run(state.table, state.tables_left);
    state.tables_left = 0;
    const auto wanted = std::min<std::uint64_t>(chunks + 1, chunk_page_count);
    for (auto order = static_cast<std::size_t>(std::bit_width(wanted)); order-- != 0 && state.tables_left == 0;)
        if (void* const run = take(order)) {
            state.table = index_of(run);
            state.tables_left = std::uint64_t{1} << order;
        }
}

void* take_table() noexcept {
    --state.tables_left;
    return page_at(state.table++);
}

/// Sees to it that there is a place for the free-block bits of the GiB that `page` is in.
bool make_heads(std::uint64_t page) noexcept {
    const auto gib = page / chunk_page_count / chunks_in_gib;
    if (gib >= max_gib)
        return false;
    if (state.heads[gib] == nullptr) {
        const auto chunks = (state.total + chunk_page_count - 1) / chunk_page_count - gib * chunks_in_gib;
        const auto bytes = std::min<std::uint64_t>(chunks, chunks_in_gib) * sizeof(chunk_heads);
        state.heads[gib] =
            static_cast<chunk_heads*>(take(static_cast<std::size_t>(std::bit_width((bytes - 1) / page_bytes))));
    }
    return state.heads[gib] != nullptr;
}

/// Uses the pages around the image, which paging keeps read-only until they are needed.
[[gnu::always_inline]] inline bool open_image() noexcept {
    if (state.image_open)
        return false;
    state.image_open = true;
    open_image_pages();
    const auto image_first = first_image_page();
    if (image_first > 1)
        release_run(1, image_first - 1);
    if (state.image_tail < state.image_pages)
        release_run(state.image_tail, state.image_pages - state.image_tail);
    refill_tables();
    return true;
}

/// Maps the next chunk, whose pages become free. False when the domain has no more.
bool map_next() noexcept {
    if (state.mapped >= state.total || !make_heads(state.mapped))
        return false;
    refill_tables();
    const bool directory_too = needs_page_directory(state.mapped);
    if (state.tables_left < 1u + directory_too)
        return false;
    void* const table = take_table();
    map_pages(state.mapped, table, directory_too ? take_table() : nullptr);
    heads_of(state.mapped) = {};
    const auto first = state.mapped;
    state.mapped += chunk_page_count;
    release_run(first, std::min<std::uint64_t>(chunk_page_count, state.total - first));
    // What the next GiB needs is taken while there surely is room: here, and before page tables may take all of it.
    if (state.mapped < state.total)
        make_heads(state.mapped);
    refill_tables();
    return true;
}

bool grow() noexcept { return map_next() || open_image(); }

bool is_free_chunk(std::uint64_t page) noexcept {
    return is_head(page) && static_cast<free_block*>(page_at(page))->order == max_order;
}

/// A run of whole chunks for more than one chunk's worth of pages, the lowest that fits.
void* take_chunks(std::uint64_t count) noexcept {
    std::uint64_t run = 0;
    for (std::uint64_t page = 0; page + chunk_page_count <= state.total; page += chunk_page_count) {
        if (page == state.mapped && !map_next())
            return nullptr;
        run = is_free_chunk(page) ? run + 1 : 0;
        if (run == count) {
            const auto first = page - (count - 1) * chunk_page_count;
            for (std::uint64_t chunk = first; chunk <= page; chunk += chunk_page_count)
                unlink(static_cast<free_block*>(page_at(chunk)));
            state.free -= count * chunk_page_count;
            return page_at(first);
        }
    }
    return nullptr;
}

}  // namespace

void pages_start(const page_source_layout& layout) noexcept {
    state.total = layout.pages;
    state.image_pages = layout.image_pages;
    state.image_tail = layout.first_free;
    state.mapped = layout.mapped_pages;
    const auto mapped = std::min(layout.mapped_pages, layout.pages);

    // The first array of bits covers what the builder mapped; it comes out of the free pages by hand, because
    // nothing can be allocated before it exists.
    auto first = std::max(layout.first_free, layout.image_pages);
    const auto chunks =
        std::min<std::uint64_t>((layout.pages + chunk_page_count - 1) / chunk_page_count, chunks_in_gib);
    const auto pages = (chunks * sizeof(chunk_heads) + page_bytes - 1) / page_bytes;
    if (first + pages > mapped) {
        open_image_pages();
        state.image_open = true;
        first = layout.first_free;
        if (first + pages > mapped)
            panic("%lu MiB are not enough memory for this image", layout.pages / 256);
    }
    state.heads[0] = static_cast<chunk_heads*>(page_at(first));
    std::memset(state.heads[0], 0, (mapped + chunk_page_count - 1) / chunk_page_count * sizeof(chunk_heads));
    release_run(first + pages, mapped - first - pages);
    if (state.image_open && first_image_page() > 1)
        release_run(1, first_image_page() - 1);
    refill_tables();
}

void* pages_allocate(std::size_t bytes) noexcept {
    const std::uint64_t pages = bytes / page_bytes + (bytes % page_bytes != 0);
    if (pages == 0 || pages > state.total)
        return nullptr;
    if (pages > chunk_page_count) {
        const auto chunks = (pages + chunk_page_count - 1) / chunk_page_count;
        void* const block = take_chunks(chunks);
        if (block != nullptr)
            release_run(index_of(block) + pages, chunks * chunk_page_count - pages);
        return block;
    }
    const auto order = static_cast<std::size_t>(std::bit_width(pages - 1));
    void* block = take(order);
    while (block == nullptr && grow())
        block = take(order);
    if (block != nullptr)
        release_run(index_of(block) + pages, (std::uint64_t{1} << order) - pages);
    return block;
}

void pages_free(void* memory, std::size_t bytes) noexcept {
    if (memory != nullptr)
        release_run(index_of(memory), (bytes + page_bytes - 1) / page_bytes);
}

void pages_open_image() noexcept { open_image(); }

pages_statistics pages_count() noexcept { return {state.total, std::min(state.mapped, state.total), state.free}; }

}  // namespace halvm::core
