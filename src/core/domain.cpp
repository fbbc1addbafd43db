// SPDX-License-Identifier: BSD-3-Clause
#include "core/domain.hpp"

#include <algorithm>

namespace halvm::core {

// The boot code fills it before constructors run, so it must not have one that runs.
constinit domain_info domain{};

void domain_info::set_command_line(std::string_view text) noexcept {
    constexpr std::string_view ours = "halvm.", token_is = "halvm.token=";
    text = text.substr(0, std::min(text.find('\0'), sizeof command_line - 1));
    char* out = command_line;
    while (!text.empty()) {
        // Ours are plain words; quotes are the program's business, and pass through with the blanks in them.
        const bool at_word = out == command_line || out[-1] == ' ';
        if (!at_word || !text.starts_with(ours)) {
            *out++ = text.front();
            text.remove_prefix(1);
            continue;
        }
        const auto word = text.substr(0, text.find(' '));
        if (word.starts_with(token_is)) {
            const auto value = word.substr(token_is.size(), sizeof token - 1);
            *std::copy(value.begin(), value.end(), token) = '\0';
        } else if (word == "halvm.banner") {
            banner = true;
        }
        text.remove_prefix(std::min(text.find_first_not_of(' ', word.size()), text.size()));
    }
    while (out != command_line && out[-1] == ' ')
        --out;
    *out = '\0';
}

}  // namespace halvm::core
