// SPDX-License-Identifier: BSD-3-Clause
// The names of virtual disks, on every machine: "xvda" to a person is 51712 to Xen. [docs: xen-vbd-interface.7]
#pragma once

#include <halvm/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace halvm {

/// The number of the disk that is called "xvdb", "xvda1", "sda" or "hdc", or by its number; nothing for another text.
constexpr std::optional<std::uint32_t> disk_number(std::string_view name) noexcept {
    const auto number = [](std::string_view digits) -> std::optional<std::uint32_t> {
        std::uint32_t value = 0;
        if (digits.empty() || digits.size() > 9 || (digits.size() > 1 && digits[0] == '0'))
            return std::nullopt;
        for (const char digit : digits) {
            if (digit < '0' || digit > '9')
                return std::nullopt;
            value = value * 10 + static_cast<std::uint32_t>(digit - '0');
        }
        return value;
    };
    if (const auto plain = number(name))
        return plain;
    const bool xvd = name.starts_with("xvd");
    const bool sd = name.starts_with("sd");
    if (!xvd && !sd && !name.starts_with("hd"))
        return std::nullopt;
    name.remove_prefix(xvd ? 3 : 2);
    // Disks count as spreadsheets do: a to z, then aa and so on.
    std::uint32_t index = 0;
    std::size_t letters = 0;
    for (; letters < name.size() && letters < 3 && name[letters] >= 'a' && name[letters] <= 'z'; ++letters)
        index = index * 26 + static_cast<std::uint32_t>(name[letters] - 'a') + 1;
    if (letters == 0)
        return std::nullopt;
    --index;
    std::uint32_t partition = 0;
    if (name.size() != letters) {
        const auto wanted = number(name.substr(letters));
        if (!wanted || *wanted == 0)
            return std::nullopt;
        partition = *wanted;
    }
    if (xvd && index < 16 && partition < 16)
        return 202u << 8 | index << 4 | partition;
    if (xvd && index < 1u << 20 && partition < 256)
        return 1u << 28 | index << 8 | partition;
    if (sd && index < 16 && partition < 16)
        return 8u << 8 | index << 4 | partition;
    if (!xvd && !sd && index < 4 && partition < 64)
        return (index < 2 ? 3u : 22u) << 8 | (index % 2) << 6 | partition;
    return std::nullopt;
}

/// "xvda" for 51712; the number itself where it has no name.
inline std::string disk_name(std::uint32_t number) {
    const auto called = [](const char* kind, std::uint32_t index, std::uint32_t partition) {
        std::string letters;
        for (std::uint32_t left = index + 1; left != 0; left = (left - 1) / 26)
            letters.insert(letters.begin(), static_cast<char>('a' + (left - 1) % 26));
        return kind + letters + (partition == 0 ? "" : std::to_string(partition));
    };
    if (number >> 28 == 1)
        return called("xvd", number >> 8 & 0xfffff, number & 0xff);
    switch (number >> 8) {
    case 202: return called("xvd", number >> 4 & 0xf, number & 0xf);
    case 8: return called("sd", number >> 4 & 0xf, number & 0xf);
    case 3: return called("hd", number >> 6 & 3, number & 0x3f);
    case 22: return called("hd", 2 + (number >> 6 & 3), number & 0x3f);
    default: return std::to_string(number);
    }
}

/// The index of the disk that `wanted` means among those called `names`: by its name or by its number.
/// Errors: std::errc::no_such_device, naming the disks that there are.
inline result<std::size_t> find_disk(std::span<const std::string> names, std::string_view wanted) {
    const auto number = disk_number(wanted);
    std::string all;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] == wanted || (number && disk_number(names[i]) == number))
            return i;
        all += (i == 0 ? "" : " ") + names[i];
    }
    return failure(error{std::make_error_code(std::errc::no_such_device),
                         names.empty() ? "open a disk: this machine has none" : "open a disk: there are only", all});
}

}  // namespace halvm
