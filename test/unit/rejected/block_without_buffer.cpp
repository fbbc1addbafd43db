// SPDX-License-Identifier: BSD-3-Clause
// A disk that has no memory to give.
#include <halvm/model/block_tracer.hpp>

struct block_without_buffer {
    block_without_buffer(block_without_buffer&&);
    block_without_buffer& operator=(block_without_buffer&&);
    halvm::block_info info() const noexcept;
    halvm::result<void> transfer(std::span<halvm::block_request>);
};
using rejected = halvm::model::traced_block<block_without_buffer>;
