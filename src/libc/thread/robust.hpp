// SPDX-License-Identifier: BSD-3-Clause
// Robust mutexes: when the owner of one ends, the next to lock it is told.
#pragma once

#include "libc/thread/deadline.hpp"

#include <pthread.h>

namespace halvm::libc {

inline constexpr int robust_kind = 16;      // glibc's bit in a mutex
inline constexpr int robust_attribute = 4;  // musl's bit in a pthread_mutexattr_t

/// Mutexes are in every program, these in few: no attribute was made robust while this is null.
struct robust_table {
    int (*try_lock)(pthread_mutex_t* mutex) noexcept;
    int (*lock)(pthread_mutex_t* mutex, const deadline& until) noexcept;
    int (*unlock)(pthread_mutex_t* mutex) noexcept;
};
extern const robust_table* robust;

inline bool is_robust(const pthread_mutex_t* mutex) noexcept { return (mutex->__data.__kind & robust_kind) != 0; }

}  // namespace halvm::libc
