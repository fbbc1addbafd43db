// SPDX-License-Identifier: BSD-3-Clause
// feature: wide characters and strings, `swprintf`; UTF-8 to UTF-16 by `std::filesystem::path`
#include "report.hpp"

#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <iomanip>
#include <sstream>
#include <string>

int halvm_main() {
    std::wstring text = L"wide";
    text += std::to_wstring(42);
    HALVM_CHECK(text == L"wide42" && std::wcslen(text.c_str()) == 6);
    wchar_t formatted[40];
    HALVM_CHECK(std::swprintf(formatted, 40, L"%ls %d %.2f", L"x", 7, 1.5) == 8 &&
                std::wcscmp(formatted, L"x 7 1.50") == 0);
    HALVM_CHECK(std::wcstol(L"0x20 rest", nullptr, 16) == 32 && std::wcstod(L"2.5", nullptr) == 2.5);

    std::wostringstream out;
    out << L"n=" << std::setw(4) << 12;
    HALVM_CHECK(out.str() == L"n=  12");
    std::wistringstream in{L"3.5 word"};
    double number = 0;
    std::wstring word;
    in >> number >> word;
    HALVM_CHECK(number == 3.5 && word == L"word");

    wchar_t wide[8];
    HALVM_CHECK(std::mbstowcs(wide, "abc", 8) == 3 && wide[2] == L'c');
    char narrow[8];
    HALVM_CHECK(std::wcstombs(narrow, L"abc", 8) == 3 && narrow[2] == 'c');
    HALVM_CHECK(std::filesystem::path{u8"gr\u00fcn"}.u16string() == u"gr\u00fcn");
    HALVM_CHECK(std::u32string{U"\U0001f600"}.size() == 1);
    return report::verdict("wide");
}
