// SPDX-License-Identifier: BSD-3-Clause
// A static site: the files of an archive, as a handler.
//
//   auto site = http::static_site::from_archive(ramdisk).value();
//   routes.otherwise([&](http::request& ask) { return site(ask); });
#pragma once

#include <halvm/http/archive.hpp>
#include <halvm/http/request.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace halvm::http {

/// Answers GET and HEAD. "/a/" is a/index.html; "/a", where that is there, redirects to it. A file NAME.gz beside NAME
/// goes to clients that take gzip. 404.html, where it is there, is the page of a 404. A target is looked up among the
/// files that are there, so none leads anywhere else.
class static_site {
public:
    /// `archive` must live as long as the site. Errors: read_archive(). Throws: std::bad_alloc.
    static result<static_site> from_archive(const_bytes archive, const archive_limits& limits = {});

    response operator()(request& ask) const;
    /// Whether it has something for the root.
    [[nodiscard]] bool has_index() const noexcept { return find("index.html") != nullptr; }
    [[nodiscard]] std::size_t files() const noexcept { return files_.size(); }

private:
    struct file {
        archived_file archived;
        std::string tag;
    };
    [[nodiscard]] const file* find(std::string_view name) const noexcept;
    [[nodiscard]] response missing() const;
    [[nodiscard]] response give(request& ask, const file& one) const;

    std::vector<file> files_;
};

/// By the name's ending; application/octet-stream for one that is not known.
[[nodiscard]] std::string_view media_type_of(std::string_view name) noexcept;

}  // namespace halvm::http
