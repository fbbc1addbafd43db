// SPDX-License-Identifier: BSD-3-Clause
#include "libc/stdio/console_line.hpp"

#include "core/console.hpp"

namespace halvm::libc {
namespace {

constexpr unsigned char end_of_input = 'D' - 0x40;
constexpr unsigned char backspace = 'H' - 0x40;
constexpr unsigned char kill_line = 'U' - 0x40;
constexpr unsigned char rubout = 0x7f;

bool continues_character(unsigned char byte) noexcept {  // in UTF-8
    return (byte & 0xc0) == 0x80;
}

bool visible(unsigned char byte) noexcept { return byte >= ' ' || byte == '\t' || byte == '\n'; }

unsigned char read_byte() noexcept {
    char byte;
    core::console_read(&byte, 1);
    return byte == '\r' ? '\n' : static_cast<unsigned char>(byte);
}

std::size_t without_last_character(const unsigned char* line, std::size_t size) noexcept {
    while (size != 0 && continues_character(line[--size])) {}
    core::console_write("\b \b", 3);
    return size;
}

}  // namespace

std::size_t read_console_line(std::span<unsigned char> line) noexcept {
    std::size_t size = 0;
    while (size != line.size()) {
        const unsigned char byte = read_byte();
        if (byte == end_of_input)
            break;
        if (byte == backspace || byte == rubout) {
            if (size != 0)
                size = without_last_character(line.data(), size);
        } else if (byte == kill_line) {
            while (size != 0)
                size = without_last_character(line.data(), size);
        } else {
            line[size++] = byte;
            const char echo = static_cast<char>(byte);
            if (visible(byte))
                core::console_write(&echo, 1);
            if (byte == '\n')
                break;
        }
    }
    return size;
}

}  // namespace halvm::libc
