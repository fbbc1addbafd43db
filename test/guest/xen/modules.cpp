// SPDX-License-Identifier: BSD-3-Clause
// The module is there with every byte, and stays when all memory has been taken and written to. Its size is on the
// command line; its content is what ramdisk.py writes. With `attack` the program then writes to it.
#include "report.hpp"

#include "core/pages.hpp"

#include <halvm/program.hpp>
#include <halvm/xen/modules.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace core = halvm::core;

namespace {

/// The first byte that is not what ramdisk.py wrote, or the size.
std::size_t good_bytes(halvm::const_bytes module) {
    for (std::size_t at = 0; at < module.size(); ++at)
        if (static_cast<std::uint8_t>(module[at]) != static_cast<std::uint8_t>((at / 8 + 1) >> at % 8 * 8))
            return at;
    return module.size();
}

}  // namespace

int halvm_main() {
    const std::size_t size = std::strtoull(halvm::arguments()[0], nullptr, 10);
    const auto modules = halvm::xen::modules();
    HALVM_CHECK(modules.size() == (size == 0 ? 0 : 1));
    if (modules.empty())
        return report::verdict("modules");
    const auto module = modules.front();
    std::printf("%zu bytes\n", module.size());
    HALVM_CHECK(module.size() == size);
    HALVM_CHECK(good_bytes(module) == size);
    HALVM_CHECK(halvm::xen::modules().front().data() == module.data());

    const auto begin = reinterpret_cast<std::uintptr_t>(module.data());
    constexpr std::size_t page = 4096;
    std::uint64_t taken = 0, inside = 0;
    while (void* const memory = core::pages_allocate(page)) {
        const auto at = reinterpret_cast<std::uintptr_t>(memory);
        inside += at + page > begin && at < begin + size;
        std::memset(memory, 0xee, page);
        ++taken;
    }
    const auto all = core::pages_count();
    std::printf("%lu of %lu pages\n", taken, all.total);
    HALVM_CHECK(inside == 0);
    HALVM_CHECK(all.free == 0 && all.mapped == all.total);
    // What is missing is the module, the image, what the builder made, and page tables.
    HALVM_CHECK(taken + size / page + 700 + 2 * (all.total / 512) > all.total);
    HALVM_CHECK(good_bytes(module) == size);
    if (halvm::arguments().size() > 1 && halvm::arguments()[1] == std::string_view{"attack"})
        *const_cast<volatile std::byte*>(&module.back()) = std::byte{};
    return report::verdict("modules");
}
