// SPDX-License-Identifier: BSD-3-Clause
// stderr: the console, unbuffered.
#include "libc/stdio/console_stream.hpp"

using halvm::libc::musl::file;

namespace {

unsigned char buffer[halvm::libc::musl::push_back];

}  // namespace

extern "C" {

extern file __stderr_FILE;
file __stderr_FILE = {
    .flags = halvm::libc::musl::file_permanent | halvm::libc::musl::file_no_read,
    .close = halvm::libc::close_console,
    .write = halvm::libc::write_console,
    .seek = halvm::libc::seek_console,
    .buffer = buffer + halvm::libc::musl::push_back,
    .buffer_size = 0,
    .descriptor = 2,
    .lock = 0,
    .line_end = -1,
};
file* stderr = &__stderr_FILE;
file* volatile __stderr_used = &__stderr_FILE;
}
