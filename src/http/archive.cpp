// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/archive.hpp>
#include <halvm/http/syntax.hpp>

#include <algorithm>
#include <optional>

namespace halvm::http {
namespace {

constexpr std::size_t block = 512;

// [POSIX.1-2017 pax: ustar Interchange Format]
struct place {
    std::size_t offset;
    std::size_t size;
};
constexpr place name_field{0, 100}, size_field{124, 12}, time_field{136, 12}, sum_field{148, 8}, type_field{156, 1},
    magic_field{257, 5}, prefix_field{345, 155};

failure damaged(std::errc code, std::size_t offset) {
    return failure{
        error{std::make_error_code(code), "read a tar archive, at byte {}", static_cast<std::uint32_t>(offset)}};
}

std::string_view text_of(const_bytes header, place where) {
    const std::string_view all = as_text(header.subspan(where.offset, where.size));
    return all.substr(0, all.find('\0'));
}

/// Octal digits with blanks around them, or, with the first bit set, a number in base 256, as GNU writes a large one.
std::optional<std::uint64_t> number_of(const_bytes header, place where) {
    const const_bytes field = header.subspan(where.offset, where.size);
    std::uint64_t value = 0;
    if ((field[0] & std::byte{0x80}) != std::byte{}) {
        value = std::to_integer<std::uint64_t>(field[0] & std::byte{0x7f});
        for (const std::byte one : field.subspan(1)) {
            if (value >> 55 != 0)
                return std::nullopt;
            value = value << 8 | std::to_integer<std::uint64_t>(one);
        }
        return value;
    }
    std::string_view digits = text_of(header, where);
    while (!digits.empty() && digits.front() == ' ')
        digits.remove_prefix(1);
    while (!digits.empty() && digits.back() == ' ')
        digits.remove_suffix(1);
    for (const char one : digits) {
        if (one < '0' || one > '7')
            return std::nullopt;
        value = value << 3 | static_cast<std::uint64_t>(one - '0');
    }
    return value;
}

bool has_right_sum(const_bytes header) {
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < block; ++at)
        sum += at - sum_field.offset < sum_field.size ? ' ' : std::to_integer<std::uint64_t>(header[at]);
    return number_of(header, sum_field) == sum;
}

bool is_zero(const_bytes header) {
    return std::all_of(header.begin(), header.end(), [](std::byte one) { return one == std::byte{}; });
}

/// What an extended header says of the next member. Records are "LENGTH KEY=VALUE\n".
struct extended {
    std::optional<std::string> name{};
    std::optional<std::uint64_t> size{};
    std::optional<std::uint64_t> time{};

    bool take(std::string_view records) {
        while (!records.empty()) {
            const std::size_t blank = records.find(' ');
            std::uint64_t length = 0;
            if (blank == std::string_view::npos || !syntax::read_decimal(records.substr(0, blank), length) ||
                length <= blank + 1 || length > records.size() || records[static_cast<std::size_t>(length) - 1] != '\n')
                return false;
            const std::string_view record = records.substr(blank + 1, static_cast<std::size_t>(length) - blank - 2);
            const std::size_t equals = record.find('=');
            if (equals == std::string_view::npos)
                return false;
            const std::string_view key = record.substr(0, equals);
            const std::string_view value = record.substr(equals + 1);
            std::uint64_t number = 0;
            if (key == "path")
                name = value;
            else if (key == "size" && !syntax::read_decimal(value, size.emplace()))
                return false;
            else if (key == "mtime" && syntax::read_decimal(value.substr(0, value.find('.')), number))
                time = number;
            records.remove_prefix(static_cast<std::size_t>(length));
        }
        return true;
    }
};

/// Without what means nothing; nothing for a name that means another place.
std::optional<std::string> clean(std::string_view name) {
    std::string made;
    while (!name.empty()) {
        const std::string_view part = name.substr(0, name.find('/'));
        name.remove_prefix(std::min(part.size() + 1, name.size()));
        if (part == ".." || part.find('\0') != std::string_view::npos)
            return std::nullopt;
        if (part.empty() || part == ".")
            continue;
        made.append(made.empty() ? "" : "/").append(part);
    }
    return made;
}

}  // namespace

result<std::vector<archived_file>> read_archive(const_bytes archive, const archive_limits& limits) {
    std::vector<archived_file> files;
    extended next;
    std::size_t at = 0;
    while (at < archive.size()) {
        if (archive.size() - at < block)
            return damaged(at == 0 ? std::errc::invalid_argument : std::errc::illegal_byte_sequence, at);
        const const_bytes header = archive.subspan(at, block);
        if (is_zero(header)) {
            if (at == 0)
                return damaged(std::errc::invalid_argument, at);
            break;
        }
        if (!has_right_sum(header) || text_of(header, magic_field).substr(0, 5) != "ustar")
            return damaged(at == 0 ? std::errc::invalid_argument : std::errc::illegal_byte_sequence, at);
        const char type = static_cast<char>(header[type_field.offset]);
        const bool is_file = type == '0' || type == '\0' || type == '7';
        const auto stated = number_of(header, size_field);
        const auto time = number_of(header, time_field);
        const std::uint64_t size = is_file && next.size ? *next.size : stated.value_or(0);
        // A link, a device or a directory has none, whatever its size says.
        const bool has_data = type < '1' || type > '6';
        if (!stated || !time || (has_data && size > archive.size() - at - block))
            return damaged(std::errc::illegal_byte_sequence, at);
        const const_bytes data = archive.subspan(at + block, has_data ? static_cast<std::size_t>(size) : 0);
        at += block + (data.size() + block - 1) / block * block;
        at = std::min(at, archive.size());

        if (type == 'x' && !next.take(as_text(data)))
            return damaged(std::errc::illegal_byte_sequence, at);
        if (type == 'L')
            next.name = as_text(data).substr(0, as_text(data).find('\0'));
        if (type == 'x' || type == 'L' || type == 'g' || type == 'K')
            continue;
        if (is_file) {
            std::string name{text_of(header, name_field)};
            if (const std::string_view prefix = text_of(header, prefix_field);
                !prefix.empty() && header[262] == std::byte{})
                name = std::string{prefix} + "/" + name;
            const auto cleaned = clean(next.name.value_or(name));
            if (!cleaned)
                return damaged(std::errc::permission_denied, at);
            if (cleaned->size() > limits.name || files.size() == limits.files)
                return damaged(std::errc::value_too_large, at);
            // A year that no calendar of ours has is none.
            const auto seconds =
                static_cast<std::int64_t>(std::min<std::uint64_t>(next.time.value_or(*time), 253'402'300'799));
            if (!cleaned->empty() && !name.ends_with('/'))
                files.push_back({*cleaned, data, std::chrono::sys_seconds{std::chrono::seconds{seconds}}});
        }
        next = {};
    }
    if (archive.empty())
        return damaged(std::errc::invalid_argument, 0);
    std::stable_sort(files.begin(), files.end(),
                     [](const auto& one, const auto& other) { return one.name < other.name; });
    // The last of equals stays.
    const auto kept = std::unique(files.rbegin(), files.rend(),
                                  [](const auto& one, const auto& other) { return one.name == other.name; });
    files.erase(files.begin(), kept.base());
    return files;
}

}  // namespace halvm::http
