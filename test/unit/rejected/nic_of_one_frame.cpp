// SPDX-License-Identifier: BSD-3-Clause
// An interface that takes one frame at a time.
#include <halvm/model/nic_tracer.hpp>

struct nic_of_one_frame {
    nic_of_one_frame(nic_of_one_frame&&);
    nic_of_one_frame& operator=(nic_of_one_frame&&);
    halvm::nic_info info() const noexcept;
    halvm::nic_statistics statistics() const noexcept;
    halvm::result<halvm::packet> allocate(std::size_t);
    halvm::result<std::size_t> receive(std::span<halvm::packet>, std::stop_token);
    std::size_t try_transmit(halvm::packet&);
    halvm::result<void> transmit(std::span<halvm::packet>, std::stop_token);
};
using rejected = halvm::model::traced_nic<nic_of_one_frame>;
