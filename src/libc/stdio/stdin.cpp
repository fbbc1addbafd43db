// SPDX-License-Identifier: BSD-3-Clause
// stdin: the console, a line at a time.
#include "libc/stdio/console_line.hpp"
#include "libc/stdio/console_stream.hpp"

#include <algorithm>
#include <cstring>

using halvm::libc::musl::file;

extern "C" {
extern file __stdin_FILE;
// Set by stdout.cpp in a program that uses stdout.
[[gnu::weak]] file* volatile __stdout_used = nullptr;
}

namespace halvm::libc {

std::size_t read_console(file* stream, unsigned char* into, std::size_t size) noexcept {
    if (file* const out = __stdout_used; out != nullptr && out->write_position != out->write_base) {
        out->write(out, nullptr, 0);
    }
    // An unbuffered stream reads no more than is asked for.
    const bool buffered = stream->buffer_size != 0;
    const std::size_t got =
        read_console_line(buffered ? std::span{stream->buffer, stream->buffer_size} : std::span{into, size});
    if (got == 0)
        stream->flags |= musl::file_at_end;
    if (!buffered)
        return got;
    const std::size_t taken = std::min(got, size);
    std::memcpy(into, stream->buffer, taken);
    stream->read_position = stream->buffer + taken;
    stream->read_end = stream->buffer + got;
    return taken;
}

}  // namespace halvm::libc

namespace {

unsigned char buffer[halvm::libc::musl::push_back + 1024];

}  // namespace

extern "C" {

file __stdin_FILE = {
    .flags = halvm::libc::musl::file_permanent | halvm::libc::musl::file_no_write,
    .close = halvm::libc::close_console,
    .read = halvm::libc::read_console,
    .seek = halvm::libc::seek_console,
    .buffer = buffer + halvm::libc::musl::push_back,
    .buffer_size = sizeof buffer - halvm::libc::musl::push_back,
    .descriptor = 0,
    .lock = 0,
};
file* stdin = &__stdin_FILE;
file* volatile __stdin_used = &__stdin_FILE;
}
