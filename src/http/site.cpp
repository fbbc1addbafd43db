// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/content.hpp>
#include <halvm/http/router.hpp>
#include <halvm/http/site.hpp>
#include <halvm/text_sink.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace halvm::http {
namespace {

constexpr std::pair<std::string_view, std::string_view> types[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"tar", "application/x-tar"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
};

/// By the bytes alone, so that the same site built again has the same tags. [FNV-1a, 64 bits]
std::string tag_of(const_bytes content) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const std::byte one : content)
        hash = (hash ^ std::to_integer<std::uint64_t>(one)) * 0x100000001b3;
    std::array<char, 40> room;
    text_sink out{room};
    out.character('"');
    out.hex(content.size());
    out.character('-');
    out.hex(hash, 16);
    out.character('"');
    return std::string{out.view()};
}

/// The file's name for a path, decoded, without "." and ".." [rfc3986 5.2.4]; nothing for a path that has no name, or
/// that goes above the root.
std::optional<std::string> name_of_path(std::string_view path) {
    std::string decoded{path};
    const auto size = percent_decode(path, decoded);
    if (!size || !path.starts_with('/'))
        return std::nullopt;
    std::string_view rest = std::string_view{decoded}.substr(0, *size);
    std::string name;
    while (!rest.empty()) {
        rest.remove_prefix(1);
        const std::string_view part = rest.substr(0, rest.find('/'));
        rest.remove_prefix(part.size());
        if (part == "..") {
            if (name.empty())
                return std::nullopt;
            name.resize(name.rfind('/'));
        } else if (part != ".") {
            name.append("/").append(part);
            continue;
        }
        if (rest.empty())
            name += '/';
    }
    return name.substr(std::min<std::size_t>(1, name.size()));
}

}  // namespace

std::string_view media_type_of(std::string_view name) noexcept {
    const std::size_t dot = name.rfind('.');
    if (dot != std::string_view::npos)
        for (const auto& [ending, type] : types)
            if (same_word(name.substr(dot + 1), ending))
                return type;
    return "application/octet-stream";
}

result<static_site> static_site::from_archive(const_bytes archive, const archive_limits& limits) {
    auto files = read_archive(archive, limits);
    if (!files)
        return failure(files.error());
    static_site made;
    made.files_.reserve(files->size());
    for (archived_file& one : *files)
        made.files_.push_back({std::move(one), {}});
    for (file& one : made.files_)
        one.tag = tag_of(one.archived.content);
    return made;
}

const static_site::file* static_site::find(std::string_view name) const noexcept {
    const auto found =
        std::lower_bound(files_.begin(), files_.end(), name,
                         [](const file& one, std::string_view wanted) { return one.archived.name < wanted; });
    return found != files_.end() && found->archived.name == name ? &*found : nullptr;
}

response static_site::operator()(request& ask) const {
    const auto name = name_of_path(ask.path());
    if (!name)
        return response{status::bad_request};
    const file* found = nullptr;
    if (name->empty() || name->ends_with('/')) {
        found = find(*name + "index.html");
    } else {
        found = find(*name);
        if (found == nullptr && find(*name + "/index.html") != nullptr) {
            // The path as it was sent, so that what it means there is what it meant here.
            std::string where = std::string{ask.path()} + "/";
            where.erase(0, where.find_first_not_of('/') - 1);
            if (!ask.head().query.empty())
                where.append("?").append(ask.head().query);
            return std::move(response{status::moved_permanently}.set("Location", where));
        }
    }
    if (found == nullptr)
        return missing();
    if (ask.method() != method::get && ask.method() != method::head)
        return method_not_allowed(ask.method(), "GET, HEAD, OPTIONS");
    return give(ask, *found);
}

response static_site::give(request& ask, const file& one) const {
    const file* const packed = find(one.archived.name + ".gz");
    const bool sends_packed = packed != nullptr && accepts_encoding(ask.fields(), "gzip");
    const file& sent = sends_packed ? *packed : one;
    return answer_with(ask, {.content = sent.archived.content,
                             .type = media_type_of(one.archived.name),
                             .entity_tag = sent.tag,
                             .modified = sent.archived.modified,
                             .encoding = sends_packed ? "gzip" : "",
                             .varies = packed != nullptr});
}

response static_site::missing() const {
    response answer{status::not_found};
    if (const file* const page = find("404.html"))
        answer.type(media_type_of("404.html")).view(page->archived.content);
    return answer;
}

}  // namespace halvm::http
