// SPDX-License-Identifier: BSD-3-Clause
// How many bytes each large block of the heap has, by its address: a hash table of its own, because the blocks
// begin on a page and have no room for a header, which would cost a block of a power of two twice its size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halvm::core {

class large_blocks {
public:
    /// False when there is no memory to remember it in.
    bool insert(const void* block, std::size_t bytes) noexcept;

    /// 0 when no block begins at this address.
    [[nodiscard]] std::size_t find(const void* block) const noexcept;

    /// Forgets the block and returns its bytes; 0 when no block begins at this address.
    std::size_t remove(const void* block) noexcept;

private:
    struct slot {
        std::uintptr_t address;  // 0 is empty
        std::size_t bytes;
    };

    [[nodiscard]] std::size_t home(std::uintptr_t address) const noexcept;
    [[nodiscard]] std::size_t probe(std::uintptr_t address) const noexcept;
    bool grow() noexcept;

    slot* slots_ = nullptr;
    std::size_t capacity_ = 0;  // a power of two
    std::size_t count_ = 0;
};

}  // namespace halvm::core
