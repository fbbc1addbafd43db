// SPDX-License-Identifier: BSD-3-Clause
// feature: a buffer overflow that `_FORTIFY_SOURCE` sees in a library built with it
// status: panics
// detail: naming the call
#include <cstddef>

extern "C" char* __strcpy_chk(char* to, const char* from, std::size_t room) noexcept;

int halvm_main() {
    char small[4];
    const char* volatile text = "too long";
    return *__strcpy_chk(small, text, sizeof small);
}
