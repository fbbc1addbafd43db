// SPDX-License-Identifier: BSD-3-Clause
#include "libc/stdio/stream_lock.hpp"

#include "core/panic.hpp"

extern "C" {

int __lockfile(halvm::libc::musl::file* stream) {
    const int tid = halvm::libc::musl::self()->tid;
    if (stream->lock == tid)
        return 0;
    if (stream->lock != 0)
        halvm::core::panic("flockfile: the stream is held by another thread for ever");
    stream->lock = tid;
    return 1;
}

void __unlockfile(halvm::libc::musl::file* stream) { stream->lock = 0; }
}
