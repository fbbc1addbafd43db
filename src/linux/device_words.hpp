// SPDX-License-Identifier: BSD-3-Clause
// The texts that give a process its devices: parts and words between dividers, of which `\` takes the meaning.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace halvm::process {

/// The parts of a text between `divider`s that no `\` stands before.
inline std::vector<std::string_view> divide(std::string_view text, char divider) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\') {
            ++at;
        } else if (text[at] == divider) {
            parts.push_back(text.substr(begin, at - begin));
            begin = at + 1;
        }
    }
    parts.push_back(text.substr(begin));
    return parts;
}

inline std::string without_escapes(std::string_view text) {
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        at += text[at] == '\\' && at + 1 < text.size() ? 1 : 0;
        plain += text[at];
    }
    return plain;
}

/// NAME=FILE; both are empty when it is not that.
struct named_file {
    std::string name;
    std::string path;
};
inline named_file read_named_file(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == text.size())
        return {};
    return {std::string{text.substr(0, equals)}, without_escapes(text.substr(equals + 1))};
}

}  // namespace halvm::process
