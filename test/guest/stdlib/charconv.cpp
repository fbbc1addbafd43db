// SPDX-License-Identifier: BSD-3-Clause
// feature: `<charconv>`, `std::strtod`, `printf` of floating-point numbers, `sscanf`
#include "report.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>

namespace {

template <class... Arguments>
std::string printed(const char* format, Arguments... arguments) {
    char text[400];
    return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, format, arguments...))};
}

template <class Number>
std::string shortest(Number number) {
    char text[80];
    return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

double parsed(std::string_view text) {
    double number = -1;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace

int halvm_main() {
    HALVM_CHECK(shortest(0.1) == "0.1" && shortest(1e300) == "1e+300" && shortest(5e-324) == "5e-324");
    HALVM_CHECK(shortest(-255) == "-255" &&
                shortest(std::numeric_limits<unsigned long long>::max()) == "18446744073709551615");
    HALVM_CHECK(parsed("0.1") == 0.1 && parsed("1e-5") == 1e-5 && parsed("inf") == HUGE_VAL);
    int number = 0;
    constexpr std::string_view too_big = "99999999999";
    HALVM_CHECK(std::from_chars(too_big.begin(), too_big.end(), number).ec == std::errc::result_out_of_range);

    HALVM_CHECK(printed("%f %.2e %g %a", 3.25, 12345.678, 1e-7, 1.0) == "3.250000 1.23e+04 1e-07 0x1p+0");
    HALVM_CHECK(printed("%.50f", 0.1) == "0.10000000000000000555111512312578270211815834045410");
    HALVM_CHECK(printed("%Lf %s %5d|%-5d|%05d %#x %zu %c %%", 2.5L, "text", 42, 42, 42, 255, sizeof(int), 'c') ==
                "2.500000 text    42|42   |00042 0xff 4 c %");
    HALVM_CHECK(printed("%2$d %1$d", 1, 2) == "2 1" && printed("%lld %hhd", -1LL, 300) == "-1 44");
    HALVM_CHECK(printed("%f %f", HUGE_VAL, std::nan("")) == "inf nan");

    char* end = nullptr;
    HALVM_CHECK(std::strtod("0x1.8p1rest", &end) == 3.0 && std::string_view{end} == "rest");
    HALVM_CHECK(std::strtod("2.2250738585072011e-308", nullptr) == 2.2250738585072011e-308);
    errno = 0;
    HALVM_CHECK(std::strtod("1e999", nullptr) == HUGE_VAL && errno == ERANGE);
    HALVM_CHECK(std::strtod("nothing", &end) == 0 && std::string_view{end} == "nothing");
    HALVM_CHECK(std::isnan(std::strtod("nan", nullptr)) && std::strtold("1e4000", nullptr) > 1e300L);
    errno = 0;
    HALVM_CHECK(std::strtol("-9999999999999999999", nullptr, 10) == std::numeric_limits<long>::min() &&
                errno == ERANGE);
    HALVM_CHECK(std::stoi("7f", nullptr, 16) == 0x7f && std::to_string(2.5) == "2.500000");
    HALVM_CHECK(report::throws<std::invalid_argument>([] { std::ignore = std::stod("x"); }));

    int day = 0;
    double price = 0;
    char word[8] = "";
    HALVM_CHECK(std::sscanf("17 items at 2.50", "%d %7s at %lf", &day, word, &price) == 3 && day == 17 && price == 2.5);
    HALVM_CHECK(std::sscanf("[abc]", "[%7[a-z]]", word) == 1 && std::string_view{word} == "abc");
    return report::verdict("charconv");
}
