// SPDX-License-Identifier: BSD-3-Clause
// Writes tar archives, good and bad ones.
#pragma once

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace halvm::test {

struct tar {
    /// A member of this type; `stated` is the size that its header says, when that is not its own.
    tar& file(std::string_view name, std::string_view content, char type = '0', std::string_view prefix = {},
              std::optional<std::size_t> stated = {}) {
        std::string header(512, '\0');
        const auto put = [&](std::size_t at, std::string_view what) { header.replace(at, what.size(), what); };
        char digits[16];
        const auto octal = [&](unsigned long number) {
            std::snprintf(digits, sizeof digits, "%011lo", number);
            return std::string_view{digits};
        };
        put(0, name);
        put(100, "0000644");
        put(124, octal(stated.value_or(content.size())));
        put(136, octal(784111777));
        put(156, {&type, 1});
        put(257, std::string_view{"ustar\00000", 8});
        put(345, prefix);
        seal(header, 0);
        text += header;
        text += content;
        text.resize((text.size() + 511) / 512 * 512);
        return *this;
    }
    /// Makes the sum of the header at this place right.
    static void seal(std::string& in, std::size_t at) {
        in.replace(at + 148, 8, "        ");
        unsigned long sum = 0;
        for (const char one : std::string_view{in}.substr(at, 512))
            sum += static_cast<unsigned char>(one);
        char digits[16];
        std::snprintf(digits, sizeof digits, "%06lo", sum);
        in.replace(at + 148, 7, std::string_view{digits, 7});
    }
    [[nodiscard]] std::string end() const { return text + std::string(1024, '\0'); }

    std::string text;
};

}  // namespace halvm::test
