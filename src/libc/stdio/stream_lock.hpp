// SPDX-License-Identifier: BSD-3-Clause
// The lock of a stream: its owner's tid. The standard streams have it on from the start.
#pragma once

#include "libc/musl_layout.hpp"

extern "C" {
/// Takes the lock; false when the caller has it already.
int __lockfile(halvm::libc::musl::file* stream);
void __unlockfile(halvm::libc::musl::file* stream);
}

namespace halvm::libc {

class stream_guard {
public:
    explicit stream_guard(musl::file* stream) noexcept
        : stream_{stream}, taken_{stream->lock >= 0 && __lockfile(stream) != 0} {}
    ~stream_guard() {
        if (taken_)
            __unlockfile(stream_);
    }
    stream_guard(const stream_guard&) = delete;
    stream_guard& operator=(const stream_guard&) = delete;

private:
    musl::file* stream_;
    bool taken_;
};

}  // namespace halvm::libc
