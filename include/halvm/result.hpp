// SPDX-License-Identifier: BSD-3-Clause
// Either a value or the error that stood in its way; std::expected's shape.
#pragma once

#include <halvm/error.hpp>

#include <tl/expected.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <string_view>
#include <utility>

/// What value() throws: an exception whose what() is the error's message, which is what a program that nobody catches
/// it in ends with. Copying one cannot fail.
template <>
class tl::bad_expected_access<halvm::error> : public std::exception {
public:
    /// A message of more than 159 bytes is cut.
    explicit bad_expected_access(halvm::error reason) : error_{std::move(reason)} {
        std::size_t size = 0;
        error_.put_message(
            [&](std::string_view part) { size += part.copy(text_.data() + size, text_.size() - 1 - size); });
        text_[size] = '\0';
    }

    [[nodiscard]] const char* what() const noexcept override { return text_.data(); }

    [[nodiscard]] const halvm::error& error() const& noexcept { return error_; }
    [[nodiscard]] halvm::error& error() & noexcept { return error_; }
    [[nodiscard]] const halvm::error&& error() const&& noexcept { return std::move(error_); }
    [[nodiscard]] halvm::error&& error() && noexcept { return std::move(error_); }

private:
    halvm::error error_;
    std::array<char, 160> text_;
};

namespace halvm {

/// `value()` throws tl::bad_expected_access<error> when there is none.
template <class Value>
using result = tl::expected<Value, error>;

/// `return failure(error{...});` in a function that returns any result.
using failure = tl::unexpected<error>;

}  // namespace halvm
