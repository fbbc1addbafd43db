// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/dhcp.hpp>

#include <algorithm>
#include <array>

namespace halvm::net {

using namespace wire;
using std::chrono::seconds;

namespace {

constexpr std::array parameters{dhcpv4_option::subnet_mask,  dhcpv4_option::classless_routes, dhcpv4_option::routers,
                                dhcpv4_option::name_servers, dhcpv4_option::domain_name,      dhcpv4_option::mtu,
                                dhcpv4_option::renewal_time, dhcpv4_option::rebinding_time};
constexpr std::uint16_t greatest_reply = 1472;
constexpr std::size_t most_addresses = 8;

/// What a server's message says, checked.
struct reply {
    dhcpv4_type type;
    dhcp_lease lease;
};

/// A host name's characters only: the rest of the program prints it and asks for it.
bool is_name(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char one) {
        return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || (one >= '0' && one <= '9') || one == '-' ||
               one == '.' || one == '_';
    });
}

/// T1 and T2 as they are, unless they make no sense. [rfc2131 4.4.5]
void set_times(dhcp_lease& lease, const dhcpv4_view& message) noexcept {
    lease.time = message.lease_time().value_or(dhcpv4_seconds{});
    if (lease.time == dhcpv4_forever) {
        lease.renewal = lease.rebinding = dhcpv4_forever;
        return;
    }
    const std::uint32_t time = lease.time.count();
    lease.rebinding = message.rebinding_time().value_or(dhcpv4_seconds{time - time / 8});
    lease.renewal = message.renewal_time().value_or(dhcpv4_seconds{time / 2});
    if (lease.rebinding >= lease.time || lease.renewal > lease.rebinding) {
        lease.rebinding = dhcpv4_seconds{time - time / 8};
        lease.renewal = dhcpv4_seconds{time / 2};
    }
}

}  // namespace

class dhcp_client::exchange {
public:
    exchange(stack& own, interface& via, dhcp_options options)
        : stack_{own}, via_{via}, options_{std::move(options)}, address_{options_.known_address} {}
    ~exchange() { fiber_ = {}; }

    result<void> start() {
        auto socket = stack_.udp().bind({.port = dhcpv4_client_port, .via = &via_, .broadcast = true});
        if (!socket)
            return failure(socket.error());
        socket_ = std::move(*socket);
        fiber_ =
            fiber::spawn([this](std::stop_token stop) { run(std::move(stop)); }, {.name = "dhcp", .service = true});
        return {};
    }
    result<void> wait(const fiber::wait_limit& limit) {
        while (!lease_) {
            const fiber::wake how = fiber::this_scheduler().wait(waiting_, limit);
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, "get an address by DHCP");
        }
        return {};
    }
    void release() {
        fiber_ = {};
        if (lease_) {
            dhcpv4_message message = make(dhcpv4_type::release);
            message.client_address = lease_->address.address().v4();
            message.server_identifier = lease_->server;
            send_to_server(message);
        }
        drop_lease();
        state_ = dhcp_state::stopped;
    }

    [[nodiscard]] interface& via() const noexcept { return via_; }
    [[nodiscard]] dhcp_state state() const noexcept { return state_; }
    [[nodiscard]] const std::optional<dhcp_lease>& lease() const noexcept { return lease_; }

