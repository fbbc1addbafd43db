// SPDX-License-Identifier: BSD-3-Clause
// What went wrong, and while doing what.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace halvm {

/// An error that the world can cause: a code, what was being attempted, and on what. A caller's own mistake is no error
/// but a broken contract (contract.hpp). Making and copying one allocates nothing and cannot fail.
class error {
public:
    /// As much of the end of a subject as an error keeps.
    static constexpr std::size_t subject_room = 46;

    /// `attempted` says what failed, as in "bind the console's event channel"; it must outlive the error, which
    /// a string literal does.
    explicit error(std::error_code code, const char* attempted = "") noexcept : code_{code}, attempted_{attempted} {}

    /// The same with numbers, which stand in the message for each "{}", in their order.
    error(std::error_code code, const char* attempted, std::uint32_t first, std::uint32_t second = 0) noexcept
        : code_{code}, attempted_{attempted}, about_{about::numbers} {
        numbers_ = {first, second};
    }

    /// The same done to one of many things with names: a path. The name is copied; of one that is longer than
    /// subject_room, its end, where paths differ, after "...".
    error(std::error_code code, const char* attempted, std::string_view subject) noexcept
        : code_{code}, attempted_{attempted}, about_{about::subject} {
        constexpr std::string_view cut = "...";
        char* out = subject_.data();
        if (subject.size() > subject_room) {
            out = std::copy(cut.begin(), cut.end(), out);
            subject.remove_prefix(subject.size() - (subject_room - cut.size()));
        }
        *std::copy(subject.begin(), subject.end(), out) = '\0';
    }

    [[nodiscard]] const std::error_code& code() const noexcept { return code_; }
    /// As it was given, without its numbers.
    [[nodiscard]] const char* attempted() const noexcept { return attempted_; }
    /// Empty when there was none; may be cut.
    [[nodiscard]] std::string_view subject() const noexcept {
        return about_ == about::subject ? std::string_view{subject_.data()} : std::string_view{};
    }

    /// "bind to port 7 of domain 2: Invalid argument", "XenStore: read domid: Permission denied".
    [[nodiscard]] std::string message() const {
        std::string text;
        put_message([&](std::string_view part) { text += part; });
        return text;
    }

    /// The same in parts, in their order, for whoever has a place for it: calls `put` with std::string_views.
    template <class Put>
    void put_message(Put put) const {
        std::string_view rest{attempted_};
        if (about_ == about::numbers)
            for (const auto number : numbers_) {
                const auto place = rest.find("{}");
                if (place == std::string_view::npos)
                    break;
                std::array<char, 10> digits;
                const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
                put(rest.substr(0, place));
                put(std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())});
                rest.remove_prefix(place + 2);
            }
        put(rest);
        if (!subject().empty()) {
            put(rest.empty() ? "" : " ");
            put(subject());
        }
        put(*attempted_ == '\0' && subject().empty() ? "" : ": ");
        put(code_.message());
    }

    friend bool operator==(const error& left, const std::error_code& right) noexcept { return left.code_ == right; }

private:
    enum class about : char { nothing, numbers, subject };

    std::error_code code_;
    const char* attempted_;
    union {
        std::array<std::uint32_t, 2> numbers_;
        std::array<char, subject_room + 1> subject_;  // up to its zero
    };
    about about_ = about::nothing;
};

}  // namespace halvm
