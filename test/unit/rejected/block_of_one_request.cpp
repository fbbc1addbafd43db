// SPDX-License-Identifier: BSD-3-Clause
// A disk that is asked for one thing at a time.
#include <halvm/model/block_tracer.hpp>

struct block_of_one_request {
    struct buffer {
        buffer(buffer&&);
        buffer& operator=(buffer&&);
        operator halvm::bytes() noexcept;
    };
    block_of_one_request(block_of_one_request&&);
    block_of_one_request& operator=(block_of_one_request&&);
    halvm::block_info info() const noexcept;
    halvm::result<buffer> allocate(std::size_t);
    halvm::result<void> transfer(halvm::block_request&);
};
using rejected = halvm::model::traced_block<block_of_one_request>;
