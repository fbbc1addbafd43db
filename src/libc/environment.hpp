// SPDX-License-Identifier: BSD-3-Clause
// The domain's command line as words. A word ends at a blank; '...' takes everything as it is, "..." all but a
// backslash before " or \, a backslash outside quotes takes the next character as it is. '' is an empty word. A quote
// that is not closed ends with the line.
// The words themselves are halvm::arguments(), of <halvm/program.hpp>.
#pragma once

#include <string_view>

namespace halvm::libc {

/// Takes the first word off `line` and writes it to `into` with its quotes resolved, which never needs more bytes than
/// the word has in the line. Returns its size, or -1 when there is no word left.
long next_word(std::string_view& line, char* into) noexcept;

/// True for NAME=value: such a word is in the environment.
bool is_assignment(std::string_view word) noexcept;

}  // namespace halvm::libc
