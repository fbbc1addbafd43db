// SPDX-License-Identifier: BSD-3-Clause
// What the toolstack says to the program.
#pragma once

#include <span>
#include <string_view>

namespace halvm {

/// The command line as given: the domain's (`extra=` in an xl configuration), or the words after the program's
/// name joined by blanks on Linux. Lives as long as the program.
std::string_view command_line() noexcept;

/// Its words, without the quotes: 'a b', "a b" and a\ b are one word each, and '' is an empty one.
/// Words of the form NAME=value are also what getenv() answers. The texts end in a zero and live as long as
/// the program.
std::span<const char* const> arguments() noexcept;

}  // namespace halvm
