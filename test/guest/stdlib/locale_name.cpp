// SPDX-License-Identifier: BSD-3-Clause
// feature: a locale other than "C" and "POSIX"
// status: throws
// detail: `std::runtime_error` from `std::locale`; `std::setlocale` returns null
#include "report.hpp"

#include <clocale>
#include <locale>
#include <stdexcept>

int halvm_main() {
    HALVM_CHECK(report::throws<std::runtime_error>([] { std::locale german{"de_DE.UTF-8"}; }));
    HALVM_CHECK(report::throws<std::runtime_error>([] { std::locale mixed{std::locale{}, "tlh", std::locale::time}; }));
    HALVM_CHECK(std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr);
    HALVM_CHECK(std::locale{}.name() == "C");
    return report::verdict("locale_name");
}
