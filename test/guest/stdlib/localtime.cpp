// SPDX-License-Identifier: BSD-3-Clause
// feature: `<ctime>`: `localtime` (UTC), `gmtime`, `mktime`, `strftime`
#include "report.hpp"

#include <ctime>
#include <iomanip>
#include <sstream>
#include <string>

namespace {

std::string formatted(const std::tm& time, const char* format) {
    char text[80];
    return {text, std::strftime(text, sizeof text, format, &time)};
}

}  // namespace

int halvm_main() {
    const std::time_t leap_day = 951782399;  // 2000-02-28 23:59:59
    std::tm utc = *std::gmtime(&leap_day);
    const std::tm local = *std::localtime(&leap_day);
    HALVM_CHECK(formatted(utc, "%F %T %a %j") == "2000-02-28 23:59:59 Mon 059");
    HALVM_CHECK(formatted(local, "%F %T %Z %z") == "2000-02-28 23:59:59 UTC +0000");
    HALVM_CHECK(local.tm_isdst == 0 && local.tm_gmtoff == 0);
    HALVM_CHECK(std::mktime(&utc) == leap_day);

    std::tm overflowing = {};
    overflowing.tm_year = 126;
    overflowing.tm_mon = 12;
    overflowing.tm_mday = 0;
    HALVM_CHECK(std::mktime(&overflowing) == 1798675200);
    HALVM_CHECK(formatted(overflowing, "%Y-%m-%d %A") == "2026-12-31 Thursday");
    HALVM_CHECK(std::string{std::asctime(std::gmtime(&leap_day))} == "Mon Feb 28 23:59:59 2000\n");

    std::ostringstream out;
    out << std::put_time(&local, "%d.%m.%Y %B");
    HALVM_CHECK(out.str() == "28.02.2000 February");
    std::istringstream in{"17/Nov/2026"};
    std::tm parsed = {};
    in >> std::get_time(&parsed, "%d/%b/%Y");
    HALVM_CHECK(in && parsed.tm_mday == 17 && parsed.tm_mon == 10 && parsed.tm_year == 126);

    tzset();
    HALVM_CHECK(timezone == 0 && daylight == 0 && std::string{tzname[0]} == "UTC");
    return report::verdict("localtime");
}
