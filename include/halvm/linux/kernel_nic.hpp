// SPDX-License-Identifier: BSD-3-Clause
// The NICs of a process: a TAP device, whose other end is an interface of the kernel's, or an interface of the kernel's
// itself, through a packet socket. Both speak in frames behind the header of virtio-net, so that checksums and segments
// are left to the kernel in both directions. [linux/if_tun.h] [linux/virtio_net.h] [packet(7)]
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/device/packet_pool.hpp>
#include <halvm/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace halvm::process {

struct kernel_nic_options {
    mac_address mac{};             ///< a TAP's; unspecified is a random local one. An interface has the kernel's
    std::uint16_t queues = 1;      ///< a TAP's; a frame is sent through the one that its flow_hash says
    bool receive_offloads = true;  ///< a TAP's; an interface's socket always gives what the kernel has joined
    packet_pool_shape memory{.large = 4096, .large_count = 1024, .small = 256, .small_count = 2048};
};

class kernel_nic {
public:
    /// The TAP device `name`, made if there is none of that name; empty lets the kernel choose one. It is set up if
    /// that is permitted; one that this made goes with it. Never blocks.
    /// Errors: what open(2) and ioctl(2) say of /dev/net/tun: permission_denied or operation_not_permitted without
    /// CAP_NET_ADMIN in the network namespace, for a device that is not the user's; std::errc::invalid_argument for a
    /// name of more than 15 bytes, or a device of another kind; not_enough_memory.
    static result<kernel_nic> open_tap(std::string_view name, const kernel_nic_options& options = {});
    /// The interface `name`, which the kernel goes on using itself. Never blocks.
    /// Errors: std::errc::no_such_device; operation_not_permitted without CAP_NET_RAW; as open_tap().
    static result<kernel_nic> open_interface(std::string_view name, const kernel_nic_options& options = {});

    kernel_nic(kernel_nic&&) noexcept;
    kernel_nic& operator=(kernel_nic&&) noexcept;
    ~kernel_nic();

    /// The interface's in the kernel, such as "tap0".
    [[nodiscard]] const std::string& name() const noexcept;

    [[nodiscard]] nic_info info() const noexcept;
    [[nodiscard]] nic_statistics statistics() const noexcept;
    result<packet> allocate(std::size_t size) noexcept;
    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop);
    /// The kernel has its own copy of what was taken, so that its memory is free again.
    std::size_t try_transmit(std::span<packet> frames);
    result<void> transmit(std::span<packet> frames, std::stop_token stop);

private:
    class device;
    explicit kernel_nic(std::shared_ptr<device> made) noexcept;

    std::shared_ptr<device> device_;
};
static_assert(NIC<kernel_nic>);

}  // namespace halvm::process
