// SPDX-License-Identifier: BSD-3-Clause
// A console that two could own.
#include <halvm/console.hpp>

struct copyable_console {
    halvm::result<void> write(halvm::const_bytes);
    halvm::result<std::size_t> read(halvm::bytes);
    halvm::result<std::size_t> try_read(halvm::bytes);
};
using rejected = halvm::text_console<copyable_console>;
