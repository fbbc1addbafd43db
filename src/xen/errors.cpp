// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/errors.hpp>

#include <array>
#include <cstddef>
#include <string>

namespace halvm::xen {
namespace {

// The two lists of numbers are one list, but for names that have gone out of use.
static_assert(XEN_EPERM == EPERM && XEN_EAGAIN == EAGAIN && XEN_ENOSYS == ENOSYS && XEN_EOPNOTSUPP == EOPNOTSUPP);

class hypercall_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "xen"; }
    std::string message(int value) const override { return std::generic_category().message(value); }
    std::error_condition default_error_condition(int value) const noexcept override {
        return {value, std::generic_category()};
    }
};

class grant_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "xen grant"; }
    std::string message(int value) const override {
        static constexpr std::array texts GNTTABOP_error_msgs;
        const auto at = static_cast<std::size_t>(-static_cast<long>(value));
        return at < texts.size() ? texts[at] : texts[1];
    }
    std::error_condition default_error_condition(int value) const noexcept override {
        switch (value) {
        case GNTST_eagain: return std::errc::resource_unavailable_try_again;
        case GNTST_permission_denied: return std::errc::permission_denied;
        case GNTST_no_space: return std::errc::no_space_on_device;
        default: return {value, *this};
        }
    }
};

}  // namespace

const std::error_category& hypercall_category() noexcept {
    static const hypercall_errors category;
    return category;
}

const std::error_category& grant_category() noexcept {
    static const grant_errors category;
    return category;
}

}  // namespace halvm::xen
