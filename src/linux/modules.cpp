// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/modules.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace halvm {
namespace {

result<const_bytes> map(const char* name) {
    const auto refuse = [&](const char* attempted) {
        return failure{error{std::error_code{errno, std::generic_category()}, attempted, name}};
    };
    const int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return refuse("open the ramdisk");
    struct stat found {};
    const bool known = fstat(file, &found) == 0;
    const auto size = static_cast<std::size_t>(found.st_size);
    void* const memory = known && size != 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
    const int why = errno;
    close(file);
    errno = why;
    if (!known || memory == MAP_FAILED)
        return refuse("map the ramdisk");
    return const_bytes{static_cast<const std::byte*>(memory), size};
}

}  // namespace

result<std::span<const const_bytes>> modules() {
    static const result<const_bytes> found = [] {
        const char* const name = std::getenv("HALVM_RAMDISK");
        return name == nullptr || *name == '\0' ? const_bytes{} : map(name);
    }();
    if (!found)
        return failure(found.error());
    return std::span{&*found, found->empty() ? 0U : 1U};
}

}  // namespace halvm
