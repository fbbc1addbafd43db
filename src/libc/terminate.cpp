// SPDX-License-Identifier: BSD-3-Clause
// What std::terminate() does: a panic that names the exception. libstdc++'s own handler would bring a demangler of
// 30 KiB; here the names come from the image's symbol table. run.cpp sees to it that this handler is linked, not that.
#include "core/panic.hpp"
#include "core/symbols.hpp"

#include <cxxabi.h>

#include <algorithm>

#include <exception>
#include <string_view>
#include <typeinfo>

namespace {

// The type as it is written in C++, or mangled where the image has no name for it.
class type_name {
public:
    explicit type_name(const std::type_info& type) noexcept {
        constexpr std::string_view prefix = "typeinfo for ";
        const auto found = halvm::core::find_symbol(reinterpret_cast<std::uintptr_t>(&type), {text_, sizeof text_ - 1});
        std::string_view name = found ? found->name : type.name();
        if (name.starts_with(prefix))
            name.remove_prefix(prefix.size());
        const std::size_t size = std::min(name.size(), sizeof text_ - 1);
        std::copy_n(name.data(), size, text_);
        text_[size] = '\0';
    }

    const char* c_str() const noexcept { return text_; }

private:
    char text_[160];
};

[[noreturn]] void report_and_panic() {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    if (type == nullptr)
        halvm::core::panic("std::terminate() was called, without an exception");
    const type_name name{*type};
    try {
        throw;
    } catch (const std::exception& exception) {
        halvm::core::panic("uncaught exception of type %s: %s", name.c_str(), exception.what());
    } catch (...) {
        halvm::core::panic("uncaught exception of type %s", name.c_str());
    }
}

}  // namespace

namespace __cxxabiv1 {

extern std::terminate_handler __terminate_handler;
std::terminate_handler __terminate_handler = report_and_panic;

}  // namespace __cxxabiv1
