// SPDX-License-Identifier: BSD-3-Clause
// The shapes that the objects of musl 1.2.3 compiled into their code and that ours must share with them: the thread
// (FS base points at it), FILE, and the library's global state. They are private to musl and change between its
// releases, so check_musl_layout.py compares the constants below with the code of the libc.a that is about to be used.
#pragma once

#include <cstddef>
#include <cstdint>

#include <pthread.h>

namespace halvm::libc::musl {

// The thread, `struct pthread` of musl. Its fields that no pure object touches are only room.
struct thread {
    thread* self;
    std::uintptr_t* dtv;
    thread* previous;
    thread* next;
    std::uintptr_t sysinfo;
    std::uint64_t canary;
    int tid;  // the owner that stdio writes into a FILE's lock: unique, never 0
    int errno_value;
    unsigned char unused_before_stack[0x48 - 0x38];
    void* task;  // of the fiber; musl's own thread creation, which is not linked, keeps the stack here
    unsigned char unused_before_locale[0xa8 - 0x50];
    const void* locale;  // never null: six pointers to catalogues, all null in the "C" locale
    unsigned char unused_after_locale[200 - 0xb0];
};

inline constexpr std::size_t thread_self = 0x00;
inline constexpr std::size_t thread_canary = 0x28;
inline constexpr std::size_t thread_tid = 0x30;
inline constexpr std::size_t thread_errno = 0x34;
inline constexpr std::size_t thread_locale = 0xa8;

static_assert(offsetof(thread, self) == thread_self);
static_assert(offsetof(thread, canary) == thread_canary);
static_assert(offsetof(thread, tid) == thread_tid);
static_assert(offsetof(thread, errno_value) == thread_errno);
static_assert(offsetof(thread, locale) == thread_locale);
static_assert(sizeof(thread) == 200);

// A stream, `struct _IO_FILE` of musl. `lock` is negative for a stream that needs no lock, else 0 or its owner's tid.
struct file {
    unsigned flags = 0;
    unsigned char* read_position = nullptr;
    unsigned char* read_end = nullptr;
    int (*close)(file*) = nullptr;
    unsigned char* write_end = nullptr;
    unsigned char* write_position = nullptr;
    unsigned char* zero_1 = nullptr;
    unsigned char* write_base = nullptr;
    std::size_t (*read)(file*, unsigned char*, std::size_t) = nullptr;
    std::size_t (*write)(file*, const unsigned char*, std::size_t) = nullptr;
    long (*seek)(file*, long, int) = nullptr;
    unsigned char* buffer = nullptr;
    std::size_t buffer_size = 0;
    file* previous = nullptr;
    file* next = nullptr;
    int descriptor = 0;
    int pipe_pid = 0;
    long lock_count = 0;
    int mode = 0;
    volatile int lock = 0;
    int line_end = 0;  // the character that flushes a line-buffered stream, or -1
    void* cookie = nullptr;
    long offset = 0;
    char* line_buffer = nullptr;
    void* zero_2 = nullptr;
    unsigned char* scan_end = nullptr;
    long scan_limit = 0;
    long scan_count = 0;
    file* previous_locked = nullptr;
    file* next_locked = nullptr;
    const void* locale = nullptr;
};

inline constexpr std::size_t file_read_position = 0x08;
inline constexpr std::size_t file_read_end = 0x10;
inline constexpr std::size_t file_write_end = 0x20;
inline constexpr std::size_t file_write_position = 0x28;
inline constexpr std::size_t file_read = 0x40;
inline constexpr std::size_t file_write = 0x48;
inline constexpr std::size_t file_lock = 0x8c;
inline constexpr std::size_t file_line_end = 0x90;

static_assert(offsetof(file, read_position) == file_read_position);
static_assert(offsetof(file, read_end) == file_read_end);
static_assert(offsetof(file, write_end) == file_write_end);
static_assert(offsetof(file, write_position) == file_write_position);
static_assert(offsetof(file, read) == file_read);
static_assert(offsetof(file, write) == file_write);
static_assert(offsetof(file, lock) == file_lock);
static_assert(offsetof(file, line_end) == file_line_end);
static_assert(sizeof(file) == 232);

// How many bytes may be pushed back: musl's streams keep them in front of the buffer.
inline constexpr std::size_t push_back = 8;

inline constexpr unsigned file_permanent = 1;
inline constexpr unsigned file_no_read = 4;
inline constexpr unsigned file_no_write = 8;
inline constexpr unsigned file_at_end = 16;
inline constexpr unsigned file_failed = 32;

// The library's global state, `struct __libc` of musl.
struct state {
    char can_do_threads;
    char threaded;
    char secure;
    volatile signed char need_locks;
    int threads_minus_1;
    const std::size_t* auxv;
    void* tls_head;
    std::size_t tls_size;
    std::size_t tls_align;
    std::size_t tls_count;
    std::size_t page_size;
    const void* global_locale[6];
};

inline constexpr std::size_t state_need_locks = 0x03;
inline constexpr std::size_t state_auxv = 0x08;

static_assert(offsetof(state, need_locks) == state_need_locks);
static_assert(offsetof(state, auxv) == state_auxv);
static_assert(sizeof(state) == 104);

/// The thread that runs.
inline thread* self() noexcept { return reinterpret_cast<thread*>(pthread_self()); }

// Defined in musl_state.cpp.
extern "C" state __libc;

}  // namespace halvm::libc::musl
