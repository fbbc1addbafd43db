// SPDX-License-Identifier: BSD-3-Clause
#include "core/domain.hpp"

#include "core/ending.hpp"

#include <algorithm>

namespace halvm::core {

domain_info domain;

void domain_info::set_command_line(std::string_view text) noexcept {
    const auto size = std::min(text.find('\0'), sizeof command_line - 1);
    std::copy_n(text.begin(), std::min(size, text.size()), command_line);
    take_token(command_line);
}

}  // namespace halvm::core
