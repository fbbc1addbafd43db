// SPDX-License-Identifier: BSD-3-Clause
#include "device_words.hpp"

#include <halvm/device/disk_name.hpp>
#include <halvm/linux/disks.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

namespace halvm::process {
namespace {

failure refuse(std::string_view part) {
    return failure{error{std::make_error_code(std::errc::invalid_argument),
                         "read HALVM_DISKS: NAME=FILE[,ro][,sector=N][,cached] is wanted, not", part}};
}

bool read_option(std::string_view text, file_block_options& options) {
    constexpr std::string_view sector = "sector=";
    if (text == "ro")
        options.read_only = true;
    else if (text == "cached")
        options.direct = false;
    else if (text.starts_with(sector)) {
        const auto [end, wrong] = std::from_chars(text.begin() + sector.size(), text.end(), options.sector_size);
        return wrong == std::errc{} && end == text.end();
    } else
        return false;
    return true;
}

std::optional<disk_entry> parse_disk(std::string_view text) {
    const auto words = divide(text, ',');
    auto [name, path] = read_named_file(words[0]);
    if (name.empty())
        return std::nullopt;
    disk_entry one{.name = std::move(name), .path = std::move(path)};
    if (!std::all_of(words.begin() + 1, words.end(), [&](auto word) { return read_option(word, one.options); }))
        return std::nullopt;
    return one;
}

result<std::vector<disk_entry>> own_disks() {
    const char* const text = std::getenv("HALVM_DISKS");
    return parse_disks(text == nullptr ? "" : text);
}

std::vector<std::string> names_of(const std::vector<disk_entry>& entries) {
    std::vector<std::string> names;
    for (const auto& one : entries)
        names.push_back(one.name);
    return names;
}

}  // namespace

result<std::vector<disk_entry>> parse_disks(std::string_view text) {
    std::vector<disk_entry> entries;
    for (const auto part : divide(text, ':')) {
        if (part.empty())
            continue;
        auto one = parse_disk(part);
        if (!one || find_disk(names_of(entries), one->name))
            return refuse(part);
        entries.push_back(std::move(*one));
    }
    return entries;
}

result<std::vector<std::string>> disks() {
    const auto entries = own_disks();
    if (!entries)
        return failure(entries.error());
    return names_of(*entries);
}

result<file_block> open_disk(std::string_view name) {
    const auto entries = own_disks();
    if (!entries)
        return failure(entries.error());
    const auto found = find_disk(names_of(*entries), name);
    if (!found)
        return failure(found.error());
    const auto& one = (*entries)[*found];
    return file_block::open(one.path, one.options);
}

}  // namespace halvm::process
