// SPDX-License-Identifier: BSD-3-Clause
// feature: what musl has in other structures than glibc's headers: `<regex.h>`, `<threads.h>`
// status: fails to link
// detail: mtx_init, regcomp, regexec
#include <regex.h>
#include <threads.h>

int halvm_main() {
    regex_t expression;
    mtx_t mutex;
    return regcomp(&expression, "a*", REG_EXTENDED) + regexec(&expression, "a", 0, nullptr, 0) +
           mtx_init(&mutex, mtx_plain);
}
