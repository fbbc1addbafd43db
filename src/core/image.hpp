// SPDX-License-Identifier: BSD-3-Clause
// The borders of the image, as linker/kernel.lds lays it out. Borders of segments are page-aligned.
#pragma once

#include <cstddef>
#include <cstdint>

namespace halvm::image {

extern const std::byte image_begin[] __asm__("__image_begin");
extern const std::byte image_end[] __asm__("__image_end");
extern const std::byte text_begin[] __asm__("__text_begin");
extern const std::byte text_end[] __asm__("__text_end");
extern const std::byte rodata_begin[] __asm__("__rodata_begin");
extern const std::byte rodata_end[] __asm__("__rodata_end");
extern const std::byte stack_guard[] __asm__("__stack_guard");
extern const std::byte stack_bottom[] __asm__("__stack_bottom");
extern const std::byte stack_top[] __asm__("__stack_top");

inline std::uintptr_t address(const std::byte* border) noexcept { return reinterpret_cast<std::uintptr_t>(border); }

}  // namespace halvm::image
