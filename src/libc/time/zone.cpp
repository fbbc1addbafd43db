// SPDX-License-Identifier: BSD-3-Clause
// The time zone is UTC, always: there is no file to read another from. These are the names under which musl's
// localtime, mktime and strftime ask.
#include <ctime>

extern "C" {

extern const char __utc[];
const char __utc[] = "UTC";

char* __tzname[2] = {const_cast<char*>(__utc), const_cast<char*>(__utc)};
long __timezone = 0;
int __daylight = 0;
[[gnu::alias("__tzname")]] extern char* tzname[2];
extern long timezone [[gnu::alias("__timezone")]];
extern int daylight [[gnu::alias("__daylight")]];

void tzset() noexcept {}

void __secs_to_zone(long long, int, int* is_summer, long* offset, long* other_offset, const char** name) {
    *is_summer = 0;
    *offset = 0;
    if (other_offset != nullptr)
        *other_offset = 0;
    *name = __utc;
}

const char* __tm_to_tzname(const std::tm* time) {
    // Only what this library filled in is known to have a name.
    return time->tm_zone == __utc ? __utc : "";
}
}
