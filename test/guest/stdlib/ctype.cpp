// SPDX-License-Identifier: BSD-3-Clause
// feature: `<cctype>`, `<cwctype>`, the facets of `std::locale::classic()`
#include "report.hpp"

#include <cctype>
#include <clocale>
#include <cwctype>
#include <locale>
#include <sstream>

int halvm_main() {
    HALVM_CHECK(std::isalpha('x') && !std::isalpha('1') && std::isxdigit('f') && std::ispunct('!') &&
                !std::isalpha(0xe4));
    HALVM_CHECK(std::toupper('q') == 'Q' && std::tolower('Q') == 'q' && std::isspace('\v'));
    HALVM_CHECK(std::iswalpha(L'x') && std::towupper(L'q') == L'Q' && std::iswdigit(L'7'));

    const auto& facet = std::use_facet<std::ctype<char>>(std::locale::classic());
    HALVM_CHECK(facet.is(std::ctype_base::alnum, 'a') && !facet.is(std::ctype_base::digit, 'a'));
    HALVM_CHECK(facet.toupper('z') == 'Z' && facet.widen('c') == 'c' && facet.narrow('d', '?') == 'd');
    const auto& wide = std::use_facet<std::ctype<wchar_t>>(std::locale::classic());
    HALVM_CHECK(wide.is(std::ctype_base::upper, L'A') && wide.tolower(L'A') == L'a');
    HALVM_CHECK(std::use_facet<std::numpunct<char>>(std::locale::classic()).decimal_point() == '.');
    const char letters[] = "ab";
    const auto& order = std::use_facet<std::collate<char>>(std::locale::classic());
    HALVM_CHECK(order.compare(letters, letters + 1, letters + 1, letters + 2) < 0);

    HALVM_CHECK(std::setlocale(LC_ALL, "C") != nullptr && std::setlocale(LC_ALL, nullptr)[0] == 'C');
    HALVM_CHECK(std::setlocale(LC_ALL, "") != nullptr);
    HALVM_CHECK(std::localeconv()->decimal_point[0] == '.');
    HALVM_CHECK(std::locale{"C"}.name() == "C" && std::locale{"POSIX"}.name() == "C" && std::locale{""}.name() == "C");

    std::istringstream text{"1234 0x1f 2.5e3 true"};
    int whole = 0;
    int hex = 0;
    double real = 0;
    bool truth = false;
    text >> whole >> std::hex >> hex >> real >> std::boolalpha >> truth;
    HALVM_CHECK(text && whole == 1234 && hex == 0x1f && real == 2500 && truth);
    return report::verdict("ctype");
}
