// SPDX-License-Identifier: BSD-3-Clause
// Names for addresses, from the table that ldkernel puts into the image: functions of the text, and the typeinfo
// objects of exception types. Works in a panic: no allocation, no locks, and a damaged table gives no name instead of
// a fault. The table's format is described where it is made, in linker/ldkernel_lib/symbols.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace halvm::core {

struct symbol {
    std::string_view name;  // in the caller's buffer, cut off where that is too short
    std::uintptr_t begin;   // address of the function's first byte, or of the typeinfo object
};

/// One table, wherever its bytes are.
class symbol_table {
public:
    /// Pre: `bytes` outlives the table. Bytes that are no table give a table that names nothing.
    explicit symbol_table(std::span<const unsigned char> bytes) noexcept;

    /// The function that `address` lies in, or the type whose typeinfo object is exactly there.
    [[nodiscard]] std::optional<symbol> find(std::uintptr_t address, std::span<char> buffer) const noexcept;

private:
    // Entries in blocks of 64; the index has a block's first address and where its entries begin.
    struct list {
        std::uint32_t entries = 0;
        std::span<const unsigned char> index;
    };
    struct entry {
        std::uint32_t offset;  // of the address, from base_
        std::size_t name;      // where in entries_ its name begins
    };
    struct text {
        std::size_t end;     // where in entries_ the name ends
        std::size_t length;  // of all of it, also of what was cut off
    };

    [[nodiscard]] std::optional<entry> last_not_above(const list& in, std::uint32_t offset) const noexcept;
    [[nodiscard]] std::optional<text> decode(std::size_t at, std::span<char> buffer) const noexcept;

    std::uintptr_t base_ = 0;
    std::uint32_t text_size_ = 0;
    list functions_;
    list types_;
    std::span<const unsigned char> literals_;
    std::span<const unsigned char> pairs_;
    std::span<const unsigned char> entries_;
};

/// The same in this image's own table. Empty when it was linked with --no-halvm-symbols.
[[nodiscard]] std::optional<symbol> find_symbol(std::uintptr_t address, std::span<char> buffer) noexcept;

/// What the table costs in the image.
[[nodiscard]] std::size_t symbols_bytes() noexcept;

}  // namespace halvm::core
