// SPDX-License-Identifier: BSD-3-Clause
// A console that can only block.
#include <halvm/console.hpp>

struct blocking_console {
    blocking_console(blocking_console&&);
    blocking_console& operator=(blocking_console&&);
    halvm::result<void> write(halvm::const_bytes);
    halvm::result<std::size_t> read(halvm::bytes);
};
using rejected = halvm::text_console<blocking_console>;