private:
    void run(std::stop_token stop) {
        stop_ = std::move(stop);
        while (!stop_.stop_requested()) {
            begin_ = alarm_clock::now();
            auto given = get();
            if (!given)
                continue;
            if (try_out(*given) && bind(std::move(*given)))
                keep();
        }
    }

    /// A lease that a server has confirmed; nothing when it must be begun anew.
    std::optional<dhcp_lease> get() {
        const configuring any_address{via_};
        if (address_) {
            state_ = dhcp_state::rebooting;
            dhcpv4_message message = make(dhcpv4_type::request);
            message.requested_address = std::exchange(address_, std::nullopt);
            if (auto given = request(message, 2))
                return given;
            if (stop_.stop_requested())
                return std::nullopt;
        }
        state_ = dhcp_state::selecting;
        std::optional<reply> offer;
        for (seconds timeout = options_.first_timeout; !offer;
             timeout = std::min(timeout * 2, options_.longest_timeout)) {
            if (stop_.stop_requested())
                return std::nullopt;
            // Each attempt is of the same exchange, so that a late answer counts. [rfc2131 4.1]
            dhcpv4_message message = make(dhcpv4_type::discover, timeout == options_.first_timeout);
            broadcast(message);
            offer = receive(jittered(timeout), [](const reply& one) { return one.type == dhcpv4_type::offer; });
        }
        state_ = dhcp_state::requesting;
        dhcpv4_message message = make(dhcpv4_type::request, false);
        message.requested_address = offer->lease.address.address().v4();
        message.server_identifier = offer->lease.server;
        return request(message, options_.request_attempts);
    }

    std::optional<dhcp_lease> request(dhcpv4_message& message, unsigned attempts) {
        const auto own = message.requested_address.value_or(message.client_address);
        const auto server = message.server_identifier;
        seconds timeout = options_.first_timeout;
        for (; attempts != 0 && !stop_.stop_requested(); --attempts, timeout *= 2) {
            message.seconds = elapsed();
            broadcast(message);
            auto answer = receive(jittered(timeout), [&](const reply& one) { return answers(one, own, server); });
            if (!answer)
                continue;
            if (answer->type == dhcpv4_type::ack)
                return std::move(answer->lease);
            ++stack_.counters().dhcp.naks;
            return std::nullopt;
        }
        return std::nullopt;
    }
    static bool answers(const reply& one, ipv4_address own, std::optional<ipv4_address> server) noexcept {
        if (server && one.lease.server != *server)
            return false;
        return one.type == dhcpv4_type::nak ||
               (one.type == dhcpv4_type::ack && one.lease.address.address() == ip_address{own});
    }

    /// Whether nobody else has it; else the server is told. [rfc2131 3.1.5]
    bool try_out(const dhcp_lease& given) {
        state_ = dhcp_state::trying;
        const ipv4_address own = given.address.address().v4();
        if (options_.probing.probes == 0 || stack_.is_ours(own))
            return true;
        const auto free = stack_.arp().probe(via_, own, options_.probing, stop_);
        if (free || stop_.stop_requested())
            return static_cast<bool>(free);
        dhcpv4_message message = make(dhcpv4_type::decline);
        message.requested_address = own;
        message.server_identifier = given.server;
        broadcast(message);
        ++stack_.counters().dhcp.declined;
        fiber::sleep(fiber::within(options_.decline_wait, stop_));
        return false;
    }

    bool bind(dhcp_lease given) {
        const bool same = lease_ && lease_->address == given.address;
        if (!same)
            drop_lease();
        else
            drop_routes();
        // One that cannot be used, by a limit of ours, is as good as none, but is not asked for again at once.
        if (!same && !stack_.add_address(via_, given.address)) {
            fiber::sleep(fiber::within(options_.decline_wait, stop_));
            return false;
        }
        for (route& one : given.routes) {
            one.via = &via_;
            static_cast<void>(stack_.add_route(one));
        }
        if (options_.uses_mtu && given.mtu)
            via_.limit_mtu(std::max<std::uint32_t>(*given.mtu, stack_.limits().least_path_mtu));
        stack_.name_service().servers = given.name_servers;
        stack_.name_service().domain = given.domain;
        lease_ = std::move(given);
        bound_at_ = alarm_clock::now();
        state_ = dhcp_state::bound;
        fiber::this_scheduler().signal_all(waiting_);
        return true;
    }

    /// Until the lease has ended, or is refused. [rfc2131 4.4.5]
    void keep() {
        for (;;) {
            if (!sleep_until(lease_->renewal))
                return;
            if (extend(dhcp_state::renewing, lease_->rebinding) ||
                (lease_ && extend(dhcp_state::rebinding, lease_->time)))
                continue;
            if (stop_.stop_requested())
                return;
            if (lease_)
                ++stack_.counters().dhcp.expired;
            drop_lease();
            return;
        }
    }
    /// True when there is a new lease; without any when the server has refused.
    bool extend(dhcp_state as, dhcpv4_seconds end) {
        state_ = as;
        begin_ = alarm_clock::now();
        const ipv4_address own = lease_->address.address().v4();
        dhcpv4_message message = make(dhcpv4_type::request);
        message.client_address = own;
        while (!stop_.stop_requested()) {
            const fiber::instant now = alarm_clock::now(), last = time_of(end);
            if (now >= last)
                return false;
            message.seconds = elapsed();
            if (as == dhcp_state::renewing)
                send_to_server(message);
            else
                broadcast(message);
            // Half of what is left, but not more often than each minute.
            const auto wait = std::chrono::nanoseconds{std::min(last - now, std::max((last - now) / 2, minute))};
            const auto server = as == dhcp_state::renewing ? std::optional{lease_->server} : std::nullopt;
            auto answer = receive(wait, [&](const reply& one) { return answers(one, own, server); });
            if (!answer)
                continue;
            if (answer->type == dhcpv4_type::ack) {
                ++stack_.counters().dhcp.renewed;
                return bind(std::move(answer->lease));
            }
            ++stack_.counters().dhcp.naks;
            drop_lease();
            return false;
        }
        return false;
    }

    static constexpr fiber::instant minute = 60'000'000'000;

    [[nodiscard]] fiber::instant time_of(dhcpv4_seconds after) const noexcept {
        return after == dhcpv4_forever ? fiber::never : bound_at_ + after.count() * fiber::instant{1'000'000'000};
    }
    bool sleep_until(dhcpv4_seconds after) { return fiber::sleep(fiber::wait_limit{time_of(after), stop_}); }
    [[nodiscard]] std::uint16_t elapsed() const noexcept {
        return static_cast<std::uint16_t>(
            std::min<fiber::instant>((alarm_clock::now() - begin_) / 1'000'000'000, 0xffff));
    }
    std::chrono::nanoseconds jittered(seconds time) noexcept {
        return time - seconds{1} + std::chrono::milliseconds{stack_.random().below(2001)};
    }

    void drop_routes() {
        stack_.remove_routes([this](const route& one) { return one.via == &via_ && one.origin == route_origin::dhcp; });
    }
    void drop_lease() {
        if (!lease_)
            return;
        drop_routes();
        stack_.remove_address(via_, lease_->address.address());
        via_.limit_mtu(0xffff'ffff);
        stack_.name_service() = {};
        lease_.reset();
    }

    dhcpv4_message make(dhcpv4_type type, bool anew = true) noexcept {
        if (anew)
            transaction_ = static_cast<std::uint32_t>(stack_.random().next());
        dhcpv4_message message{.type = type,
                               .transaction = transaction_,
                               .hardware_address = via_.info().mac,
                               .seconds = elapsed(),
                               .client_identifier = options_.client_identifier};
        if (type == dhcpv4_type::discover || type == dhcpv4_type::request) {
            message.maximum_size = greatest_reply;
            message.host_name = options_.host_name;
            message.parameter_list = parameters;
        }
        return message;
    }
    void broadcast(const dhcpv4_message& message) {
        send(message, {.via = &via_,
                       .source = message.client_address,
                       .destination = ipv4_address::broadcast(),
                       .next_hop = ipv4_address::broadcast(),
                       .mtu = via_.mtu(),
                       .cast = ip_cast::broadcast});
    }
    void send_to_server(const dhcpv4_message& message) {
        if (const auto way = stack_.find_path(lease_->server, message.client_address, &via_))
            send(message, *way);
    }
    void send(const dhcpv4_message& message, const path& way) {
        auto made = via_.allocate(message.size());
        if (!made)
            return;
        message.write(made->front());
        if (stack_.udp().send_through(way, {.may_be_fragmented = true}, dhcpv4_client_port, dhcpv4_server_port,
                                      std::move(*made)))
            ++stack_.counters().dhcp.sent;
    }

    template <class Wanted>
    std::optional<reply> receive(std::chrono::nanoseconds time, Wanted wanted) {
        const fiber::wait_limit limit{fiber::instant_after(time), stop_};
        for (;;) {
            const auto one = socket_->receive_from(limit);
            if (!one)
                return std::nullopt;
            if (auto said = read(*one); said && wanted(*said))
                return said;
        }
    }
    std::optional<reply> read(const datagram& one) {
        dhcp_statistics& counted = stack_.counters().dhcp;
        ++counted.received;
        std::vector<std::byte> message(std::min(one.payload.size(), dhcpv4_field::greatest_message));
        one.payload.copy_out(0, message);
        const auto view = dhcpv4_view::parse(message);
        if (!view || !view->is_reply() || one.remote.port != dhcpv4_server_port) {
            ++counted.bad_message;
            return std::nullopt;
        }
        if (view->transaction() != transaction_ || view->hardware_address() != via_.info().mac) {
            ++counted.not_ours;
            return std::nullopt;
        }
        reply said{.type = view->type(), .lease = {}};
        dhcp_lease& lease = said.lease;
        const auto server = view->server_identifier();
        if (said.type == dhcpv4_type::nak) {
            lease.server = server.value_or(ipv4_address{});
            return said;
        }
        const ipv4_address own = view->own_address();
        const unsigned length = view->prefix_length().value_or(24);
        set_times(lease, *view);
        const ip_prefix network{own, length};
        if (!server || lease.time.count() == 0 || !own.is_unicast() || own.is_loopback() ||
            (length <= 30 && (network.broadcast() == own || network.address() == ip_address{own}))) {
            ++counted.bad_message;
            return std::nullopt;
        }
        lease.address = interface_address{own, length};
        lease.server = *server;
        read_routes(lease, *view);
        const auto servers = view->name_servers();
        for (std::size_t at = 0; at < std::min(servers.size(), most_addresses); ++at)
            lease.name_servers.emplace_back(servers[at]);
        std::array<char, 253> room{};
        if (const auto domain = view->text(dhcpv4_option::domain_name, room); is_name(domain))
            lease.domain = domain;
        lease.mtu = view->mtu();
        return said;
    }
    static void read_routes(dhcp_lease& lease, const dhcpv4_view& message) {
        const auto add = [&](const ip_prefix& to, ipv4_address router) {
            if (lease.routes.size() < most_addresses)
                lease.routes.push_back({.destination = to, .gateway = router, .origin = route_origin::dhcp});
        };
        const auto classless = message.classless_routes();
        for (const dhcpv4_route one : classless)
            add(one.destination, one.router);
        // The others do not count then, not even for a default. [rfc3442]
        const auto routers = message.routers();
        if (classless.empty() && !routers.empty())
            add(ip_prefix{}, routers[0]);
        // Those on the link first, so that the others are reachable.
        std::stable_partition(lease.routes.begin(), lease.routes.end(),
                              [](const route& one) { return one.is_direct(); });
    }

    stack& stack_;
    interface& via_;
    dhcp_options options_;
    std::optional<ipv4_address> address_;
    std::optional<udp_socket> socket_;
    std::optional<dhcp_lease> lease_;
    dhcp_state state_ = dhcp_state::stopped;
    std::uint32_t transaction_ = 0;
    fiber::instant begin_ = 0;
    fiber::instant bound_at_ = 0;
    std::stop_token stop_;
    fiber::wait_queue waiting_{"a DHCP lease", true};
    fiber::handle<void> fiber_;
};

dhcp_client::dhcp_client(stack& own) : stack_{own} { static_cast<void>(own.udp()); }

dhcp_client::~dhcp_client() = default;

dhcp_client::exchange* dhcp_client::find(const interface& via) const noexcept {
    for (const auto& one : clients_)
        if (&one->via() == &via)
            return one.get();
    return nullptr;
}

result<dhcp_lease> dhcp_client::start(interface& via, const dhcp_options& options, const fiber::wait_limit& limit) {
    exchange* own = find(via);
    if (own == nullptr) {
        auto made = std::make_unique<exchange>(stack_, via, options);
        if (auto begun = made->start(); !begun)
            return failure(begun.error());
        clients_.push_back(std::move(made));
        own = clients_.back().get();
    }
    if (auto waited = own->wait(limit); !waited)
        return failure(waited.error());
    return *own->lease();
}

void dhcp_client::release(interface& via) {
    if (exchange* const own = find(via)) {
        own->release();
        std::erase_if(clients_, [&](const auto& one) { return one.get() == own; });
    }
}

dhcp_state dhcp_client::state(const interface& via) const noexcept {
    const exchange* const own = find(via);
    return own != nullptr ? own->state() : dhcp_state::stopped;
}

const dhcp_lease* dhcp_client::lease(const interface& via) const noexcept {
    const exchange* const own = find(via);
    return own != nullptr && own->lease() ? &*own->lease() : nullptr;
}

result<dhcp_lease> stack::dhcp(const fiber::wait_limit& limit) {
    interface* const via = first_nic();
    if (via == nullptr)
        return network_failure(std::errc::no_such_device, "get an address by DHCP");
    return service<dhcp_client>().start(*via, {}, limit);
}

}  // namespace halvm::net
