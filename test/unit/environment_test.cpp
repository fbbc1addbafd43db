// SPDX-License-Identifier: BSD-3-Clause
// A domain's command line as words.
#include "child.hpp"

#include "core/heap.hpp"
#include "libc/environment.hpp"

#include <halvm/program.hpp>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

std::string_view given_line;

}  // namespace

void* halvm::core::heap_allocate(std::size_t size, std::size_t) noexcept { return std::malloc(size); }
std::string_view halvm::command_line() noexcept { return given_line; }

namespace {

using words = std::vector<std::string>;

words words_of(std::string_view line) {
    words all;
    // As long as the line and no longer, so that the sanitizer sees a word that grows.
    const auto room = std::make_unique<char[]>(line.size() + 1);
    for (long size; (size = halvm::libc::next_word(line, room.get())) >= 0;)
        all.emplace_back(room.get(), static_cast<std::size_t>(size));
    return all;
}

TEST_CASE("command line: words end at blanks, quotes hold them together") {
    const struct {
        std::string_view line;
        words expected;
    } table[]{
        {"", {}},
        {" \t\n\r ", {}},
        {"one", {"one"}},
        {"  one  two\tthree ", {"one", "two", "three"}},
        {"'a b' c", {"a b", "c"}},
        {"\"a b\" c", {"a b", "c"}},
        {"a\\ b c", {"a b", "c"}},
        {"''", {""}},
        {"a '' b \"\"", {"a", "", "b", ""}},
        {"'a'\"b\"c", {"abc"}},
        {"x='a b'", {"x=a b"}},
        {R"('a\b"c')", {R"(a\b"c)"}},
        {R"("a\"b\\c\d'e")", {R"(a"b\c\d'e)"}},
        {R"(\'a\")", {R"('a")"}},
        {R"(\\)", {R"(\)"}},
        {"'never closed ", {"never closed "}},
        {"\"never closed", {"never closed"}},
        {"ends in \\", {"ends", "in", "\\"}},
        {"umlaut=\xc3\xa4 \xff", {"umlaut=\xc3\xa4", "\xff"}},
    };
    for (const auto& row : table) {
        CAPTURE(row.line);
        CHECK(words_of(row.line) == row.expected);
    }
}

std::string quoted(const std::string& word, unsigned style) {
    std::string text;
    if (style == 0) {
        for (const char c : word)
            text += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
        return "'" + text + "'";
    }
    for (const char c : word) {
        if (c == '"' || c == '\\' || style == 2)
            text += '\\';
        text += c;
    }
    return style == 1 ? "\"" + text + "\"" : text;
}

TEST_CASE("command line: any word survives being quoted in each of the three ways") {
    std::mt19937 random{11};
    const std::string_view alphabet = "ab \t'\"\\=x";
    for (int round = 0; round < 3000; ++round) {
        words expected(random() % 6);
        std::string line;
        for (std::string& word : expected) {
            const auto style = static_cast<unsigned>(random() % 3);
            word.resize(random() % 8 + (style == 2 ? 1 : 0));  // an empty word cannot be said with backslashes
            for (char& c : word)
                c = alphabet[random() % alphabet.size()];
            line += quoted(word, style) + " ";
        }
        CAPTURE(line);
        REQUIRE(words_of(line) == expected);
    }
}

TEST_CASE("command line: no line makes the words run out of their room") {
    std::mt19937 random{12};
    const std::string_view alphabet = "a '\"\\";
    for (int round = 0; round < 20'000; ++round) {
        std::string line(random() % 30, '\0');
        for (char& c : line)
            c = alphabet[random() % alphabet.size()];
        std::size_t total = 0;
        for (const std::string& word : words_of(line))
            total += word.size() + 1;
        CAPTURE(line);
        REQUIRE(total <= line.size() + 1);  // what arguments() allocates for their texts
    }
}

TEST_CASE("command line: arguments() are the words, each ended by a zero") {
    for (const std::string_view line : {"", "a", "a b", "one 'two words' '' NAME=value", "'' '' ''", "a  b "}) {
        CAPTURE(line);
        const auto end = halvm::test::in_child([line] {
            given_line = line;
            const auto expected = words_of(line);
            const auto all = halvm::arguments();
            return words{all.begin(), all.end()} == expected && halvm::arguments().data() == all.data() ? 0 : 1;
        });
        CHECK(end.errors == "");
        CHECK(end.exit_status == 0);
    }
}

TEST_CASE("environment: NAME=value is in it, and what only looks like it is not") {
    for (const std::string_view word : {"A=b", "_=", "a1_B=c=d", "PATH="})
        CHECK(halvm::libc::is_assignment(word));
    for (const std::string_view word : {"", "=", "=a", "A", "1A=b", "A-B=c", "A B=c", "a.b=c", "\xc3\xa4=1"})
        CHECK_FALSE(halvm::libc::is_assignment(word));
}

}  // namespace
