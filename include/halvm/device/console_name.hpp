// SPDX-License-Identifier: BSD-3-Clause
// What the consoles besides the first are called, on every machine: by a number from 1, and by a name when they have
// one, as `channel = [ "name=..." ]` of an xl configuration gives it.
#pragma once

#include <halvm/result.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace halvm {

struct console_name {
    std::string number;
    std::string name{};  ///< empty when it has none
};

/// The index of the console that `wanted` means among those: its name, or else its number.
/// Errors: std::errc::no_such_device, naming the consoles that there are, as in "1 (log) 2".
inline result<std::size_t> find_console(std::span<const console_name> consoles, std::string_view wanted) {
    for (std::size_t i = 0; i < consoles.size(); ++i)
        if (!wanted.empty() && consoles[i].name == wanted)
            return i;
    std::string all;
    for (std::size_t i = 0; i < consoles.size(); ++i) {
        const auto& [number, name] = consoles[i];
        if (number == wanted)
            return i;
        all += (i == 0 ? "" : " ") + number + (name.empty() ? "" : " (" + name + ")");
    }
    return failure(error{std::make_error_code(std::errc::no_such_device),
                         consoles.empty() ? "open a console: this machine has only its first"
                                          : "open a console: besides the first there are only",
                         all});
}

}  // namespace halvm
