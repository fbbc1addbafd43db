// SPDX-License-Identifier: BSD-3-Clause
// A console that can only block.
#include <halvm/console.hpp>

struct blocking_console {
    blocking_console(blocking_console&&);
    blocking_console& operator=(blocking_console&&);
    halvm::result<void> write(halvm::const_bytes, std::stop_token = {});
    halvm::result<std::size_t> read(halvm::bytes, std::stop_token = {});
};
using rejected = halvm::text_console<blocking_console>;
