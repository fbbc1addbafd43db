// SPDX-License-Identifier: BSD-3-Clause
// A way to use up a stack.
#pragma once

namespace halvm::test {

/// Each call writes a frame of its own, so that none is left out.
[[gnu::noinline]] inline int recurse(int depth) {
    volatile char frame[200];
    for (volatile char& each : frame)
        each = static_cast<char>(depth);
    if (depth == 0)
        return 0;
    return recurse(depth - 1) + frame[7];
}

}  // namespace halvm::test
