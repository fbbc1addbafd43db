// SPDX-License-Identifier: BSD-3-Clause
// One character to a stream. musl's wake waiters with a system call of their own.
#include "libc/stdio/stream_lock.hpp"

using halvm::libc::musl::file;

extern "C" {

int __overflow(file* stream, int character);  // musl's: writes what is held, and the character
extern file __stdout_FILE;

int putc(int character, file* stream) {
    const halvm::libc::stream_guard guard{stream};
    const auto byte = static_cast<unsigned char>(character);
    if (byte != stream->line_end && stream->write_position != stream->write_end)
        return *stream->write_position++ = byte;
    return __overflow(stream, byte);
}

[[gnu::alias("putc")]] int fputc(int character, file* stream);
[[gnu::alias("putc")]] int _IO_putc(int character, file* stream);

int putchar(int character) { return putc(character, &__stdout_FILE); }
}
