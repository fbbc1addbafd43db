// SPDX-License-Identifier: BSD-3-Clause
// Memory that a device hands out when it has none of its own kind.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/result.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace halvm {

/// Owns bytes that begin at a page's border.
class memory_buffer {
public:
    static constexpr std::size_t alignment = 4096;

    /// Zeroed. Errors: std::errc::not_enough_memory.
    static result<memory_buffer> make(std::size_t size) noexcept {
        auto* const memory = static_cast<std::byte*>(
            ::operator new (std::max<std::size_t>(size, 1), std::align_val_t{alignment}, std::nothrow));
        if (memory == nullptr)
            return failure(error{std::make_error_code(std::errc::not_enough_memory), "allocate a buffer"});
        std::fill_n(memory, size, std::byte{});
        return memory_buffer{memory, size};
    }

    operator bytes() noexcept { return {memory_.get(), size_}; }
    operator const_bytes() const noexcept { return {memory_.get(), size_}; }

private:
    struct release {
        void operator()(std::byte* memory) const noexcept { ::operator delete (memory, std::align_val_t{alignment}); }
    };

    memory_buffer(std::byte* memory, std::size_t size) noexcept : memory_{memory}, size_{size} {}

    std::unique_ptr<std::byte[], release> memory_;
    std::size_t size_;
};

}  // namespace halvm
