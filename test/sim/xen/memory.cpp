// SPDX-License-Identifier: BSD-3-Clause
#include "memory.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace halvm::sim {
namespace {

void* checked(void* mapped, const char* attempted) {
    if (mapped == MAP_FAILED)
        throw std::system_error{errno, std::generic_category(), attempted};
    return mapped;
}

}  // namespace

memory::memory(std::size_t frames)
    : file_{memfd_create("frames", MFD_CLOEXEC)}, frames_{frames}, used_(frames), owners_(frames), seen_(frames) {
    if (file_ < 0 || ftruncate(file_, static_cast<off_t>(frames * page_size)) != 0)
        throw std::system_error{errno, std::generic_category(), "make the machine's memory"};
    view_ = static_cast<std::byte*>(
        checked(mmap(nullptr, frames * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0), "map all frames"));
    for (std::size_t frame = frames; --frame != 0;)
        free_.push_back(gfn{frame});
}

memory::~memory() {
    munmap(view_, frames_ * page_size);
    close(file_);
}

gfn memory::allocate(domid_t owner) {
    if (free_.empty())
        return gfn{};
    const gfn frame = free_.back();
    free_.pop_back();
    used_[halvm::xen::raw(frame)] = true;
    owners_[halvm::xen::raw(frame)] = owner;
    std::memset(at(frame), 0xa5, page_size);
    return frame;
}

void memory::free(gfn frame) {
    if (!valid(frame))
        throw std::logic_error{"a frame is given back that nobody has"};
    used_[halvm::xen::raw(frame)] = false;
    free_.push_back(frame);
}

std::byte* memory::at(gfn frame) const {
    if (!valid(frame))
        throw std::logic_error{"no such frame"};
    return view_ + halvm::xen::raw(frame) * page_size;
}

bool memory::valid(gfn frame) const noexcept {
    return halvm::xen::raw(frame) < frames_ && used_[halvm::xen::raw(frame)];
}

void memory::set_owner(gfn frame, domid_t who) { owners_.at(halvm::xen::raw(frame)) = who; }

std::size_t memory::owned_by(domid_t who) const {
    std::size_t count = 0;
    for (std::size_t frame = 0; frame < frames_; ++frame)
        count += used_[frame] && owners_[frame] == who;
    return count;
}

void memory::map(void* page, gfn frame, bool writable) {
    checked(mmap(page, page_size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_FIXED, file_,
                 at(frame) - view_),
            "map a frame");
}

void memory::unmap(void* page) {
    checked(mmap(page, page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0),
            "unmap a frame");
}

void memory::protect(void* page, std::size_t count, bool readable, bool writable) {
    if (mprotect(page, count * page_size, (readable ? PROT_READ : 0) | (writable ? PROT_WRITE : 0)) != 0)
        throw std::system_error{errno, std::generic_category(), "protect pages"};
}

unsigned& memory::seen_by_others(gfn frame) { return seen_.at(halvm::xen::raw(frame)); }

address_range::address_range(std::size_t pages)
    : begin_{static_cast<std::byte*>(
          checked(mmap(nullptr, pages * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
                  "reserve addresses"))},
      taken_(pages) {}

address_range::~address_range() { munmap(begin_, pages() * page_size); }

std::byte* address_range::take(std::size_t count) {
    const auto first = std::search_n(taken_.begin(), taken_.end(), static_cast<std::ptrdiff_t>(count), false);
    if (first == taken_.end())
        return nullptr;
    std::fill_n(first, count, true);
    count_ += count;
    return page(static_cast<std::size_t>(first - taken_.begin()));
}

void address_range::give(const void* first, std::size_t count) {
    for (std::size_t i = index(first); i < index(first) + count; ++i) {
        if (!taken_.at(i))
            throw std::logic_error{"a page is given back that nobody has"};
        taken_[i] = false;
    }
    count_ -= count;
}

bool address_range::contains(const void* page) const noexcept {
    const auto* const at = static_cast<const std::byte*>(page);
    return at >= begin_ && at < begin_ + pages() * page_size;
}

std::size_t address_range::index(const void* page) const noexcept {
    return static_cast<std::size_t>(static_cast<const std::byte*>(page) - begin_) / page_size;
}

}  // namespace halvm::sim
