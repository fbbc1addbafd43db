// SPDX-License-Identifier: BSD-3-Clause
// What std::terminate() does: a panic that names the exception. libstdc++'s own handler would bring a demangler of
// 30 KiB; here the names come from the image's symbol table. run.cpp sees to it that this handler is linked, not that.
#include "core/panic.hpp"

#include <cxxabi.h>

#include <exception>
#include <typeinfo>

namespace {

[[noreturn]] void report_and_panic() {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    if (type == nullptr) halvm::core::panic("std::terminate() was called, without an exception");
    try {
        throw;
    } catch (const std::exception& exception) {
        halvm::core::panic("uncaught exception of type %s: %s", type->name(), exception.what());
    } catch (...) {
        halvm::core::panic("uncaught exception of type %s", type->name());
    }
}

}  // namespace

namespace __cxxabiv1 {

extern std::terminate_handler __terminate_handler;
std::terminate_handler __terminate_handler = report_and_panic;

}  // namespace __cxxabiv1
