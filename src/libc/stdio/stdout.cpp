// SPDX-License-Identifier: BSD-3-Clause
// stdout: the console, buffered by line as on a terminal.
#include "libc/stdio/console_stream.hpp"

using halvm::libc::musl::file;

namespace {

unsigned char buffer[halvm::libc::musl::push_back + 1024];

}  // namespace

extern "C" {

extern file __stdout_FILE;
file __stdout_FILE = {
    .flags = halvm::libc::musl::file_permanent | halvm::libc::musl::file_no_read,
    .close = halvm::libc::close_console,
    .write = halvm::libc::write_console,
    .seek = halvm::libc::seek_console,
    .buffer = buffer + halvm::libc::musl::push_back,
    .buffer_size = sizeof buffer - halvm::libc::musl::push_back,
    .descriptor = 1,
    .lock = 0,
    .line_end = '\n',
};
file* stdout = &__stdout_FILE;
file* volatile __stdout_used = &__stdout_FILE;
}
