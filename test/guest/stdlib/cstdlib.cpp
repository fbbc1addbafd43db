// SPDX-License-Identifier: BSD-3-Clause
// feature: `<cstring>`, `setjmp`, `rand`, `strerror`, `signal` and `raise`, `fmemopen`, `sysconf`
#include "report.hpp"

#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace {

std::jmp_buf back;
sigjmp_buf back_with_mask;
volatile int jumps = 0;
volatile std::sig_atomic_t handled = 0;

[[noreturn, gnu::noinline]] void jump() { std::longjmp(back, jumps + 1); }

int divide(int by) { return std::div(7, by).rem; }

}  // namespace

int halvm_main() {
    const int result = setjmp(back);
    if (result < 3) {
        jumps = result;
        jump();
    }
    HALVM_CHECK(result == 3 && jumps == 2);
    if (const int once = sigsetjmp(back_with_mask, 1); once == 0)
        siglongjmp(back_with_mask, 1);
    else
        HALVM_CHECK(once == 1);

    char text[32] = "one,two";
    char* rest = nullptr;
    HALVM_CHECK(std::string_view{strtok_r(text, ",", &rest)} == "one" && std::string_view{rest} == "two");
    HALVM_CHECK(std::strstr("haystack", "st") != nullptr && std::memcmp("abc", "abd", 3) < 0 &&
                strcasecmp("Xen", "xEN") == 0);
    HALVM_CHECK(std::string{std::strerror(ENOENT)} == "No such file or directory");
    char buffer[64];
    HALVM_CHECK(std::string{strerror_r(EACCES, buffer, sizeof buffer)} == "Permission denied");
    HALVM_CHECK(std::make_error_code(std::errc::timed_out).message() == std::strerror(ETIMEDOUT));
    HALVM_CHECK(std::string{basename("/a/b")} == "b" && divide(4) == 3 && std::abs(-3) == 3);
    std::srand(1);
    const int first = std::rand();
    std::srand(1);
    HALVM_CHECK(std::rand() == first && first >= 0);

    std::signal(SIGUSR1, [](int number) { handled = number; });
    HALVM_CHECK(std::raise(SIGUSR1) == 0 && handled == SIGUSR1);
    HALVM_CHECK(std::signal(SIGPIPE, SIG_IGN) == SIG_DFL && std::raise(SIGPIPE) == 0);

    std::FILE* const stream = fmemopen(buffer, sizeof buffer, "w+");
    HALVM_CHECK(stream != nullptr && std::fprintf(stream, "%d %s", 5, "words") == 7);
    std::rewind(stream);
    int number = 0;
    HALVM_CHECK(std::fscanf(stream, "%d %31s", &number, text) == 2 && number == 5 && std::string_view{text} == "words");
    HALVM_CHECK(std::fclose(stream) == 0);
    std::clearerr(stdin);
    HALVM_CHECK(std::fseek(stdout, 0, SEEK_SET) == -1 && errno == ESPIPE && isatty(1) == 1);
    HALVM_CHECK(sysconf(_SC_PAGESIZE) == 4096 && sysconf(_SC_NPROCESSORS_ONLN) == 1 && sysconf(_SC_PHYS_PAGES) > 0);
    return report::verdict("cstdlib");
}
