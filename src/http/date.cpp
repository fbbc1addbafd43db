// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/date.hpp>
#include <halvm/http/syntax.hpp>

#include <algorithm>

namespace halvm::http {
namespace {

using namespace std::chrono;

constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// Reads a date from left to right; what does not fit makes all of it none.
class date_reader {
public:
    explicit date_reader(std::string_view text) noexcept : rest_{text} {}

    void literal(std::string_view expected) noexcept {
        good_ = good_ && rest_.starts_with(expected);
        if (good_)
            rest_.remove_prefix(expected.size());
    }
    int number(std::size_t digits, bool may_begin_with_blank = false) noexcept {
        int value = 0;
        good_ = good_ && rest_.size() >= digits;
        for (std::size_t at = 0; good_ && at < digits; ++at) {
            const char one = rest_[at];
            if (may_begin_with_blank && at == 0 && one == ' ')
                continue;
            good_ = syntax::is(one, syntax::digit);
            value = value * 10 + (one - '0');
        }
        if (good_)
            rest_.remove_prefix(digits);
        return value;
    }
    /// Which of the words of three letters, from 0 on.
    int word(std::string_view words) noexcept {
        const std::size_t found = good_ && rest_.size() >= 3 ? words.find(rest_.substr(0, 3)) : std::string_view::npos;
        good_ = found != std::string_view::npos && found % 3 == 0;
        if (good_)
            rest_.remove_prefix(3);
        return static_cast<int>(found / 3);
    }
    void up_to(std::string_view end) noexcept {
        const std::size_t found = rest_.find(end);
        good_ = good_ && found != std::string_view::npos;
        if (good_)
            rest_.remove_prefix(found);
    }
    void time() noexcept {
        hour_ = number(2);
        literal(":");
        minute_ = number(2);
        literal(":");
        second_ = number(2);
    }
    [[nodiscard]] std::optional<sys_seconds> at(int year_number, int month_index, int day_number) const noexcept {
        const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_index + 1)},
                                  day{static_cast<unsigned>(day_number)}};
        if (!good_ || !rest_.empty() || !date.ok() || hour_ > 23 || minute_ > 59 || second_ > 60)
            return std::nullopt;
        return sys_days{date} + hours{hour_} + minutes{minute_} + seconds{second_};
    }

private:
    std::string_view rest_;
    bool good_ = true;
    int hour_ = 0, minute_ = 0, second_ = 0;
};

}  // namespace

date_text::date_text(sys_seconds when) noexcept {
    const auto midnight = floor<days>(when);
    const year_month_day date{midnight};
    const hh_mm_ss time{when - midnight};
    char* out = text_.data();
    const auto text = [&](std::string_view part) { out = std::copy(part.begin(), part.end(), out); };
    const auto number = [&](long value, int digits) {
        for (int at = digits; at-- > 0; value /= 10)
            out[at] = static_cast<char>('0' + value % 10);
        out += digits;
    };
    text(day_names.substr(weekday{midnight}.c_encoding() * 3, 3));
    text(", ");
    number(static_cast<long>(static_cast<unsigned>(date.day())), 2);
    text(" ");
    text(month_names.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
    text(" ");
    number(std::clamp(static_cast<int>(date.year()), 0, 9999), 4);
    text(" ");
    number(time.hours().count(), 2);
    text(":");
    number(time.minutes().count(), 2);
    text(":");
    number(time.seconds().count(), 2);
    text(" GMT");
}

std::optional<sys_seconds> parse_date(std::string_view text) noexcept {
    {  // Sun, 06 Nov 1994 08:49:37 GMT
        date_reader in{text};
        in.word(day_names);
        in.literal(", ");
        const int day = in.number(2);
        in.literal(" ");
        const int month = in.word(month_names);
        in.literal(" ");
        const int year = in.number(4);
        in.literal(" ");
        in.time();
        in.literal(" GMT");
        if (const auto when = in.at(year, month, day))
            return when;
    }
    {  // Sunday, 06-Nov-94 08:49:37 GMT
        date_reader in{text};
        in.word(day_names);
        in.up_to(", ");
        in.literal(", ");
        const int day = in.number(2);
        in.literal("-");
        const int month = in.word(month_names);
        in.literal("-");
        const int year = in.number(2);
        in.literal(" ");
        in.time();
        in.literal(" GMT");
        // A year that would be far in the future is one of the last century. [rfc9110 5.6.7]
        if (const auto when = in.at(year + (year < 70 ? 2000 : 1900), month, day))
            return when;
    }
    // Sun Nov  6 08:49:37 1994
    date_reader in{text};
    in.word(day_names);
    in.literal(" ");
    const int month = in.word(month_names);
    in.literal(" ");
    const int day = in.number(2, true);
    in.literal(" ");
    in.time();
    in.literal(" ");
    return in.at(in.number(4), month, day);
}

}  // namespace halvm::http
