// SPDX-License-Identifier: BSD-3-Clause
// What the hypervisor says of itself. [xen/version.h]
#pragma once

#include <halvm/xen/platform.hpp>
#include <halvm/xen/privilege.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace halvm::xen::hypervisor {

struct number {
    unsigned major;
    unsigned minor;
    friend auto operator<=>(const number&, const number&) = default;
};

/// Who built it, how and when, as its makefile had it.
struct build {
    std::string compiler;
    std::string by;
    std::string domain;
    std::string date;
};

/// [xen/features.h: XENFEAT_*]
enum class feature : unsigned {
    writable_page_tables = XENFEAT_writable_page_tables,
    writable_descriptor_tables = XENFEAT_writable_descriptor_tables,
    auto_translated_physmap = XENFEAT_auto_translated_physmap,
    supervisor_mode_kernel = XENFEAT_supervisor_mode_kernel,
    pae_pgdir_above_4gb = XENFEAT_pae_pgdir_above_4gb,
    mmu_pt_update_preserve_ad = XENFEAT_mmu_pt_update_preserve_ad,
    highmem_assist = XENFEAT_highmem_assist,
    gnttab_map_avail_bits = XENFEAT_gnttab_map_avail_bits,
    hvm_callback_vector = XENFEAT_hvm_callback_vector,
    hvm_safe_pvclock = XENFEAT_hvm_safe_pvclock,
    hvm_pirqs = XENFEAT_hvm_pirqs,
    dom0 = XENFEAT_dom0,
    memory_op_vnode_supported = XENFEAT_memory_op_vnode_supported,
    linux_rsdp_unrestricted = XENFEAT_linux_rsdp_unrestricted,
    not_direct_mapped = XENFEAT_not_direct_mapped,
    direct_mapped = XENFEAT_direct_mapped,
};

namespace detail {

/// A text in an array of Xen's: up to its zero, or all of it.
template <std::size_t Size>
std::string text(const char (&array)[Size]) {
    return {array, std::find(array, array + Size, '\0')};
}

/// What Xen puts into a text that the domain may not read, instead of refusing.
inline constexpr const char denied[] = "<denied>";

template <Platform Domain, std::size_t Size>
result<std::string> ask(Domain& domain, const char* attempted, int command, char (&into)[Size]) {
    if (const long status = call(domain, __HYPERVISOR_xen_version, command, into); status < 0)
        return failure(privilege_error(status, attempted));
    auto said = text(into);
    if (said == denied)
        return failure(not_privileged(attempted));
    return said;
}

}  // namespace detail

/// As 4 and 17.
template <Platform Domain>
result<number> version(Domain& domain) noexcept {
    return checked_call(domain, "xen_version version", __HYPERVISOR_xen_version, XENVER_version, nullptr)
        .map([](long both) {
            return number{static_cast<unsigned>(both) >> 16, static_cast<unsigned>(both) & 0xffff};
        });
}

/// What follows the version, as ".7-pre".
template <Platform Domain>
result<std::string> extra_version(Domain& domain) {
    xen_extraversion_t into{};
    return detail::ask(domain, "xen_version extraversion", XENVER_extraversion, into);
}

/// The commit that it was built from, or what its distribution says instead.
template <Platform Domain>
result<std::string> changeset(Domain& domain) {
    xen_changeset_info_t into{};
    return detail::ask(domain, "xen_version changeset", XENVER_changeset, into);
}

/// The kinds of domain that it can start, separated by blanks: "xen-3.0-x86_64 hvm-3.0-x86_64".
template <Platform Domain>
result<std::string> capabilities(Domain& domain) {
    xen_capabilities_info_t into{};
    return detail::ask(domain, "xen_version capabilities", XENVER_capabilities, into);
}

/// Its command line. Errors: EPERM in a domain that is not privileged.
template <Platform Domain>
result<std::string> command_line(Domain& domain) {
    xen_commandline_t into{};
    return detail::ask(domain, "xen_version commandline", XENVER_commandline, into);
}

template <Platform Domain>
result<build> compile_info(Domain& domain) {
    xen_compile_info_t info{};
    if (const auto done =
            checked_call(domain, "xen_version compile_info", __HYPERVISOR_xen_version, XENVER_compile_info, &info);
        !done)
        return failure(done.error());
    return build{detail::text(info.compiler), detail::text(info.compile_by), detail::text(info.compile_domain),
                 detail::text(info.compile_date)};
}

/// Whether it has `wanted` for a domain of the caller's kind; one that this Xen has never heard of, it has not.
template <Platform Domain>
result<bool> has(Domain& domain, feature wanted) noexcept {
    const auto bit = static_cast<unsigned>(wanted);
    xen_feature_info_t info{.submap_idx = bit / 32, .submap = 0};
    const long status = call(domain, __HYPERVISOR_xen_version, XENVER_get_features, &info);
    if (status < 0 && status != -XEN_EINVAL)
        return failure(hypercall_error(status, "xen_version get_features"));
    return status == 0 && (info.submap >> bit % 32 & 1) != 0;
}

/// Where the addresses begin that Xen keeps for itself in a PV domain.
template <Platform Domain>
result<std::uintptr_t> address_space_begin(Domain& domain) noexcept {
    xen_platform_parameters_t parameters{};
    return checked_call(domain, "xen_version platform_parameters", __HYPERVISOR_xen_version, XENVER_platform_parameters,
                        &parameters)
        .map([&](long) { return parameters.virt_start; });
}

/// Of the machine's pages, in bytes.
template <Platform Domain>
result<std::size_t> machine_page_size(Domain& domain) noexcept {
    return checked_call(domain, "xen_version pagesize", __HYPERVISOR_xen_version, XENVER_pagesize, nullptr)
        .map([](long size) { return static_cast<std::size_t>(size); });
}

/// The hash by which its linker marked this very build. Errors: EPERM in a domain that is not privileged, ENODATA in
/// one that was linked without.
template <Platform Domain>
result<std::vector<std::byte>> build_id(Domain& domain) {
    constexpr auto attempted = "xen_version build_id";
    // Asked for no buffer it answers how long the hash is.
    const long size = call(domain, __HYPERVISOR_xen_version, XENVER_build_id, nullptr);
    if (size < 0)
        return failure(privilege_error(size, attempted));
    constexpr std::size_t begin = offsetof(xen_build_id_t, buf);
    std::vector<std::byte> answer(begin + static_cast<std::size_t>(size));
    const xen_build_id_t head{.len = static_cast<std::uint32_t>(size), .buf = {}};
    std::memcpy(answer.data(), &head.len, sizeof head.len);
    const long got = call(domain, __HYPERVISOR_xen_version, XENVER_build_id, answer.data());
    if (got < 0)
        return failure(privilege_error(got, attempted));
    answer.erase(answer.begin(), answer.begin() + begin);
    answer.resize(std::min(answer.size(), static_cast<std::size_t>(got)));
    return answer;
}

}  // namespace halvm::xen::hypervisor
