// SPDX-License-Identifier: BSD-3-Clause
// What an entry of a page table says. [sdm3 4.5]
#pragma once

#include <cstdint>

namespace halvm::arch {

using entry = std::uint64_t;

inline constexpr entry present = 1 << 0;
inline constexpr entry writable = 1 << 1;
inline constexpr entry user = 1 << 2;  // a PV kernel runs in ring 3, as its programs do
inline constexpr entry accessed = 1 << 5;
inline constexpr entry dirty = 1 << 6;
inline constexpr entry no_execute = entry{1} << 63;
inline constexpr entry frame_mask = 0x000f'ffff'ffff'f000;

inline constexpr entry page_text = present | user | accessed;
inline constexpr entry page_constant = present | user | accessed | no_execute;
inline constexpr entry page_data = present | writable | user | accessed | dirty | no_execute;
inline constexpr entry table_flags = present | writable | user | accessed;
inline constexpr entry direct_flags = table_flags | no_execute;
inline constexpr entry direct_read_only = present | user | accessed | no_execute;

}  // namespace halvm::arch
