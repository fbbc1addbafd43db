// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/errors.hpp>
#include <halvm/xen/privilege.hpp>

#include <doctest/doctest.h>

#include <climits>

namespace {

using namespace halvm;

TEST_CASE("xen errors: an errno of Xen's has the system's text, and equals the standard's of the same name") {
    const auto refused = xen::hypercall_error(-XEN_ENOSYS, "do it");
    CHECK(refused.message() == "do it: Function not implemented");
    CHECK(refused.code() == std::errc::function_not_supported);
    CHECK(refused.code() != std::errc::invalid_argument);
    CHECK(refused.code() != std::error_code{XEN_ENOSYS, std::system_category()});
    CHECK(xen::hypercall_error(-XEN_EAGAIN, "").code() == std::errc::resource_unavailable_try_again);
    CHECK(xen::hypercall_error(-XEN_EDOM, "").code() == std::errc::argument_out_of_domain);
    CHECK(std::string_view{xen::hypercall_category().name()} == "xen");
}

TEST_CASE("xen errors: each grant status has the text of Xen's header") {
    static constexpr const char* texts[] GNTTABOP_error_msgs;
    for (int status = GNTST_okay; status >= GNTST_no_space; --status)
        CHECK(xen::grant_category().message(status) == texts[-status]);
    CHECK(xen::grant_error(GNTST_bad_gntref, "map a grant").message() ==
          std::string{"map a grant: "} + texts[-GNTST_bad_gntref]);
}

TEST_CASE("xen errors: a grant status that Xen does not have is undefined, not a step outside the table") {
    const auto undefined = xen::grant_category().message(GNTST_general_error);
    for (const int status : {1, 17, INT_MAX, INT_MIN, GNTST_no_space - 10})
        CHECK(xen::grant_category().message(status) == undefined);
}

TEST_CASE("xen errors: grant statuses that have a counterpart equal it, others are themselves") {
    const auto code = [](int status) { return xen::grant_error(status, "").code(); };
    CHECK(code(GNTST_eagain) == std::errc::resource_unavailable_try_again);
    CHECK(code(GNTST_permission_denied) == std::errc::permission_denied);
    CHECK(code(GNTST_no_space) == std::errc::no_space_on_device);
    CHECK(code(GNTST_bad_domain) == std::error_code{GNTST_bad_domain, xen::grant_category()});
    CHECK(code(GNTST_bad_domain) != std::errc::permission_denied);
    CHECK(code(GNTST_bad_domain) != xen::hypercall_error(GNTST_bad_domain, "").code());
}

TEST_CASE("xen errors: a missing privilege is told apart from another refusal") {
    const auto refused = xen::privilege_error(-XEN_EPERM, "sysctl physinfo");
    CHECK(refused.message() == "sysctl physinfo: not permitted; this domain is not privileged");
    CHECK(refused.code() == std::errc::operation_not_permitted);
    CHECK(xen::privilege_error(-XEN_EINVAL, "sysctl physinfo").message() == "sysctl physinfo: Invalid argument");
}

TEST_CASE("xen errors: an interface of another version is named, whatever the two are") {
    CHECK(xen::other_interface("domctl", 0x1f, 0x15).message() ==
          "domctl: this Xen speaks interface version 0x1f, halvm was built for 0x15");
    CHECK(xen::other_interface("domctl", 1, 0xfff).message() ==
          "domctl: this Xen speaks interface version 0x1, halvm was built for 0xfff");
    CHECK(xen::other_interface("domctl", 0x16, 0x15).code() == std::errc::not_supported);
    CHECK(xen::other_interface("domctl", 0x16, 0x15).code() != std::errc::operation_not_permitted);
    // The harmless call is made with one version after the other, and stops where Xen listens.
    std::uint32_t tried = 0;
    const auto found = xen::versioned_error(-XEN_EACCES, "domctl", 0x15, [&](std::uint32_t version) {
        tried = version;
        return version == 0x17 ? -XEN_EPERM : -XEN_EACCES;
    });
    CHECK(tried == 0x17);
    CHECK(found.message() == "domctl: this Xen speaks interface version 0x17, halvm was built for 0x15");
}

}  // namespace
