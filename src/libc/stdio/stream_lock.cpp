// SPDX-License-Identifier: BSD-3-Clause
// A stream's lock is held while its owner waits for the console, so others wait in turn for the stream.
#include "libc/stdio/stream_lock.hpp"

#include "libc/thread/parking.hpp"

using halvm::libc::musl::file;

namespace {

constexpr int somebody_waits = 0x40000000;  // musl's own bit, which its ftrylockfile() knows too

const void* key(const file* stream) noexcept { return const_cast<const int*>(&stream->lock); }

}  // namespace

extern "C" {

int __lockfile(file* stream) {
    const int tid = halvm::libc::own_tid();
    if ((stream->lock & ~somebody_waits) == tid)
        return 0;
    if (stream->lock == 0) {
        stream->lock = tid;
    } else {
        stream->lock = stream->lock | somebody_waits;
        halvm::libc::park(key(stream), "stream");
    }
    return 1;
}

void __unlockfile(file* stream) {
    const int lock = stream->lock;
    stream->lock = 0;
    if ((lock & somebody_waits) == 0)
        return;
    if (halvm::libc::parked* const next = halvm::libc::first_parked(key(stream))) {
        stream->lock = next->tid | somebody_waits;
        halvm::libc::unpark(*next);
    }
}
}
