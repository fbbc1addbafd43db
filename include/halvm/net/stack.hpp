// SPDX-License-Identifier: BSD-3-Clause
// A network stack: interfaces, addresses and routes, and the protocols that a program uses; none that it does not.
//
//   halvm::net::stack stack{halvm::open_nic().value()};
//   if (!stack.configure("10.0.0.2/24", "10.0.0.1"_ip))
//       return 1;
//   auto rtt = stack.ping("10.0.0.1"_ip, halvm::fiber::within(1s));
//
// It has no globals and knows no machine: frames come through NICs, time through the scheduler's clock, random numbers
// through a random_source. It belongs to one VCPU. Each call that waits blocks its fiber only. The stack has fibers of
// its own: one for its alarms, and two for each NIC.
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/device/packet_pool.hpp>
#include <halvm/net/arp.hpp>
#include <halvm/net/fixed_vector.hpp>
#include <halvm/net/icmpv4.hpp>
#include <halvm/net/interface.hpp>
#include <halvm/net/ipv4.hpp>
#include <halvm/net/limits.hpp>
#include <halvm/net/neighbours.hpp>
#include <halvm/net/random.hpp>
#include <halvm/net/routes.hpp>
#include <halvm/net/statistics.hpp>

#include <memory>
#include <string>
#include <vector>

namespace halvm::net {

class udp_layer;
class tcp_layer;
class dns_resolver;
class dhcp_client;
struct dhcp_lease;
struct dhcp_options;

/// A protocol that exists from its first use on, as long as its stack.
class stack_service {
public:
    stack_service() noexcept = default;
    stack_service(const stack_service&) = delete;
    stack_service& operator=(const stack_service&) = delete;
    virtual ~stack_service() = default;

private:
    friend class stack;
    const char* key_ = nullptr;
    stack_service* before_ = nullptr;
};

struct stack_options {
    stack_limits limits{};
    random_source* random = nullptr;  ///< system_random() when null; must outlive the stack
};

/// Where names are looked up, as it was configured by hand or by DHCP.
struct name_service {
    std::vector<ip_address> servers{};
    std::string domain{};  ///< tried behind names without a dot
};

struct ping_options {
    std::size_t size = 56;  ///< bytes of data
    std::uint8_t ttl = 64;
    bool may_be_fragmented = true;
};

class stack {
public:
    /// Without a NIC: reaches itself only. Throws: std::bad_alloc.
    explicit stack(const stack_options& options = {});
    template <NIC Device>
    explicit stack(Device nic, const stack_options& options = {}) : stack{options} {
        add(std::move(nic));
    }
    /// Pre: no call is under way, and what was made of it is gone: sockets.
    ~stack();
    stack(const stack&) = delete;
    stack& operator=(const stack&) = delete;

    /// Begins to receive. Pre: fewer than limits say are there. Throws: std::bad_alloc.
    template <NIC Device>
    interface& add(Device nic) {
        return add_port(std::make_unique<nic_port_of<Device>>(std::move(nic)));
    }
    /// 0 is the loopback interface, 1 the first NIC's. Pre: it is there.
    [[nodiscard]] interface& at(std::size_t number) noexcept { return *interfaces_[number]; }
    [[nodiscard]] std::size_t interfaces() const noexcept { return interfaces_.size(); }

    // --- configuration by hand

    /// Gives the first NIC an address, with a route to its network and, if there is a gateway, to everywhere. With
    /// `probes` it blocks until it is known that nobody else has the address. [rfc5227 2.1]
    /// Errors: std::errc::address_not_available for one that no host can have; address_in_use for one that is there,
    /// or that somebody answers for; network_unreachable for a gateway that is not on the link; no_buffer_space at a
    /// limit; no_such_device without a NIC; by the limit. Those about an address say which.
    result<void> configure(const interface_address& address, const std::optional<ip_address>& gateway = {},
                           bool probes = false, const fiber::wait_limit& limit = {});
    result<void> add_address(interface& to, const interface_address& address, bool probes = false,
                             const fiber::wait_limit& limit = {});
    /// With the routes that came with it. False when it was not there.
    bool remove_address(interface& from, const ip_address& address);
    /// Errors: network_unreachable for a gateway that is not on the interface's link; no_buffer_space at the limit.
    result<void> add_route(const route& one);
    template <class Which>
    std::size_t remove_routes(Which which) {
        changed();
        return routes_.remove_if(which);
    }
    [[nodiscard]] std::span<const route> routes() const noexcept { return routes_.all(); }

    /// How often an address of ours has come or gone, by hand or by DHCP. Whoever tells others where this host is waits
    /// for the next time: blocks until it is another number than `seen`, and says which.
    /// Errors: std::errc::timed_out and operation_canceled by the limit.
    [[nodiscard]] std::uint64_t address_changes() const noexcept { return address_changes_; }
    result<std::uint64_t> wait_for_addresses(std::uint64_t seen, const fiber::wait_limit& limit = {});

    /// What dns() uses. DHCP writes it with each lease.
    [[nodiscard]] struct name_service& name_service() noexcept { return name_service_; }

    // --- what programs use; each protocol is in the program's image only if it is named

