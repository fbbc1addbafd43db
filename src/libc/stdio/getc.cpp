// SPDX-License-Identifier: BSD-3-Clause
// One character from a stream. musl's wake waiters with a system call of their own.
#include "libc/stdio/stream_lock.hpp"

using halvm::libc::musl::file;

extern "C" {

int __uflow(file* stream);  // musl's: fills the buffer and takes its first character
extern file __stdin_FILE;

int getc(file* stream) {
    const halvm::libc::stream_guard guard{stream};
    return stream->read_position != stream->read_end ? *stream->read_position++ : __uflow(stream);
}

[[gnu::alias("getc")]] int fgetc(file* stream);
[[gnu::alias("getc")]] int _IO_getc(file* stream);

int getchar() { return getc(&__stdin_FILE); }
}
