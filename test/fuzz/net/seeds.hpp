// SPDX-License-Identifier: BSD-3-Clause
// Captured frames, cut down to the layer that a target begins at.
#pragma once

#include "fuzz.hpp"
#include "net/captured.hpp"

namespace halvm::fuzz {

/// Without the first `headers` bytes, of the frames whose name begins with one of `names`.
inline std::vector<input> captured_from(std::size_t headers, std::initializer_list<std::string_view> names) {
    std::vector<input> found;
    for (const captured::frame& one : captured::frames) {
        for (const std::string_view name : names) {
            if (one.name.starts_with(name)) {
                const input whole = from_hex(one.hex);
                found.emplace_back(whole.begin() + static_cast<std::ptrdiff_t>(headers), whole.end());
            }
        }
    }
    return found;
}

}  // namespace halvm::fuzz
