// SPDX-License-Identifier: BSD-3-Clause
// pthread attributes that mean something for a fiber: its stack, the guard below it, and whether it is joined.
#include "libc/thread/thread.hpp"

#include <cerrno>
#include <new>

namespace {

constexpr std::size_t smallest_stack = 2048;
constexpr std::size_t largest_stack = std::size_t{1} << 30;

halvm::libc::thread_attributes& of(pthread_attr_t* attributes) noexcept {
    return *reinterpret_cast<halvm::libc::thread_attributes*>(attributes);
}

const halvm::libc::thread_attributes& of(const pthread_attr_t* attributes) noexcept {
    return *reinterpret_cast<const halvm::libc::thread_attributes*>(attributes);
}

}  // namespace

extern "C" {

int pthread_attr_init(pthread_attr_t* attributes) noexcept {
    *attributes = {};
    auto& standard = *new (attributes) halvm::libc::thread_attributes{};
    standard.stack = halvm::libc::standard_stack;
    standard.guard = halvm::libc::standard_guard;
    return 0;
}

int pthread_attr_destroy(pthread_attr_t* attributes) noexcept {
    halvm::libc::forget_attributes(attributes);
    return 0;
}

int pthread_attr_setstacksize(pthread_attr_t* attributes, std::size_t size) noexcept {
    if (size < smallest_stack || size > largest_stack)
        return EINVAL;
    of(attributes).stack = size;
    return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t* attributes, std::size_t* size) noexcept {
    *size = of(attributes).stack;
    return 0;
}

int pthread_attr_setguardsize(pthread_attr_t* attributes, std::size_t size) noexcept {
    of(attributes).guard = size;
    return 0;
}

int pthread_attr_getguardsize(const pthread_attr_t* attributes, std::size_t* size) noexcept {
    *size = of(attributes).guard;
    return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t* attributes, int state) noexcept {
    if (state != PTHREAD_CREATE_JOINABLE && state != PTHREAD_CREATE_DETACHED)
        return EINVAL;
    of(attributes).detached = state == PTHREAD_CREATE_DETACHED;
    return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t* attributes, int* state) noexcept {
    *state = of(attributes).detached != 0 ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE;
    return 0;
}
}
