// SPDX-License-Identifier: BSD-3-Clause
// malloc and its family over the core's heap. musl's own objects call it under the names with __libc_.
#include "core/heap.hpp"

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace {

namespace core = halvm::core;

constexpr std::size_t ordinary_alignment = 16;

void* allocate(std::size_t size, std::size_t alignment) noexcept {
    // A larger object could not be measured by a ptrdiff_t.
    if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX - size) {
        errno = ENOMEM;
        return nullptr;
    }
    // Every object has its own address, so an empty one takes a byte.
    void* const memory = core::heap_allocate(size == 0 ? 1 : size, alignment);
    if (memory == nullptr)
        errno = ENOMEM;
    return memory;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) noexcept { return allocate(size, ordinary_alignment); }

void free(void* memory) noexcept { core::heap_free(memory); }

void* calloc(std::size_t count, std::size_t size) noexcept {
    std::size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return nullptr;
    }
    void* const memory = allocate(bytes, ordinary_alignment);
    if (memory != nullptr)
        std::memset(memory, 0, bytes);
    return memory;
}

void* realloc(void* memory, std::size_t size) noexcept {
    if (memory == nullptr)
        return malloc(size);
    const std::size_t usable = core::heap_usable(memory);
    // Stay while the object fits and does not leave most of its room unused.
    if (size <= usable && size >= usable / 4)
        return memory;
    void* const moved = allocate(size, ordinary_alignment);
    if (moved == nullptr)
        return nullptr;
    std::memcpy(moved, memory, size < usable ? size : usable);
    core::heap_free(memory);
    return moved;
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    if (!std::has_single_bit(alignment)) {
        errno = EINVAL;
        return nullptr;
    }
    return allocate(size, alignment < ordinary_alignment ? ordinary_alignment : alignment);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept { return aligned_alloc(alignment, size); }

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
    if (!std::has_single_bit(alignment) || alignment < sizeof(void*))
        return EINVAL;
    const int before = errno;
    void* const memory = aligned_alloc(alignment, size);
    errno = before;  // the error is the result, not errno
    if (memory == nullptr)
        return ENOMEM;
    *result = memory;
    return 0;
}

std::size_t malloc_usable_size(void* memory) noexcept { return memory == nullptr ? 0 : core::heap_usable(memory); }

[[gnu::alias("malloc")]] void* __libc_malloc(std::size_t) noexcept;
[[gnu::alias("malloc")]] void* __libc_malloc_impl(std::size_t) noexcept;
[[gnu::alias("calloc")]] void* __libc_calloc(std::size_t, std::size_t) noexcept;
[[gnu::alias("realloc")]] void* __libc_realloc(void*, std::size_t) noexcept;
[[gnu::alias("free")]] void __libc_free(void*) noexcept;
}
