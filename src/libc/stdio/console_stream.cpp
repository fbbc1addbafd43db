// SPDX-License-Identifier: BSD-3-Clause
#include "libc/stdio/console_stream.hpp"

#include "core/console.hpp"

#include <cerrno>

namespace halvm::libc {

std::size_t write_console(musl::file* stream, const unsigned char* text, std::size_t size) noexcept {
    const auto held = static_cast<std::size_t>(stream->write_position - stream->write_base);
    if (held != 0)
        core::console_write(reinterpret_cast<const char*>(stream->write_base), held);
    if (size != 0)
        core::console_write(reinterpret_cast<const char*>(text), size);
    stream->write_end = stream->buffer + stream->buffer_size;
    stream->write_position = stream->write_base = stream->buffer;
    return size;
}

long seek_console(musl::file*, long, int) noexcept {
    errno = ESPIPE;
    return -1;
}

int close_console(musl::file*) noexcept { return 0; }

}  // namespace halvm::libc
