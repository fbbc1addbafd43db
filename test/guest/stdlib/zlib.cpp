// SPDX-License-Identifier: BSD-3-Clause
// feature: Debian's static libraries, built with `_FORTIFY_SOURCE`: a round trip through zlib's libz.a
#include "report.hpp"

#include <string>

#include <zlib.h>

int halvm_main() {
    std::string text;
    for (unsigned i = 0; i != 20'000; ++i)
        text += "line " + std::to_string(i * i % 977) + '\n';

    std::string packed(compressBound(text.size()), '\0');
    uLongf packed_size = packed.size();
    HALVM_CHECK(compress2(reinterpret_cast<Bytef*>(packed.data()), &packed_size,
                          reinterpret_cast<const Bytef*>(text.data()), text.size(), 9) == Z_OK);
    HALVM_CHECK(packed_size < text.size() / 4);

    std::string back(text.size(), '\0');
    uLongf back_size = back.size();
    HALVM_CHECK(uncompress(reinterpret_cast<Bytef*>(back.data()), &back_size,
                           reinterpret_cast<const Bytef*>(packed.data()), packed_size) == Z_OK);
    HALVM_CHECK(back_size == text.size() && back == text);
    packed[20] = static_cast<char>(packed[20] ^ 1);
    HALVM_CHECK(uncompress(reinterpret_cast<Bytef*>(back.data()), &back_size,
                           reinterpret_cast<const Bytef*>(packed.data()), packed_size) == Z_DATA_ERROR);
    HALVM_CHECK(crc32(0, reinterpret_cast<const Bytef*>("123456789"), 9) == 0xcbf43926);
    return report::verdict("zlib");
}
