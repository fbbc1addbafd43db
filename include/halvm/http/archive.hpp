// SPDX-License-Identifier: BSD-3-Clause
// A tar archive in memory, read where it lies: ustar, with the long names of pax and of GNU. [POSIX.1-2017 pax]
//
// It may be anyone's. What contradicts itself or goes beyond its end is an error, and so is a name that leads out
// of the archive; what is no file (a link, a device) is passed over.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/result.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace halvm::http {

/// A file of an archive; the content points into it.
struct archived_file {
    std::string name;  ///< without a slash at its front, and without "." parts
    const_bytes content{};
    std::chrono::sys_seconds modified{};
};

struct archive_limits {
    std::size_t files = 100'000;
    std::size_t name = 1024;
};

/// The files, sorted by name; of two with one name the later, as tar extracts them. An archive may end with zeros or
/// with its last member.
/// Errors: std::errc::invalid_argument for what is no tar archive; illegal_byte_sequence for one that is damaged, with
/// the offset of the damage; value_too_large at a limit; permission_denied for a name with ".." or a zero byte.
/// Throws: std::bad_alloc.
result<std::vector<archived_file>> read_archive(const_bytes archive, const archive_limits& limits = {});

}  // namespace halvm::http
