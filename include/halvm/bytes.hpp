// SPDX-License-Identifier: BSD-3-Clause
// Views of memory as bytes: what devices read into and write from.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace halvm {

using bytes = std::span<std::byte>;
using const_bytes = std::span<const std::byte>;

/// The bytes of a text, without its end mark.
inline const_bytes as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// Bytes as text; what they mean is the caller's business.
inline std::string_view as_text(const_bytes data) noexcept {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

}  // namespace halvm
