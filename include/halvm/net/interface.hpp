// SPDX-License-Identifier: BSD-3-Clause
// One way to the network: a NIC with the addresses that we have there, and the frames that wait for it. Each stack also
// has one to itself, the loopback interface, which has no NIC.
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/net/alarm.hpp>
#include <halvm/net/fixed_vector.hpp>
#include <halvm/net/ip_prefix.hpp>
#include <halvm/net/wire/ethernet.hpp>

#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace halvm::net {

class stack;

/// A NIC of a type that the stack does not know.
class nic_port {
public:
    virtual ~nic_port() = default;
    [[nodiscard]] virtual nic_info info() const noexcept = 0;
    [[nodiscard]] virtual nic_statistics statistics() const noexcept = 0;
    virtual result<packet> allocate(std::size_t size) = 0;
    virtual result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) = 0;
    virtual std::size_t try_transmit(std::span<packet> frames) = 0;
    virtual result<void> transmit(std::span<packet> frames, std::stop_token stop) = 0;
};

template <NIC Device>
class nic_port_of final : public nic_port {
public:
    explicit nic_port_of(Device device) : device_{std::move(device)} {}
    [[nodiscard]] nic_info info() const noexcept override { return device_.info(); }
    [[nodiscard]] nic_statistics statistics() const noexcept override { return device_.statistics(); }
    result<packet> allocate(std::size_t size) override { return device_.allocate(size); }
    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) override {
        return device_.receive(frames, std::move(stop));
    }
    std::size_t try_transmit(std::span<packet> frames) override { return device_.try_transmit(frames); }
    result<void> transmit(std::span<packet> frames, std::stop_token stop) override {
        return device_.transmit(frames, std::move(stop));
    }

private:
    Device device_;
};

/// What an address is to an interface.
enum class address_role : std::uint8_t { foreign, own, broadcast };

class interface {
public:
    [[gnu::cold]] ~interface();
    interface(const interface&) = delete;
    interface& operator=(const interface&) = delete;

    /// 0 is the loopback interface; packets that were received say it in their metadata.
    [[nodiscard]] std::uint16_t number() const noexcept { return number_; }
    [[nodiscard]] bool is_loopback() const noexcept { return port_ == nullptr; }
    [[nodiscard]] const nic_info& info() const noexcept { return info_; }
    [[nodiscard]] nic_statistics statistics() const noexcept;
    /// Why the NIC failed, if it did: then the interface has no link.
    [[nodiscard]] const std::optional<error>& failed() const noexcept { return failed_; }
    [[nodiscard]] bool is_up() const noexcept { return info_.link_up && !failed_; }

    /// Bytes of an IP packet.
    [[nodiscard]] std::uint32_t mtu() const noexcept { return std::min(info_.mtu, mtu_limit_); }
    /// Not above the NIC's own; as DHCP asks for it.
    void limit_mtu(std::uint32_t most) noexcept;

    [[nodiscard]] std::span<const interface_address> addresses() const noexcept {
        return {addresses_.begin(), addresses_.size()};
    }
    /// One that all hosts of a network here listen to is the broadcast. [rfc922 7]
    [[nodiscard]] address_role role_of(ipv4_address address) const noexcept;
    [[nodiscard]] bool has(const ip_address& address) const noexcept;
    [[nodiscard]] bool is_broadcast(const ip_address& address) const noexcept {
        return address.is_v4() && role_of(address.v4()) == address_role::broadcast;
    }
    /// Ours to send from to a host on this link.
    [[nodiscard]] std::optional<ip_address> source_for(const ip_address& next_hop) const noexcept;

    /// While an address is being asked for, IPv4 packets to any address are taken. [rfc1122 3.3.1.6]
    [[nodiscard]] bool is_unnumbered() const noexcept { return configuring_ != 0; }

    /// A packet of `size` bytes that this interface sends without a copy. Never blocks.
    /// Errors: std::errc::not_enough_memory.
    result<packet> allocate(std::size_t size);

    /// Queues a packet, which gets its Ethernet header here; it goes out when the batch ends. Without room it is
    /// dropped and counted. Never blocks.
    void send(packet payload, const mac_address& destination, wire::ethertype type);
    [[nodiscard]] bool has_room() const noexcept;
    [[nodiscard]] std::size_t waiting_frames() const noexcept { return end_ - first_; }
    /// Whether the last look into the NIC found as many frames as it could take: there may be more.
    [[nodiscard]] bool may_have_more() const noexcept { return may_have_more_; }
    /// Blocks until there is room in the queue. Errors: std::errc::timed_out and operation_canceled by the limit.
    result<void> wait_for_room(const fiber::wait_limit& limit);

private:
    friend class stack;

    [[gnu::cold]] interface(stack& own, std::uint16_t number, std::unique_ptr<nic_port> port);
    [[gnu::cold]] void start();
    void stop() noexcept;
    void receive_frames(const std::stop_token& stop);
    [[gnu::cold]] void transmit_frames(const std::stop_token& stop);
    [[gnu::cold]] void refresh();
    [[gnu::cold]] void fail(const error& why);
    void flush();

    stack& stack_;
    std::uint16_t number_;
    std::unique_ptr<nic_port> port_;
    nic_info info_;
    std::uint32_t mtu_limit_ = 0xffff'ffff;
    std::optional<error> failed_;
    fixed_vector<interface_address> addresses_;
    unsigned configuring_ = 0;
    friend class configuring;

    // From first_ to end_ in memory of a fixed size.
    std::unique_ptr<packet[]> queue_;
    std::size_t room_for_ = 0;
    std::size_t first_ = 0;
    std::size_t end_ = 0;
    bool may_have_more_ = false;
    bool draining_ = false;
    fiber::wait_queue backlog_{"frames to send", true};
    fiber::wait_queue room_{"room in a network interface", true};
    fiber::handle<void> receiver_;
    fiber::handle<void> transmitter_;
};

/// As long as it lives, the interface is_unnumbered().
class configuring {
public:
    explicit configuring(interface& one) noexcept : one_{&one} { ++one_->configuring_; }
    configuring(const configuring&) = delete;
    configuring& operator=(const configuring&) = delete;
    ~configuring() { --one_->configuring_; }

private:
    interface* one_;
};

}  // namespace halvm::net
