// SPDX-License-Identifier: BSD-3-Clause
// A disk that two could own.
#include <halvm/model/block_tracer.hpp>

struct copyable_block {
    struct buffer {
        buffer(buffer&&);
        buffer& operator=(buffer&&);
        operator halvm::bytes() noexcept;
    };
    halvm::block_info info() const noexcept;
    halvm::result<buffer> allocate(std::size_t);
    halvm::result<void> transfer(std::span<halvm::block_request>);
};
using rejected = halvm::model::traced_block<copyable_block>;
