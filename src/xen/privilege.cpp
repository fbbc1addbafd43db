// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/privilege.hpp>

#include <cstdio>
#include <string>

namespace halvm::xen {
namespace {

// The values of the category: 1 is the missing privilege, every other one is two interface versions.
constexpr int no_privilege = 1;
constexpr unsigned version_bits = 12;
constexpr std::uint32_t version_mask = (1u << version_bits) - 1;
constexpr int versions = 1 << 2 * version_bits;

class privilege_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "xen privilege"; }
    std::string message(int value) const override {
        if (value == no_privilege)
            return "not permitted; this domain is not privileged";
        const auto spoken = static_cast<std::uint32_t>(value) & version_mask;
        const auto built_for = static_cast<std::uint32_t>(value) >> version_bits & version_mask;
        char text[128];
        if (spoken == 0)
            std::snprintf(
                text, sizeof text,
                "this Xen forbids it, or speaks another interface version than 0x%x, which halvm was built for",
                built_for);
        else
            std::snprintf(text, sizeof text, "this Xen speaks interface version 0x%x, halvm was built for 0x%x", spoken,
                          built_for);
        return text;
    }
    std::error_condition default_error_condition(int value) const noexcept override {
        return value == no_privilege ? std::errc::operation_not_permitted : std::errc::not_supported;
    }
};

}  // namespace

const std::error_category& privilege_category() noexcept {
    static const privilege_errors category;
    return category;
}

error not_privileged(const char* attempted) noexcept {
    return error{std::error_code{no_privilege, privilege_category()}, attempted};
}

error other_interface(const char* attempted, std::uint32_t spoken, std::uint32_t built_for) noexcept {
    const auto both = (built_for & version_mask) << version_bits | (spoken & version_mask);
    return error{std::error_code{versions | static_cast<int>(both), privilege_category()}, attempted};
}

error privilege_error(long status, const char* attempted) noexcept {
    return status == -XEN_EPERM ? not_privileged(attempted) : hypercall_error(status, attempted);
}

}  // namespace halvm::xen
