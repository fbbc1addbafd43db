// SPDX-License-Identifier: BSD-3-Clause
// Linear probing; removal shifts the following entries back, so that no marks of removed ones are left.
#include "core/large_blocks.hpp"

#include "core/page_source.hpp"
#include "core/pages.hpp"

#include <cstring>

namespace halvm::core {

std::size_t large_blocks::home(std::uintptr_t address) const noexcept {
    // The golden ratio spreads neighbouring pages over the table. [Knuth, vol. 3, 6.4]
    return static_cast<std::size_t>(address / page_bytes * 0x9e3779b97f4a7c15 >> 32) & (capacity_ - 1);
}

/// The slot of `address`, or the empty one where it would go.
std::size_t large_blocks::probe(std::uintptr_t address) const noexcept {
    std::size_t at = home(address);
    while (slots_[at].address != 0 && slots_[at].address != address)
        at = (at + 1) & (capacity_ - 1);
    return at;
}

bool large_blocks::grow() noexcept {
    const std::size_t old_bytes = capacity_ * sizeof(slot);
    const std::size_t bytes = old_bytes == 0 ? page_bytes : old_bytes * 2;
    auto* const wider = static_cast<slot*>(pages_allocate(bytes));
    if (wider == nullptr)
        return false;
    std::memset(wider, 0, bytes);
    slot* const old = slots_;
    const std::size_t old_capacity = capacity_;
    slots_ = wider;
    capacity_ = bytes / sizeof(slot);
    for (std::size_t i = 0; i < old_capacity; ++i)
        if (old[i].address != 0)
            slots_[probe(old[i].address)] = old[i];
    pages_free(old, old_bytes);
    return true;
}

bool large_blocks::insert(const void* block, std::size_t bytes) noexcept {
    if (count_ >= capacity_ / 4 * 3 && !grow())
        return false;
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    slots_[probe(address)] = {address, bytes};
    ++count_;
    return true;
}

std::size_t large_blocks::find(const void* block) const noexcept {
    if (count_ == 0)
        return 0;
    const slot& found = slots_[probe(reinterpret_cast<std::uintptr_t>(block))];
    return found.address == 0 ? 0 : found.bytes;
}

std::size_t large_blocks::remove(const void* block) noexcept {
    const std::size_t bytes = find(block);
    if (bytes == 0)
        return 0;
    std::size_t hole = probe(reinterpret_cast<std::uintptr_t>(block));
    for (std::size_t at = (hole + 1) & (capacity_ - 1); slots_[at].address != 0; at = (at + 1) & (capacity_ - 1)) {
        // An entry may fill the hole only when its home is not between the hole and itself.
        const std::size_t distance = (at - home(slots_[at].address)) & (capacity_ - 1);
        if (distance >= ((at - hole) & (capacity_ - 1))) {
            slots_[hole] = slots_[at];
            hole = at;
        }
    }
    slots_[hole] = {};
    --count_;
    return bytes;
}

}  // namespace halvm::core
