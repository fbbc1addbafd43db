// SPDX-License-Identifier: BSD-3-Clause
// The machine's frames, and address ranges through which domains see them. A frame can be seen at several addresses
// at once, by several domains, as behind real page tables; an address with nothing behind it faults.
#pragma once

#include <halvm/xen/numbers.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halvm::sim {

using halvm::xen::gfn;
using halvm::xen::page_size;

class memory {
public:
    explicit memory(std::size_t frames);
    ~memory();
    memory(const memory&) = delete;
    memory& operator=(const memory&) = delete;

    /// Who owns a frame that no domain does.
    static constexpr domid_t xen = DOMID_XEN;

    /// A frame for domain `owner`, full of what its last one might have left there. Frame 0 is never given out; it is
    /// the answer when there is none left.
    gfn allocate(domid_t owner = xen);
    void free(gfn frame);
    /// The hypervisor's own view of it.
    [[nodiscard]] std::byte* at(gfn frame) const;
    [[nodiscard]] bool valid(gfn frame) const noexcept;
    /// Pre: the frame is valid.
    [[nodiscard]] domid_t owner(gfn frame) const { return owners_.at(halvm::xen::raw(frame)); }
    void set_owner(gfn frame, domid_t who);
    /// How many frames are this domain's.
    [[nodiscard]] std::size_t owned_by(domid_t who) const;

    void map(void* page, gfn frame, bool writable);
    static void unmap(void* page);
    static void protect(void* page, std::size_t count, bool readable, bool writable);

    [[nodiscard]] std::size_t free_frames() const noexcept { return free_.size(); }

    /// How many domains other than its owner see the frame through a grant.
    unsigned& seen_by_others(gfn frame);

private:
    int file_;
    std::size_t frames_;
    std::byte* view_;
    std::vector<gfn> free_;
    std::vector<bool> used_;
    std::vector<domid_t> owners_;
    std::vector<unsigned> seen_;
};

/// A range of page addresses, given out in runs.
class address_range {
public:
    explicit address_range(std::size_t pages);
    ~address_range();
    address_range(const address_range&) = delete;
    address_range& operator=(const address_range&) = delete;

    /// nullptr when there is no run of `count` left.
    std::byte* take(std::size_t count);
    void give(const void* page, std::size_t count);
    [[nodiscard]] bool contains(const void* page) const noexcept;
    [[nodiscard]] std::size_t index(const void* page) const noexcept;
    [[nodiscard]] std::byte* page(std::size_t index) const noexcept { return begin_ + index * page_size; }
    [[nodiscard]] std::size_t pages() const noexcept { return taken_.size(); }
    /// How many are given out.
    [[nodiscard]] std::size_t taken() const noexcept { return count_; }

private:
    std::byte* begin_;
    std::vector<bool> taken_;
    std::size_t count_ = 0;
};

}  // namespace halvm::sim
