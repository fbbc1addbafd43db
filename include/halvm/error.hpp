// SPDX-License-Identifier: BSD-3-Clause
// What went wrong, and while doing what.
#pragma once

#include <string>
#include <system_error>

namespace halvm {

/// An error that the world can cause: a code and what was being attempted. A caller's own mistake is no error
/// but a broken contract (contract.hpp).
class error {
public:
    /// `attempted` says what failed, as in "bind the console's event channel"; it must outlive the error, which
    /// a string literal does.
    explicit error(std::error_code code, const char* attempted = "") noexcept : code_{code}, attempted_{attempted} {}

    [[nodiscard]] const std::error_code& code() const noexcept { return code_; }
    [[nodiscard]] const char* attempted() const noexcept { return attempted_; }

    /// "bind the console's event channel: Invalid argument".
    [[nodiscard]] std::string message() const {
        return *attempted_ == '\0' ? code_.message() : std::string{attempted_} + ": " + code_.message();
    }

    friend bool operator==(const error& left, const std::error_code& right) noexcept { return left.code_ == right; }

private:
    std::error_code code_;
    const char* attempted_;
};

}  // namespace halvm
