// SPDX-License-Identifier: BSD-3-Clause
// Objects of the core that are made on first use, because that may be before the program's constructors run, and are
// kept until the domain ends, because its destructors may still use them.
#pragma once

#include <cstddef>
#include <new>

namespace halvm::core {

template <class Object>
class late {
public:
    /// `make()` returns the object.
    template <class Make>
    Object& get(Make make) noexcept {
        if (made_ == nullptr)
            made_ = new (storage_) Object(make());
        return *made_;
    }

private:
    Object* made_ = nullptr;
    alignas(Object) std::byte storage_[sizeof(Object)]{};
};

}  // namespace halvm::core
