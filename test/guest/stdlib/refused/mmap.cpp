// SPDX-License-Identifier: BSD-3-Clause
// feature: `mmap`, `mprotect`, `sbrk`
// status: fails to link
// detail: mmap, mprotect, sbrk
#include <sys/mman.h>
#include <unistd.h>

int halvm_main() {
    void* const memory = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(memory, 4096, PROT_NONE) + (sbrk(4096) != nullptr);
}
