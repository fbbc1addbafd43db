// SPDX-License-Identifier: BSD-3-Clause
#include "arch/x86_64/paging.hpp"

#include "arch/x86_64/page_entry.hpp"
#include "core/hypercall.hpp"
#include "core/image.hpp"
#include "core/pages.hpp"

#include <array>
#include <cstring>
#include <span>

// Stand-ins for pages that Xen shares with us: their own frames are left out of the image's page table.
extern "C" {
[[gnu::section(".bss.page_aligned")]] alignas(4096) shared_info_t halvm_shared_info;
[[gnu::section(".bss.page_aligned")]] alignas(4096) std::byte halvm_console_ring[4096];
[[gnu::section(".bss.page_aligned")]] alignas(4096) std::byte halvm_xenstore_ring[4096];
}

namespace halvm::arch {
namespace {

constexpr std::size_t entries = 512;
constexpr std::size_t first_slot = direct_map / chunk_size;  // of the direct map in its first directory
constexpr std::uint64_t max_pages = window_frame;            // what one L3 table reaches, but for the windows

// The state that outlives paging_start(). Tables are reached through the direct map.
const std::uint64_t* p2m;
entry top_machine;                        // machine address of the L3 table
std::array<entry*, entries> directories;  // the L2 table of each GiB of addresses
memory_layout layout;

/// Where the direct map's chunk with this frame stands in the directories.
struct place {
    std::size_t directory;
    std::size_t slot;
};
place place_of(std::uint64_t frame) noexcept {
    const std::size_t chunk = first_slot + frame / chunk_pages;
    return {chunk / entries, chunk % entries};
}

[[noreturn]] void give_up(const char* message) noexcept {
    xen::hypercall::console_write(message, std::strlen(message));
    xen::hypercall::shutdown(SHUTDOWN_crash);
    __builtin_trap();
}

/// A batch of page-table updates that goes to Xen in one hypercall.
class update_batch {
public:
    ~update_batch() { flush(); }

    void set(entry address, entry value) noexcept {
        if (count_ == requests_.size())
            flush();
        requests_[count_++] = {address | MMU_NORMAL_PT_UPDATE, value};
    }

