// SPDX-License-Identifier: BSD-3-Clause
// A thread_local variable is each fiber's own in a domain, and one for all of them here, because glibc's thread pointer
// cannot be changed at a switch. So a program that has any is told so, by name, from the symbols of its own file.
#include "fibers.hpp"

#include "fiber/report.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace halvm::process {
namespace {

bool has_thread_locals() noexcept {
    const std::span headers{reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR)), getauxval(AT_PHNUM)};
    return std::ranges::any_of(headers, [](const Elf64_Phdr& one) { return one.p_type == PT_TLS && one.p_memsz != 0; });
}

/// What a compiler makes, or a library that is linked statically has: libstdc++, which fiber_machine.hpp and
/// pthread_once() take care of, and the sanitizers.
bool of_library(std::string_view name) noexcept {
    static constexpr std::array<std::string_view, 9> beginnings{"_ZGV",
                                                                "__tls_guard",
                                                                "_ZSt15__once_callable",
                                                                "_ZSt11__once_call",
                                                                "_ZZN12_GLOBAL__N_110get_globalEvE6global",
                                                                "_ZN6__asan",
                                                                "_ZN6__tsan",
                                                                "_ZN6__lsan",
                                                                "_ZN11__sanitizer"};
    return std::ranges::any_of(beginnings, [name](std::string_view begin) { return name.starts_with(begin); });
}

std::string readable(const char* name) {
    int status = 0;
    char* const text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string found{text != nullptr ? text : name};
    std::free(text);
    return found;
}

/// The program's file, which the kernel has read: its headers are right.
std::string names_in(const std::byte* file) {
    std::string names;
    const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(file);
    const std::span sections{reinterpret_cast<const Elf64_Shdr*>(file + header.e_shoff), header.e_shnum};
    for (const Elf64_Shdr& section : sections) {
        if (section.sh_type != SHT_SYMTAB)
            continue;
        const auto* const text = reinterpret_cast<const char*>(file + sections[section.sh_link].sh_offset);
        const std::span symbols{reinterpret_cast<const Elf64_Sym*>(file + section.sh_offset),
                                section.sh_size / sizeof(Elf64_Sym)};
        for (const Elf64_Sym& one : symbols) {
            const char* const name = text + one.st_name;
            if (ELF64_ST_TYPE(one.st_info) == STT_TLS && one.st_shndx != SHN_UNDEF && !of_library(name))
                names += (names.empty() ? " " : ", ") + readable(name);
        }
        return names;
    }
    return " its symbols were stripped";
}

}  // namespace

void thread_locals_report() {
    if (!has_thread_locals())
        return;
    const int descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (descriptor < 0 || fstat(descriptor, &about) != 0)
        return;
    const auto size = static_cast<std::size_t>(about.st_size);
    void* const file = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    if (file == MAP_FAILED)
        return;
    const std::string names = names_in(static_cast<const std::byte*>(file));
    munmap(file, size);
    if (!names.empty())
        fiber::report_text("halvm: all fibers of a process share its thread_local variables:" + names + "\n");
}

}  // namespace halvm::process
