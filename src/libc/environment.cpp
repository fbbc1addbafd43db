// SPDX-License-Identifier: BSD-3-Clause
#include "libc/environment.hpp"

#include "core/heap.hpp"

#include <halvm/program.hpp>

#include <cstddef>

namespace halvm::libc {
namespace {

bool blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

}  // namespace

long next_word(std::string_view& line, char* into) noexcept {
    while (!line.empty() && blank(line.front()))
        line.remove_prefix(1);
    if (line.empty())
        return -1;
    char* to = into;
    char quote = '\0';
    while (!line.empty()) {
        char c = line.front();
        if (quote == '\0' && blank(c))
            break;
        line.remove_prefix(1);
        if (c == quote) {
            quote = '\0';
            continue;
        }
        if (quote == '\0' && (c == '\'' || c == '"')) {
            quote = c;
            continue;
        }
        const bool escapes =
            quote == '\0' || (quote == '"' && !line.empty() && (line.front() == '"' || line.front() == '\\'));
        if (c == '\\' && escapes && !line.empty()) {
            c = line.front();
            line.remove_prefix(1);
        }
        *to++ = c;
    }
    return to - into;
}

bool is_assignment(std::string_view word) noexcept {
    if (word.empty() || !letter(word.front()))
        return false;
    for (const char c : word) {
        if (c == '=')
            return true;
        if (!letter(c) && !(c >= '0' && c <= '9'))
            return false;
    }
    return false;
}

}  // namespace halvm::libc

std::span<const char* const> halvm::arguments() noexcept {
    static std::span<const char* const> all;
    static bool made = false;
    if (made)
        return all;
    made = true;

    // A word takes two bytes of the line at least, so there are at most half as many, and the text with a '\0' after
    // each word is at most one byte longer than the line.
    std::string_view line = command_line();
    const std::size_t most = (line.size() + 1) / 2;
    void* const memory = core::heap_allocate(most * sizeof(char*) + line.size() + 1);
    if (memory == nullptr)
        return all;
    auto** const first = static_cast<const char**>(memory);
    char* text = reinterpret_cast<char*>(first + most);
    std::size_t count = 0;
    for (long size; (size = libc::next_word(line, text)) >= 0; text += size + 1) {
        text[size] = '\0';
        first[count++] = text;
    }
    return all = {first, count};
}