    void flush() noexcept {
        if (count_ != 0 && xen::hypercall::mmu_update(std::span{requests_}.first(count_)) != 0)
            give_up("halvm: panic: Xen refused an update of the page tables\n");
        count_ = 0;
    }

private:
    std::array<mmu_update_t, 32> requests_;
    std::size_t count_ = 0;
};

entry machine_of(std::uint64_t frame) noexcept { return p2m[frame] << 12; }

std::uint64_t frame_of(entry machine) noexcept {
    return reinterpret_cast<const std::uint64_t*>(MACH2PHYS_VIRT_START)[(machine & frame_mask) >> 12];
}

/// Machine address of the directory's entry for the chunk with this frame.
entry directory_slot_of(std::uint64_t frame) noexcept {
    const auto [directory, slot] = place_of(frame);
    const auto directory_frame = static_cast<std::uint64_t>(direct_frame(directories[directory]));
    return machine_of(directory_frame) + slot * sizeof(entry);
}

/// Machine address of the entry that maps `frame` in the direct map.
entry slot_of(std::uint64_t frame) noexcept {
    const auto [directory, slot] = place_of(frame);
    return (directories[directory][slot] & frame_mask) + frame % entries * sizeof(entry);
}

void flush_tlb() noexcept {
    mmuext_op_t operation{};
    operation.cmd = MMUEXT_TLB_FLUSH_LOCAL;
    xen::hypercall::mmuext_op(operation);
}

/// How the page of the image at `address` is mapped; 0 when it is not.
entry image_page(std::uintptr_t address, const start_info_t& info) noexcept {
    const auto is = [&](const void* object) { return address == reinterpret_cast<std::uintptr_t>(object); };
    const bool dom0 = (info.flags & SIF_INITDOMAIN) != 0;
    if (is(&halvm_shared_info))
        return (info.shared_info & frame_mask) | page_data;
    if (is(halvm_console_ring))
        return dom0 ? 0 : info.console.domU.mfn << 12 | page_data;
    if (is(halvm_xenstore_ring))
        return info.store_mfn == 0 ? 0 : info.store_mfn << 12 | page_data;
    if (is(image::stack_guard))
        return 0;
    const entry machine = machine_of(address / page_size);
    if (address < image::address(image::text_end))
        return machine | page_text;
    return machine | (address < image::address(image::rodata_end) ? page_constant : page_data);
}

}  // namespace

memory_layout paging_start(const start_info_t& info) noexcept {
    const auto table_at = [](entry machine) { return reinterpret_cast<entry*>(frame_of(machine) * page_size); };

    p2m = reinterpret_cast<const std::uint64_t*>(info.mfn_list);
    const entry* const l4 = reinterpret_cast<const entry*>(info.pt_base);
    top_machine = l4[0] & frame_mask;
    const entry* const l3 = table_at(top_machine);
    const entry low_machine = l3[0] & frame_mask;
    const entry* const low = table_at(low_machine);
    if ((l3[1] & present) != 0 || (low[first_slot] & present) != 0 || info.nr_pages > max_pages)
        give_up("halvm: panic: the domain has more memory than its address space has room for\n");

    // Behind the builder's page tables comes its one page of stack, which we have left already.
    std::uint64_t next = info.pt_base / page_size + info.nr_pt_frames + 1;
    const auto image_end = image::address(image::image_end) / page_size;
    layout.pages = info.nr_pages;
    layout.image_chunks = (image_end + chunk_pages - 1) / chunk_pages;

    // 1. The image's page tables: only its own pages, each with its own protection.
    update_batch batch;
    const std::uint64_t first_table = next;
    for (std::uint64_t frame = image::address(image::image_begin) / page_size; frame < image_end; ++frame) {
        auto* const table = reinterpret_cast<entry*>((first_table + frame / entries) * page_size);
        if (frame % entries == 0 || frame == image::address(image::image_begin) / page_size)
            std::memset(table, 0, page_size);
        table[frame % entries] = image_page(frame * page_size, info);
    }
    next += layout.image_chunks;

    std::uint64_t chunks = 0;
    while (chunks < first_slot && (low[chunks] & present) != 0)
        ++chunks;
    layout.mapped_pages = chunks * chunk_pages;
    if (next > layout.mapped_pages)
        give_up("halvm: panic: the builder's first mapping leaves no room for page tables\n");

    // 2. A page table may be mapped nowhere writable.
    for (std::uint64_t frame = first_table; frame < next; ++frame)
        batch.set((low[frame / entries] & frame_mask) + frame % entries * sizeof(entry),
                  machine_of(frame) | page_constant);

    // 3. The builder's page tables move into the direct map, and the image's take their place.
    for (std::uint64_t chunk = 0; chunk < chunks; ++chunk) {
        const bool of_image = chunk < layout.image_chunks;
        batch.set(low_machine + (first_slot + chunk) * sizeof(entry),
                  (low[chunk] & frame_mask) | (of_image ? direct_read_only : direct_flags));
        batch.set(low_machine + chunk * sizeof(entry),
                  of_image && chunk >= image::address(image::image_begin) / chunk_size
                      ? machine_of(first_table + chunk) | table_flags
                      : 0);
    }
    batch.flush();
    flush_tlb();

    // From here on `info` and the frame list are found in the direct map alone.
    p2m = reinterpret_cast<const std::uint64_t*>(reinterpret_cast<std::uintptr_t>(p2m) + direct_map);
    directories[0] = static_cast<entry*>(direct_address(pfn{frame_of(low_machine)}));
    layout.first_free = next;
    return layout;
}

xen::gfn machine_frame(pfn frame) noexcept { return xen::gfn{p2m[static_cast<std::uint64_t>(frame)]}; }

void set_machine_frame(pfn frame, xen::gfn behind) noexcept {
    // The list may lie in a chunk that is read-only because of the image.
    core::pages_open_image();
    const_cast<std::uint64_t*>(p2m)[static_cast<std::uint64_t>(frame)] = xen::raw(behind);
}

bool needs_directory(pfn first) noexcept {
    return directories[place_of(static_cast<std::uint64_t>(first)).directory] == nullptr;
}

void map_chunk(pfn first, void* table, void* directory) noexcept {
    const auto frame = static_cast<std::uint64_t>(first);
    const auto place = place_of(frame);
    auto* const slots = static_cast<entry*>(table);
    for (std::size_t i = 0; i < entries; ++i)
        slots[i] = frame + i < layout.pages ? machine_of(frame + i) | page_data : 0;

    update_batch batch;
    const auto table_frame = static_cast<std::uint64_t>(direct_frame(table));
    batch.set(slot_of(table_frame), machine_of(table_frame) | page_constant);
    if (directories[place.directory] == nullptr) {
        const auto directory_frame = static_cast<std::uint64_t>(direct_frame(directory));
        std::memset(directory, 0, page_size);
        batch.set(slot_of(directory_frame), machine_of(directory_frame) | page_constant);
        batch.set(top_machine + place.directory * sizeof(entry), machine_of(directory_frame) | table_flags);
        directories[place.directory] = static_cast<entry*>(directory);
    }
    batch.set(directory_slot_of(frame), machine_of(table_frame) | direct_flags);
}

void open_image_chunks() noexcept {
    update_batch batch;
    for (auto frame = image::address(image::image_begin) / page_size;
         frame < image::address(image::rodata_end) / page_size; ++frame)
        batch.set(slot_of(frame), machine_of(frame) | page_constant);
    for (std::uint64_t chunk = 0; chunk < layout.image_chunks; ++chunk)
        batch.set(directory_slot_of(chunk * chunk_pages),
                  (directories[0][first_slot + chunk] & frame_mask) | direct_flags);
    batch.flush();
    flush_tlb();
}

void unmap_page(void* page) noexcept {
    const auto frame = static_cast<std::uint64_t>(direct_frame(page));
    {
        update_batch batch;
        batch.set(slot_of(frame), 0);
    }
    flush_tlb();
}

}  // namespace halvm::arch
