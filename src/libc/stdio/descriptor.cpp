// SPDX-License-Identifier: BSD-3-Clause
// Descriptors 0, 1 and 2, and no others: what libstdc++ uses for std::cin and std::cout once a program has called
// std::ios::sync_with_stdio(false). There is no call that opens a fourth.
#include "core/console.hpp"
#include "libc/stdio/console_line.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>

namespace {

namespace core = halvm::core;

int fail(int error) noexcept {
    errno = error;
    return -1;
}

bool reads(int descriptor) noexcept { return descriptor == STDIN_FILENO; }

bool writes(int descriptor) noexcept { return descriptor == STDOUT_FILENO || descriptor == STDERR_FILENO; }

bool exists(int descriptor) noexcept { return reads(descriptor) || writes(descriptor); }

}  // namespace

extern "C" {

ssize_t read(int descriptor, void* into, std::size_t size) {
    if (!reads(descriptor))
        return fail(EBADF);
    return static_cast<ssize_t>(halvm::libc::read_console_line({static_cast<unsigned char*>(into), size}));
}

ssize_t write(int descriptor, const void* from, std::size_t size) {
    if (!writes(descriptor))
        return fail(EBADF);
    core::console_write(static_cast<const char*>(from), size);
    return static_cast<ssize_t>(size);
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
    ssize_t total = 0;
    for (int i = 0; i != count; ++i) {
        const ssize_t written = write(descriptor, parts[i].iov_base, parts[i].iov_len);
        if (written < 0)
            return -1;
        total += written;
    }
    return total;
}

off_t lseek(int descriptor, off_t, int) noexcept { return fail(exists(descriptor) ? ESPIPE : EBADF); }

[[gnu::alias("lseek")]] off_t lseek64(int, off_t, int) noexcept;
[[gnu::alias("lseek")]] off_t __lseek(int, off_t, int) noexcept;

int close(int descriptor) { return exists(descriptor) ? 0 : fail(EBADF); }

int isatty(int descriptor) noexcept {
    if (exists(descriptor))
        return 1;
    errno = EBADF;
    return 0;
}

int fstat(int descriptor, struct stat* status) noexcept {
    if (!exists(descriptor))
        return fail(EBADF);
    *status = {};
    status->st_mode = S_IFCHR | S_IRUSR | S_IWUSR;
    return 0;
}

[[gnu::alias("fstat")]] int fstat64(int, struct stat64*) noexcept;

// Asked for FIONREAD, how many characters can be read without waiting: nobody knows before a line is complete.
int ioctl(int descriptor, unsigned long, ...) noexcept { return fail(exists(descriptor) ? ENOTTY : EBADF); }

// Output never waits for long; whether there is a line of input nobody knows before it is read.
int poll(pollfd* list, nfds_t count, int) {
    int ready = 0;
    for (nfds_t i = 0; i != count; ++i) {
        const bool valid = exists(list[i].fd);
        list[i].revents = static_cast<short>(!valid ? POLLNVAL : writes(list[i].fd) ? list[i].events & POLLOUT : 0);
        if (list[i].revents != 0)
            ++ready;
    }
    return ready;
}
}
