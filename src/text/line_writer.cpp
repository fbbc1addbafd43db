// SPDX-License-Identifier: BSD-3-Clause
#include "text/line_writer.hpp"

#include <algorithm>

namespace halvm {

void line_writer::text(std::string_view add) noexcept {
    add = add.substr(0, buffer_.size() - 1 - size_);
    std::copy(add.begin(), add.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += add.size();
}

void line_writer::text(const char* add) noexcept { text(std::string_view{add}); }

void line_writer::number(std::uint64_t value, unsigned base, std::string_view prefix, std::size_t digits) noexcept {
    std::array<char, 20> reversed;
    std::size_t count = 0;
    do {
        reversed[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || count < digits);
    text(prefix);
    while (count != 0)
        text({&reversed[--count], 1});
}

void line_writer::format(const char* format, std::va_list arguments) noexcept {
    for (; *format != '\0'; ++format) {
        if (*format != '%') {
            text({format, 1});
            continue;
        }
        const bool wide = *++format == 'l' || *format == 'z';
        if (wide)
            ++format;
        switch (*format) {
        case 's': {
            const char* string = va_arg(arguments, const char*);
            text(string == nullptr ? "(null)" : string);
            break;
        }
        case 'c': {
            const char one = static_cast<char>(va_arg(arguments, int));
            text({&one, 1});
            break;
        }
        case 'd': {
            const long value = wide ? va_arg(arguments, long) : va_arg(arguments, int);
            text(value < 0 ? "-" : "");
            decimal(value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value));
            break;
        }
        case 'u': decimal(wide ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned)); break;
        case 'x': number(wide ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned), 16, "", 1); break;
        case 'p': hex(reinterpret_cast<std::uint64_t>(va_arg(arguments, void*))); break;
        case '\0': return;
        default: text({format, 1});
        }
    }
}

}  // namespace halvm