    udp_layer& udp();
    tcp_layer& tcp();
    dns_resolver& dns();
    /// Blocks until the first NIC has an address from a server, and keeps it from then on.
    /// Errors: dhcp_client::start().
    result<dhcp_lease> dhcp(const fiber::wait_limit& limit = {});
    /// Blocks until the reply has come; how long that took.
    /// Errors: those of find_path() and ip_layer::send(); what ip_problem stands for; no_buffer_space when too many are
    /// under way; message_size for more than 65507 bytes; by the limit.
    result<std::chrono::nanoseconds> ping(const ip_address& to, const fiber::wait_limit& limit,
                                          const ping_options& options = {});

    [[nodiscard]] const stack_statistics& statistics() const noexcept { return statistics_; }

    // --- for protocols

    /// The way to a destination. `source` and `via` may be left open. Errors: std::errc::network_unreachable without a
    /// route; address_not_available when `source` is not ours, or nothing there is; network_down when there is no link;
    /// address_family_not_supported.
    result<path> find_path(const ip_address& destination, const ip_address& source = {}, interface* via = nullptr);
    /// Changes whenever a path may be another one.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
    void changed() noexcept { ++generation_; }
    [[nodiscard]] bool is_ours(const ip_address& address) const noexcept;

    result<void> send(const path& way, const ip_sending& how, packet payload);
    /// A packet that waited for its next hop in vain.
    void undeliverable(ip_family family, packet whole) {
        layers_[static_cast<std::size_t>(family)]->undeliverable(std::move(whole));
    }
    /// One handler a protocol, and as long as the stack. Pre: there is none; there are fewer than 8.
    void attach(ip_protocol protocol, ip_protocol_handler& by);
    [[nodiscard]] ip_protocol_handler* handler_of(ip_protocol protocol) const noexcept;
    void attach(wire::ethertype type, link_protocol_handler& by);
    void attach(ip_family family, ip_layer& by) noexcept { layers_[static_cast<std::size_t>(family)] = &by; }

    /// The service of this type, made at its first use.
    template <class Service>
    Service& service() {
        if (stack_service* const kept = find_service(&key_of<Service>))
            return static_cast<Service&>(*kept);
        return static_cast<Service&>(keep(&key_of<Service>, std::make_unique<Service>(*this)));
    }

    [[nodiscard]] const stack_limits& limits() const noexcept { return limits_; }
    [[nodiscard]] stack_statistics& counters() noexcept { return statistics_; }
    [[nodiscard]] random_source& random() noexcept { return random_; }
    [[nodiscard]] alarm_clock& alarms() noexcept { return alarms_; }
    [[nodiscard]] neighbour_cache& neighbours() noexcept { return neighbours_; }
    [[nodiscard]] arp_layer& arp() noexcept { return arp_; }
    [[nodiscard]] icmpv4_layer& icmpv4() noexcept { return icmpv4_; }
    [[nodiscard]] ipv4_layer& ipv4() noexcept { return ipv4_; }
    [[nodiscard]] interface& loopback() noexcept { return *interfaces_[0]; }
    /// Protocols are told once the frames have gone that wait now: ip_protocol_handler::room_made().
    void want_room() noexcept { room_wanted_ = true; }
    /// A packet to ourselves.
    void loop(packet whole);

    /// While one lives, what is sent is collected; all of it goes out when the last one ends.
    class batch {
    public:
        explicit batch(stack& own) noexcept : stack_{own} { ++own.batches_; }
        batch(const batch&) = delete;
        batch& operator=(const batch&) = delete;
        ~batch() {
            if (--stack_.batches_ == 0)
                stack_.flush();
        }

    private:
        stack& stack_;
    };

private:
    friend class interface;

    template <class Service>
    static constexpr char key_of = 0;
    static constexpr std::size_t most_protocols = 8;

    using service_loop = void (*)(void* of, const std::stop_token& stop);
    static fiber::handle<void> spawn(const char* name, service_loop loop, void* of);
    void addresses_changed() noexcept;
    interface& add_port(std::unique_ptr<nic_port> port);
    [[nodiscard]] stack_service* find_service(const char* key) const noexcept;
    stack_service& keep(const char* key, std::unique_ptr<stack_service> made) noexcept;
    interface* first_nic() noexcept {
        return interfaces_.size() > 1 ? interfaces_[1].get() : nullptr;
    }
    void input(interface& in, packet frame);
    void end_batch();
    void make_room();
    void let_others_read();
    void flush();
    void run(const std::stop_token& stop);
    result<packet> allocate_own(std::size_t size);

    stack_limits limits_;
    random_source& random_;
    stack_statistics statistics_;
    alarm_clock alarms_;
    fixed_vector<std::unique_ptr<interface>> interfaces_;
    route_table routes_;
    neighbour_cache neighbours_;
    std::array<ip_layer*, 2> layers_{};
    fixed_vector<std::pair<wire::ethertype, link_protocol_handler*>> link_protocols_{most_protocols};
    fixed_vector<std::pair<ip_protocol, ip_protocol_handler*>> protocols_{most_protocols};
    ipv4_layer ipv4_;
    arp_layer arp_;
    icmpv4_layer icmpv4_;
    std::optional<packet_pool> own_memory_;
    fixed_vector<packet> looped_;
    fixed_vector<packet> looping_;
    struct name_service name_service_;
    unsigned batches_ = 0;
    bool room_wanted_ = false;
    std::uint64_t generation_ = 1;
    std::uint64_t address_changes_ = 0;
    fiber::wait_queue address_waiting_{"a change of addresses", true};
    stack_service* services_ = nullptr;  // the last one first
    fiber::handle<void> fiber_;
};

}  // namespace halvm::net
