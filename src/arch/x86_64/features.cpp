// SPDX-License-Identifier: BSD-3-Clause
#include "arch/x86_64/features.hpp"

#include "arch/x86_64/cpu.hpp"
#include "core/hypercall.hpp"

#include <cstring>

extern "C" const std::uint32_t __isa_note_begin[], __isa_note_end[];

namespace halvm::arch {

constinit cpu_features features;

namespace {

constexpr std::uint64_t cr4_fsgsbase = 1u << 16;  // [sdm3 2.5]
constexpr std::uint64_t cr4_osxsave = 1u << 18;

constexpr std::uint32_t leaf1_ecx_xsave = 1u << 26;
constexpr std::uint32_t leaf1_ecx_rdrand = 1u << 30;
constexpr std::uint32_t leaf7_ebx_fsgsbase = 1u << 0;
constexpr std::uint32_t leaf7_ebx_rdseed = 1u << 18;

constexpr std::uint32_t gnu_property_x86_isa_1_needed = 0xc0008002;  // [x86-64 psABI, program property]

/// The levels of the psABI, as bits of the property: 1 baseline, 2 x86-64-v2, 4 v3, 8 v4.
std::uint32_t needed_levels() noexcept {
    // An ELF note: three words of header, "GNU\0", then properties of type, size and data padded to 8 bytes.
    const std::uint32_t* word = __isa_note_begin;
    if (__isa_note_end - word < 4)
        return 0;
    const std::uint32_t* const end = word + 4 + word[1] / 4;
    for (word += 4; word + 2 < end && end <= __isa_note_end; word += 2 + (word[1] + 7) / 8 * 2)
        if (word[0] == gnu_property_x86_isa_1_needed)
            return word[2];
    return 0;
}

enum class cpuid_register { leaf1_ecx, leaf7_ebx, extended1_ecx };

struct needed_feature {
    const char* name;
    std::uint8_t level;
    cpuid_register where;
    std::uint8_t bit;
};

// What each level adds to the one below it. [x86-64 psABI, table 3.1]
constexpr needed_feature table[]{
    {"SSE3", 2, cpuid_register::leaf1_ecx, 0},          {"SSSE3", 2, cpuid_register::leaf1_ecx, 9},
    {"CMPXCHG16B", 2, cpuid_register::leaf1_ecx, 13},   {"SSE4.1", 2, cpuid_register::leaf1_ecx, 19},
    {"SSE4.2", 2, cpuid_register::leaf1_ecx, 20},       {"POPCNT", 2, cpuid_register::leaf1_ecx, 23},
    {"LAHF-SAHF", 2, cpuid_register::extended1_ecx, 0}, {"OSXSAVE", 4, cpuid_register::leaf1_ecx, 27},
    {"AVX", 4, cpuid_register::leaf1_ecx, 28},          {"FMA", 4, cpuid_register::leaf1_ecx, 12},
    {"MOVBE", 4, cpuid_register::leaf1_ecx, 22},        {"F16C", 4, cpuid_register::leaf1_ecx, 29},
    {"AVX2", 4, cpuid_register::leaf7_ebx, 5},          {"BMI1", 4, cpuid_register::leaf7_ebx, 3},
    {"BMI2", 4, cpuid_register::leaf7_ebx, 8},          {"LZCNT", 4, cpuid_register::extended1_ecx, 5},
    {"AVX512F", 8, cpuid_register::leaf7_ebx, 16},      {"AVX512DQ", 8, cpuid_register::leaf7_ebx, 17},
    {"AVX512CD", 8, cpuid_register::leaf7_ebx, 28},     {"AVX512BW", 8, cpuid_register::leaf7_ebx, 30},
    {"AVX512VL", 8, cpuid_register::leaf7_ebx, 31}};

}  // namespace

void enable_features() noexcept {
    const auto leaf1 = cpuid(1);
    const auto leaf7 = cpuid(7);
    features.xsave = (leaf1.ecx & leaf1_ecx_xsave) != 0;
    features.rdrand = (leaf1.ecx & leaf1_ecx_rdrand) != 0;
    features.fsgsbase = (leaf7.ebx & leaf7_ebx_fsgsbase) != 0;
    features.rdseed = (leaf7.ebx & leaf7_ebx_rdseed) != 0;

    if (features.xsave || features.fsgsbase)
        write_cr4(read_cr4() | (features.fsgsbase ? cr4_fsgsbase : 0) | (features.xsave ? cr4_osxsave : 0));
    // x87 and SSE are on already; only a CPU with more states, AVX first, has anything to turn on.
    if (features.xsave)
        if (const auto states = cpuid(0xd).eax & 0xe7; states != 3)
            xsetbv(0, states);
    reset_fpu();
}

const char* missing_feature() noexcept {
    const std::uint32_t levels = needed_levels() & ~1u;
    if (levels == 0)
        return nullptr;
    // A level includes those below it.
    const std::uint32_t needed = levels >= 8 ? 14 : levels >= 4 ? 6 : 2;
    const std::uint32_t present[]{cpuid(1).ecx, cpuid(7).ebx, cpuid(0x80000001).ecx};
    for (const auto& feature : table)
        if ((needed & feature.level) != 0 && (present[static_cast<int>(feature.where)] >> feature.bit & 1) == 0)
            return feature.name;
    return nullptr;
}

void set_fs_base(std::uintptr_t base) noexcept {
    if (features.fsgsbase)
        wrfsbase(base);
    else
        xen::hypercall::set_segment_base(SEGBASE_FS, base);
}

}  // namespace halvm::arch
