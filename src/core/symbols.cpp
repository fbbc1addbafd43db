// SPDX-License-Identifier: BSD-3-Clause
#include "core/symbols.hpp"

#include <algorithm>
#include <array>

namespace halvm::image {

extern const unsigned char symbols_begin[] __asm__("__symbols_begin");
extern const unsigned char symbols_end[] __asm__("__symbols_end");

}  // namespace halvm::image

namespace halvm::core {

namespace {

constexpr std::uint32_t magic = 0x31595348;  // "HSY1"
constexpr std::size_t header_bytes = 24;
constexpr std::size_t index_bytes = 8;
constexpr std::uint32_t block = 64;
constexpr std::size_t codes = 256;
constexpr std::size_t longest_name = 255;

std::uint32_t u32(const unsigned char* at) noexcept {
    return std::uint32_t{at[0]} | std::uint32_t{at[1]} << 8 | std::uint32_t{at[2]} << 16 | std::uint32_t{at[3]} << 24;
}

std::uint32_t u16(const unsigned char* at) noexcept { return std::uint32_t{at[0]} | std::uint32_t{at[1]} << 8; }

std::size_t blocks(std::uint32_t entries) noexcept { return (std::size_t{entries} + block - 1) / block; }

}  // namespace

symbol_table::symbol_table(std::span<const unsigned char> bytes) noexcept {
    if (bytes.size() < header_bytes || u32(bytes.data()) != magic)
        return;
    const std::uint32_t functions = u32(&bytes[12]);
    const std::uint32_t types = u32(&bytes[16]);
    const std::size_t literals = u16(&bytes[20]);
    const std::size_t pairs = u16(&bytes[22]);
    const std::size_t codes_end = (header_bytes + literals + 2 * pairs + 3) & ~std::size_t{3};
    const std::size_t functions_index = index_bytes * blocks(functions);
    const std::size_t types_index = index_bytes * blocks(types);
    if (literals == 0 || literals + pairs > codes || codes_end + functions_index + types_index > bytes.size())
        return;
    base_ = u32(&bytes[4]);
    text_size_ = u32(&bytes[8]);
    literals_ = bytes.subspan(header_bytes, literals);
    pairs_ = bytes.subspan(header_bytes + literals, 2 * pairs);
    functions_ = {functions, bytes.subspan(codes_end, functions_index)};
    types_ = {types, bytes.subspan(codes_end + functions_index, types_index)};
    entries_ = bytes.subspan(codes_end + functions_index + types_index);
}

std::optional<symbol> symbol_table::find(std::uintptr_t address, std::span<char> buffer) const noexcept {
    if (address < base_ || address - base_ > UINT32_MAX)
        return {};
    const auto offset = static_cast<std::uint32_t>(address - base_);
    const bool in_text = offset < text_size_;
    const auto found = last_not_above(in_text ? functions_ : types_, offset);
    if (!found || (!in_text && found->offset != offset))
        return {};
    const auto name = decode(found->name, buffer);
    if (!name)
        return {};
    return symbol{{buffer.data(), std::min(name->length, buffer.size())}, address - offset + found->offset};
}

auto symbol_table::last_not_above(const list& in, std::uint32_t offset) const noexcept -> std::optional<entry> {
    std::size_t low = 0;  // blocks before `low` begin at or below the offset, blocks from `high` on above it
    std::size_t high = blocks(in.entries);
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (u32(&in.index[index_bytes * middle]) <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return {};
    const unsigned char* const index = &in.index[index_bytes * (low - 1)];
    const std::uint32_t here = std::min<std::uint32_t>(block, in.entries - block * static_cast<std::uint32_t>(low - 1));

    std::optional<entry> found;
    entry next{u32(index), 0};
    for (std::size_t i = 0, at = u32(index + 4); i < here; ++i) {
        std::uint32_t distance = 0;
        for (unsigned shift = 0, more = 1; more; shift += 7) {
            if (at >= entries_.size() || shift > 28)
                return {};
            distance |= std::uint32_t{entries_[at] & 0x7fu} << shift;
            more = entries_[at++] & 0x80u;
        }
        next.offset += distance;
        if (next.offset > offset)
            break;
        const auto name = decode(at, {});
        if (!name || (i == 0 && name->length == 0))
            return {};
        if (name->length != 0)  // Else it has the name of the entry before it.
            next.name = at;
        found = next;
        at = name->end;
    }
    return found;
}

/// Empty when the table ends before the name does, or is damaged. A pair may only stand for lower codes and a name has
/// an upper limit, so this ends whatever the table holds.
auto symbol_table::decode(std::size_t at, std::span<char> buffer) const noexcept -> std::optional<text> {
    std::array<unsigned char, codes> later;  // second halves still to come, the next one last
    std::size_t waiting = 0;
    std::size_t length = 0;
    while (length <= longest_name) {
        if (waiting == 0 && at >= entries_.size())
            return {};
        std::size_t code = waiting != 0 ? later[--waiting] : entries_[at++];
        while (code >= literals_.size()) {
            const std::size_t pair = 2 * (code - literals_.size());
            if (pair >= pairs_.size() || pairs_[pair] >= code || pairs_[pair + 1] >= code || waiting == later.size())
                return {};
            later[waiting++] = pairs_[pair + 1];
            code = pairs_[pair];
        }
        if (code == 0)
            return text{at, length};
        if (length < buffer.size())
            buffer[length] = static_cast<char>(literals_[code]);
        ++length;
    }
    return {};
}

std::optional<symbol> find_symbol(std::uintptr_t address, std::span<char> buffer) noexcept {
    return symbol_table{{image::symbols_begin, symbols_bytes()}}.find(address, buffer);
}

std::size_t symbols_bytes() noexcept { return static_cast<std::size_t>(image::symbols_end - image::symbols_begin); }

}  // namespace halvm::core
