// SPDX-License-Identifier: BSD-3-Clause
// Where the unwinder finds the image's unwind table. libgcc asks _dl_find_object for every frame; without a true answer
// nothing is ever caught.
#include <dlfcn.h>

extern "C" {
extern unsigned char __image_begin[];
extern unsigned char __image_end[];
extern unsigned char __text_begin[];
extern unsigned char __text_end[];
extern unsigned char __eh_frame_hdr_begin[];

int _dl_find_object(void* address, dl_find_object* result) noexcept {
    if (address < __text_begin || address >= __text_end)
        return -1;
    *result = {};
    result->dlfo_map_start = __image_begin;
    result->dlfo_map_end = __image_end;
    result->dlfo_eh_frame = __eh_frame_hdr_begin;
    return 0;
}
}
