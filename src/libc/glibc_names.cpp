// SPDX-License-Identifier: BSD-3-Clause
// Data that code compiled against glibc's headers expects and musl does not define.

extern "C" {

// The image is one object: what __cxa_atexit is told to tell objects apart.
[[gnu::visibility("hidden")]] void* __dso_handle = nullptr;

// Lets libstdc++ count references without atomic instructions. It stays true with fibers: they never run at once.
char __libc_single_threaded = 1;
}
