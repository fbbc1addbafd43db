// SPDX-License-Identifier: BSD-3-Clause
// DHCP messages for Ethernet, with the options that a client uses. An option may come in pieces, also in the places
// of the boot file's and server's names. [rfc2131] [rfc2132] [rfc3396] [rfc3442]
#pragma once

#include <halvm/net/ip_prefix.hpp>
#include <halvm/net/wire/fields.hpp>

#include <chrono>
#include <optional>

namespace halvm::net::wire {

/// [rfc2132 9.6]; others exist, and are views too.
enum class dhcpv4_type : std::uint8_t {
    discover = 1,
    offer = 2,
    request = 3,
    decline = 4,
    ack = 5,
    nak = 6,
    release = 7,
    inform = 8,
};

enum class dhcpv4_option : std::uint8_t {
    pad = 0,
    subnet_mask = 1,
    routers = 3,
    name_servers = 6,
    host_name = 12,
    domain_name = 15,
    mtu = 26,
    requested_address = 50,
    lease_time = 51,
    overload = 52,
    message_type = 53,
    server_identifier = 54,
    parameter_list = 55,
    message = 56,
    maximum_size = 57,
    renewal_time = 58,
    rebinding_time = 59,
    client_identifier = 61,
    classless_routes = 121,
    end = 255,
};

namespace dhcpv4_field {
inline constexpr std::size_t operation = 0, hardware = 1, hardware_size = 2, transaction = 4, seconds = 8, flags = 10,
                             client = 12, own = 16, server = 20, relay = 24, hardware_address = 28, server_name = 44,
                             file = 108, cookie = 236, options = 240;
inline constexpr std::uint8_t boot_request = 1, boot_reply = 2, ethernet = 1;
inline constexpr std::uint16_t broadcast = 0x8000;
inline constexpr std::uint32_t magic_cookie = 0x63825363;
/// What BOOTP's relays may insist on. [rfc1542 2.1]
inline constexpr std::size_t least_message = 300;
/// More than any client asks for. The limit keeps the walk over an option in many pieces short.
inline constexpr std::size_t greatest_message = 4096;
}  // namespace dhcpv4_field

inline constexpr std::uint16_t dhcpv4_server_port = 67;
inline constexpr std::uint16_t dhcpv4_client_port = 68;

/// A time in a message; 0xffffffff is for ever. [rfc2131 3.3]
using dhcpv4_seconds = std::chrono::duration<std::uint32_t>;
inline constexpr dhcpv4_seconds dhcpv4_forever{0xffff'ffff};

/// The value of an option, whose pieces are taken as one. [rfc3396 5]
class dhcpv4_value {
public:
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

    /// Pre: `at` is less than size().
    [[nodiscard]] constexpr std::uint8_t operator[](std::size_t at) const noexcept {
        Expects(at < size_);
        std::uint8_t found = 0;
        each_piece([&](const_bytes piece) {
            const bool is_here = at < piece.size();
            if (is_here)
                found = load8(piece, at);
            at -= is_here ? 0 : piece.size();
            return !is_here;
        });
        return found;
    }
    /// Its beginning, as far as there is room; returns what was written.
    constexpr bytes copy_to(bytes room) const noexcept {
        std::size_t at = 0;
        each_piece([&](const_bytes piece) {
            const std::size_t count = std::min(piece.size(), room.size() - at);
            store_bytes(room, at, piece.first(count));
            at += count;
            return true;
        });
        return room.first(at);
    }
    /// Pre: `at` + 4 is at most size().
    [[nodiscard]] constexpr std::uint32_t number32(std::size_t at) const noexcept {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i)
            value = value << 8 | (*this)[at + i];
        return value;
    }

private:
    friend class dhcpv4_view;
    using areas = std::array<const_bytes, 3>;

    constexpr dhcpv4_value(const areas& places, dhcpv4_option code) noexcept : areas_{places}, code_{code} {
        each_piece([this](const_bytes piece) {
            is_there_ = true;
            size_ += piece.size();
            return true;
        });
    }

    // Until `act` returns false. Pre: the areas are well-formed.
    template <class Act>
    constexpr void each_piece(Act act) const {
        for (const_bytes area : areas_) {
            while (!area.empty() && dhcpv4_option{load8(area, 0)} != dhcpv4_option::end) {
                if (dhcpv4_option{load8(area, 0)} == dhcpv4_option::pad) {
                    area = area.subspan(1);
                    continue;
                }
                const std::size_t size = load8(area, 1);
                if (dhcpv4_option{load8(area, 0)} == code_ && !act(area.subspan(2, size)))
                    return;
                area = area.subspan(2 + size);
            }
        }
    }

    areas areas_;
    dhcpv4_option code_;
    bool is_there_ = false;
    std::size_t size_ = 0;
};

/// The addresses in an option, in the server's order of preference; empty when there is none.
class dhcpv4_addresses {
public:
    [[nodiscard]] constexpr std::size_t size() const noexcept { return value_ ? value_->size() / 4 : 0; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size() == 0; }
    /// Pre: `at` is less than size().
    [[nodiscard]] constexpr ipv4_address operator[](std::size_t at) const noexcept {
        Expects(at < size());
        return ipv4_address::from_bits(value_->number32(at * 4));
    }

private:
    friend class dhcpv4_view;
    constexpr explicit dhcpv4_addresses(const std::optional<dhcpv4_value>& value) noexcept : value_{value} {}

    std::optional<dhcpv4_value> value_;
};

struct dhcpv4_route {
    ip_prefix destination;
    ipv4_address router;  // 0.0.0.0 when the destination is on the link itself

    friend constexpr bool operator==(const dhcpv4_route&, const dhcpv4_route&) noexcept = default;
};

/// The routes in option 121; when it is there, option 3 does not count. [rfc3442]
class dhcpv4_routes {
public:
    class iterator {
    public:
        using value_type = dhcpv4_route;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() noexcept = default;
        constexpr dhcpv4_route operator*() const noexcept {
            const unsigned length = (*value_)[at_];
            std::uint32_t bits = 0;
            for (std::size_t i = 0; i < octets_of(length); ++i)
                bits |= static_cast<std::uint32_t>((*value_)[at_ + 1 + i]) << (24 - 8 * i);
            return {ip_prefix{ipv4_address::from_bits(bits), length},
                    ipv4_address::from_bits(value_->number32(at_ + 1 + octets_of(length)))};
        }
        constexpr iterator& operator++() noexcept {
            at_ += 5 + octets_of((*value_)[at_]);
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            const iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(const iterator& left, const iterator& right) noexcept {
            return left.at_ == right.at_;
        }

    private:
        friend class dhcpv4_routes;
        constexpr iterator(const dhcpv4_value* value, std::size_t at) noexcept : value_{value}, at_{at} {}

        const dhcpv4_value* value_ = nullptr;
        std::size_t at_ = 0;
    };

    /// The iterators are this object's.
    [[nodiscard]] constexpr iterator begin() const noexcept { return {value_ ? &*value_ : nullptr, 0}; }
    [[nodiscard]] constexpr iterator end() const noexcept {
        return {value_ ? &*value_ : nullptr, value_ ? value_->size() : 0};
    }
    [[nodiscard]] constexpr bool empty() const noexcept { return !value_; }

private:
    friend class dhcpv4_view;

    static constexpr std::size_t octets_of(unsigned length) noexcept { return (length + 7) / 8; }

    // An option that is not well-formed gives no routes.
    constexpr explicit dhcpv4_routes(const std::optional<dhcpv4_value>& value) noexcept {
        if (!value || value->size() == 0)
            return;
        std::size_t at = 0;
        while (at < value->size()) {
            const unsigned length = (*value)[at];
            if (length > 32 || value->size() - at < 5 + octets_of(length))
                return;
            at += 5 + octets_of(length);
        }
        value_ = value;
    }

    std::optional<dhcpv4_value> value_;
};

class dhcpv4_view {
public:
    /// An option of a wrong length, or with a value that it cannot have, is as if it were not there. A missing end
    /// option is overlooked. Errors: truncated; bad_length above 4096 bytes; bad_type for what is no DHCP (BOOTP alone,
    /// other hardware, another magic cookie, no message type); bad_option when one does not end within its area.
    static result<dhcpv4_view> parse(const_bytes message) noexcept {
        constexpr const char* attempted = "parse a DHCP message";
        if (message.size() < dhcpv4_field::options)
            return wire_failure(wire_errc::truncated, attempted);
        if (message.size() > dhcpv4_field::greatest_message)
            return wire_failure(wire_errc::bad_length, attempted);
        const std::uint8_t operation = load8(message, dhcpv4_field::operation);
        if ((operation != dhcpv4_field::boot_request && operation != dhcpv4_field::boot_reply) ||
            load8(message, dhcpv4_field::hardware) != dhcpv4_field::ethernet ||
            load8(message, dhcpv4_field::hardware_size) != mac_address::size ||
            load32(message, dhcpv4_field::cookie) != dhcpv4_field::magic_cookie)
            return wire_failure(wire_errc::bad_type, attempted);

        dhcpv4_view view{message};
        view.areas_[0] = message.subspan(dhcpv4_field::options);
        if (!is_well_formed(view.areas_[0]))
            return wire_failure(wire_errc::bad_option, attempted);
        if (const auto overload = view.option(dhcpv4_option::overload)) {
            const unsigned which = overload->size() == 1 ? (*overload)[0] : 0;
            if (which < 1 || which > 3)
                return wire_failure(wire_errc::bad_option, attempted);
            if ((which & 1) != 0)
                view.areas_[1] = message.subspan(dhcpv4_field::file, dhcpv4_field::cookie - dhcpv4_field::file);
            if ((which & 2) != 0)
                view.areas_[2] =
                    message.subspan(dhcpv4_field::server_name, dhcpv4_field::file - dhcpv4_field::server_name);
            if (!is_well_formed(view.areas_[1]) || !is_well_formed(view.areas_[2]))
                return wire_failure(wire_errc::bad_option, attempted);
        }
        const auto type = view.option(dhcpv4_option::message_type);
        if (!type || type->size() != 1 || (*type)[0] == 0)
            return wire_failure(wire_errc::bad_type, attempted);
        return view;
    }

    [[nodiscard]] constexpr dhcpv4_type type() const noexcept {
        return dhcpv4_type{(*option(dhcpv4_option::message_type))[0]};
    }
    /// Whether the message is for a client; its type alone does not say.
    [[nodiscard]] constexpr bool is_reply() const noexcept {
        return load8(message_, dhcpv4_field::operation) == dhcpv4_field::boot_reply;
    }
    /// The client's number for this exchange, and its hardware address: who does not compare them takes others' leases.
    [[nodiscard]] constexpr std::uint32_t transaction() const noexcept {
        return load32(message_, dhcpv4_field::transaction);
    }
    [[nodiscard]] constexpr mac_address hardware_address() const noexcept {
        return load_mac(message_, dhcpv4_field::hardware_address);
    }
    [[nodiscard]] constexpr std::uint16_t seconds() const noexcept { return load16(message_, dhcpv4_field::seconds); }
    [[nodiscard]] constexpr bool wants_broadcast() const noexcept {
        return (load16(message_, dhcpv4_field::flags) & dhcpv4_field::broadcast) != 0;
    }
    /// ciaddr: the one that the client has.
    [[nodiscard]] constexpr ipv4_address client_address() const noexcept {
        return load_ipv4(message_, dhcpv4_field::client);
    }
    /// yiaddr: the one that the client is to have.
    [[nodiscard]] constexpr ipv4_address own_address() const noexcept { return load_ipv4(message_, dhcpv4_field::own); }
    /// siaddr: who serves the next step of a boot.
    [[nodiscard]] constexpr ipv4_address boot_server() const noexcept {
        return load_ipv4(message_, dhcpv4_field::server);
    }
    /// giaddr
    [[nodiscard]] constexpr ipv4_address relay() const noexcept { return load_ipv4(message_, dhcpv4_field::relay); }

    /// Any option, by its number.
    [[nodiscard]] constexpr std::optional<dhcpv4_value> option(dhcpv4_option code) const noexcept {
        const dhcpv4_value value{areas_, code};
        if (!value.is_there_)
            return std::nullopt;
        return value;
    }

    /// Nothing also when it is no mask of a network.
    [[nodiscard]] constexpr std::optional<unsigned> prefix_length() const noexcept {
        const auto mask = address_in(dhcpv4_option::subnet_mask);
        return mask ? ip_prefix::length_of_mask(*mask) : std::nullopt;
    }
    [[nodiscard]] constexpr std::optional<ipv4_address> server_identifier() const noexcept {
        return address_in(dhcpv4_option::server_identifier);
    }
    [[nodiscard]] constexpr std::optional<ipv4_address> requested_address() const noexcept {
        return address_in(dhcpv4_option::requested_address);
    }
    [[nodiscard]] constexpr std::optional<dhcpv4_seconds> lease_time() const noexcept {
        return time_in(dhcpv4_option::lease_time);
    }
    /// T1
    [[nodiscard]] constexpr std::optional<dhcpv4_seconds> renewal_time() const noexcept {
        return time_in(dhcpv4_option::renewal_time);
    }
    /// T2
    [[nodiscard]] constexpr std::optional<dhcpv4_seconds> rebinding_time() const noexcept {
        return time_in(dhcpv4_option::rebinding_time);
    }
    /// At least 68. [rfc2132 5.1]
    [[nodiscard]] constexpr std::optional<std::uint16_t> mtu() const noexcept {
        return number_in(dhcpv4_option::mtu, 68);
    }
    /// What the sender can receive, at least 576. [rfc2132 9.10]
    [[nodiscard]] constexpr std::optional<std::uint16_t> maximum_size() const noexcept {
        return number_in(dhcpv4_option::maximum_size, 576);
    }
    [[nodiscard]] constexpr dhcpv4_addresses routers() const noexcept { return addresses_in(dhcpv4_option::routers); }
    [[nodiscard]] constexpr dhcpv4_addresses name_servers() const noexcept {
        return addresses_in(dhcpv4_option::name_servers);
    }
    [[nodiscard]] constexpr dhcpv4_routes classless_routes() const noexcept {
        return dhcpv4_routes{option(dhcpv4_option::classless_routes)};
    }

    /// A text option, as far as `room` reaches, without the zeros that some servers end it with. Empty when there is
    /// none. Its characters are the sender's: nothing says that they make a name.
    constexpr std::string_view text(dhcpv4_option code, std::span<char> room) const noexcept {
        const auto value = option(code);
        std::size_t count = 0;
        for (; value && count < std::min(value->size(), room.size()); ++count)
            room[count] = static_cast<char>((*value)[count]);
        while (count != 0 && room[count - 1] == '\0')
            --count;
        return {room.data(), count};
    }

private:
    constexpr explicit dhcpv4_view(const_bytes message) noexcept : message_{message} {}

    static constexpr bool is_well_formed(const_bytes area) noexcept {
        while (!area.empty() && dhcpv4_option{load8(area, 0)} != dhcpv4_option::end) {
            const bool is_pad = dhcpv4_option{load8(area, 0)} == dhcpv4_option::pad;
            if (!is_pad && area.size() < 2)
                return false;
            const std::size_t size = is_pad ? 1 : 2 + load8(area, 1);
            if (size > area.size())
                return false;
            area = area.subspan(size);
        }
        return true;
    }
    [[nodiscard]] constexpr std::optional<std::uint32_t> number32_in(dhcpv4_option code) const noexcept {
        const auto value = option(code);
        if (!value || value->size() != 4)
            return std::nullopt;
        return value->number32(0);
    }
    [[nodiscard]] constexpr std::optional<ipv4_address> address_in(dhcpv4_option code) const noexcept {
        const auto number = number32_in(code);
        return number ? std::optional{ipv4_address::from_bits(*number)} : std::nullopt;
    }
    [[nodiscard]] constexpr std::optional<dhcpv4_seconds> time_in(dhcpv4_option code) const noexcept {
        const auto number = number32_in(code);
        return number ? std::optional{dhcpv4_seconds{*number}} : std::nullopt;
    }
    [[nodiscard]] constexpr std::optional<std::uint16_t> number_in(dhcpv4_option code,
                                                                   std::uint16_t least) const noexcept {
        const auto value = option(code);
        if (!value || value->size() != 2)
            return std::nullopt;
        const auto number = static_cast<std::uint16_t>((*value)[0] << 8 | (*value)[1]);
        return number < least ? std::nullopt : std::optional{number};
    }
    [[nodiscard]] constexpr dhcpv4_addresses addresses_in(dhcpv4_option code) const noexcept {
        const auto value = option(code);
        return dhcpv4_addresses{value && value->size() % 4 == 0 ? value : std::nullopt};
    }

    const_bytes message_;
    dhcpv4_value::areas areas_{};
};

/// A message to send. What it points to must live until it is written.
struct dhcpv4_message {
    dhcpv4_type type = dhcpv4_type::discover;  // says also whether it is a request or a reply
    std::uint32_t transaction = 0;
    mac_address hardware_address{};
    std::uint16_t seconds = 0;
    bool wants_broadcast = false;
    ipv4_address client_address{};
    ipv4_address own_address{};
    ipv4_address boot_server{};
    ipv4_address relay{};

    std::optional<ipv4_address> server_identifier{};
    std::optional<ipv4_address> requested_address{};
    std::optional<unsigned> prefix_length{};
    std::optional<dhcpv4_seconds> lease_time{};
    std::optional<dhcpv4_seconds> renewal_time{};
    std::optional<dhcpv4_seconds> rebinding_time{};
    std::optional<std::uint16_t> mtu{};
    std::optional<std::uint16_t> maximum_size{};
    const_bytes client_identifier{};
    std::string_view host_name{};
    std::string_view domain_name{};
    std::string_view message{};
    std::span<const dhcpv4_option> parameter_list{};
    std::span<const ipv4_address> routers{};
    std::span<const ipv4_address> name_servers{};
    std::span<const dhcpv4_route> classless_routes{};

    /// At least 300 bytes; what is longer than an option is split. Pre: as for write().
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        cursor counted{{}, dhcpv4_field::options};
        put_options(counted);
        return std::max(counted.at, dhcpv4_field::least_message);
    }

    /// Pre: `out` holds size() bytes, at most 4096; a client identifier has 2 bytes or more; a prefix length is at
    /// most 32, an MTU at least 68, a maximum size at least 576; classless routes are IPv4's.
    constexpr void write(bytes out) const noexcept {
        const std::size_t whole = size();
        Expects(whole <= dhcpv4_field::greatest_message);
        Expects(out.size() >= whole);
        out = out.first(whole);
        std::fill(out.begin(), out.end(), std::byte{});
        store8(out, dhcpv4_field::operation, is_reply() ? dhcpv4_field::boot_reply : dhcpv4_field::boot_request);
        store8(out, dhcpv4_field::hardware, dhcpv4_field::ethernet);
        store8(out, dhcpv4_field::hardware_size, mac_address::size);
        store32(out, dhcpv4_field::transaction, transaction);
        store16(out, dhcpv4_field::seconds, seconds);
        store16(out, dhcpv4_field::flags, wants_broadcast ? dhcpv4_field::broadcast : 0);
        store_ipv4(out, dhcpv4_field::client, client_address);
        store_ipv4(out, dhcpv4_field::own, own_address);
        store_ipv4(out, dhcpv4_field::server, boot_server);
        store_ipv4(out, dhcpv4_field::relay, relay);
        store_mac(out, dhcpv4_field::hardware_address, hardware_address);
        store32(out, dhcpv4_field::cookie, dhcpv4_field::magic_cookie);
        cursor written{out, dhcpv4_field::options};
        put_options(written);
    }

    [[nodiscard]] constexpr bool is_reply() const noexcept {
        return type == dhcpv4_type::offer || type == dhcpv4_type::ack || type == dhcpv4_type::nak;
    }

private:
    // Counts only, when `out` is empty.
    struct cursor {
        bytes out;
        std::size_t at;

        constexpr void byte(std::uint8_t value) noexcept {
            if (!out.empty())
                store8(out, at, value);
            ++at;
        }
        constexpr void number(std::uint32_t value, unsigned size) noexcept {
            while (size != 0)
                byte(static_cast<std::uint8_t>(value >> --size * 8));
        }
    };

    /// Starts an option of `size` bytes, which `byte_of` names one by one, in pieces of at most 255. [rfc3396 4]
    template <class ByteOf>
    static constexpr void put(cursor& to, dhcpv4_option code, std::size_t size, ByteOf byte_of) noexcept {
        for (std::size_t at = 0; at < size;) {
            const std::size_t piece = std::min<std::size_t>(size - at, 255);
            to.byte(static_cast<std::uint8_t>(code));
            to.byte(static_cast<std::uint8_t>(piece));
            for (const std::size_t end = at + piece; at < end; ++at)
                to.byte(byte_of(at));
        }
    }
    static constexpr void put_number(cursor& to, dhcpv4_option code, std::uint32_t value, unsigned size) noexcept {
        to.byte(static_cast<std::uint8_t>(code));
        to.byte(static_cast<std::uint8_t>(size));
        to.number(value, size);
    }
    static constexpr void put_text(cursor& to, dhcpv4_option code, std::string_view text) noexcept {
        put(to, code, text.size(), [text](std::size_t at) { return static_cast<std::uint8_t>(text[at]); });
    }
    static constexpr void put_addresses(cursor& to, dhcpv4_option code,
                                        std::span<const ipv4_address> addresses) noexcept {
        put(to, code, addresses.size() * 4, [addresses](std::size_t at) { return addresses[at / 4].octets()[at % 4]; });
    }

    constexpr void put_options(cursor& to) const noexcept {
        Expects(static_cast<std::uint8_t>(type) != 0);
        Expects(client_identifier.size() != 1);
        Expects(!prefix_length || *prefix_length <= 32);
        Expects(!mtu || *mtu >= 68);
        Expects(!maximum_size || *maximum_size >= 576);
        put_number(to, dhcpv4_option::message_type, static_cast<std::uint8_t>(type), 1);
        put(to, dhcpv4_option::client_identifier, client_identifier.size(),
            [this](std::size_t at) { return load8(client_identifier, at); });
        if (requested_address)
            put_number(to, dhcpv4_option::requested_address, requested_address->bits(), 4);
        if (server_identifier)
            put_number(to, dhcpv4_option::server_identifier, server_identifier->bits(), 4);
        if (maximum_size)
            put_number(to, dhcpv4_option::maximum_size, *maximum_size, 2);
        put_text(to, dhcpv4_option::host_name, host_name);
        put(to, dhcpv4_option::parameter_list, parameter_list.size(),
            [this](std::size_t at) { return static_cast<std::uint8_t>(parameter_list[at]); });
        if (lease_time)
            put_number(to, dhcpv4_option::lease_time, lease_time->count(), 4);
        if (renewal_time)
            put_number(to, dhcpv4_option::renewal_time, renewal_time->count(), 4);
        if (rebinding_time)
            put_number(to, dhcpv4_option::rebinding_time, rebinding_time->count(), 4);
        // The mask goes before the routers. [rfc2132 3.3]
        if (prefix_length)
            put_number(to, dhcpv4_option::subnet_mask, ip_prefix{ipv4_address{}, *prefix_length}.mask().bits(), 4);
        put_routes(to);
        put_addresses(to, dhcpv4_option::routers, routers);
        put_addresses(to, dhcpv4_option::name_servers, name_servers);
        put_text(to, dhcpv4_option::domain_name, domain_name);
        if (mtu)
            put_number(to, dhcpv4_option::mtu, *mtu, 2);
        put_text(to, dhcpv4_option::message, message);
        to.byte(static_cast<std::uint8_t>(dhcpv4_option::end));
    }

    constexpr void put_routes(cursor& to) const noexcept {
        std::size_t left = 0;
        for (const dhcpv4_route& route : classless_routes) {
            Expects(route.destination.address().is_v4());
            left += 5 + (route.destination.length() + 7) / 8;
        }
        std::size_t room = 0;
        const auto byte = [&](std::uint8_t value) {
            if (room == 0) {
                room = std::min<std::size_t>(left, 255);
                to.byte(static_cast<std::uint8_t>(dhcpv4_option::classless_routes));
                to.byte(static_cast<std::uint8_t>(room));
            }
            --room;
            --left;
            to.byte(value);
        };
        for (const dhcpv4_route& route : classless_routes) {
            byte(static_cast<std::uint8_t>(route.destination.length()));
            for (std::size_t at = 0; at < (route.destination.length() + 7) / 8; ++at)
                byte(route.destination.address().v4().octets()[at]);
            for (const std::uint8_t octet : route.router.octets())
                byte(octet);
        }
    }
};

constexpr void describe(dhcpv4_type type, text_sink& out) noexcept {
    switch (type) {
    case dhcpv4_type::discover: return out.text("discover");
    case dhcpv4_type::offer: return out.text("offer");
    case dhcpv4_type::request: return out.text("request");
    case dhcpv4_type::decline: return out.text("decline");
    case dhcpv4_type::ack: return out.text("ack");
    case dhcpv4_type::nak: return out.text("nak");
    case dhcpv4_type::release: return out.text("release");
    case dhcpv4_type::inform: return out.text("inform");
    }
    out.text("type ");
    out.decimal(static_cast<std::uint8_t>(type));
}

/// "DHCP ack, xid 0x12345678, 02:00:00:00:00:0a, own 192.0.2.103, server 192.0.2.1, lease 3600 s"
constexpr void describe(const dhcpv4_view& message, text_sink& out) noexcept {
    out.text("DHCP ");
    describe(message.type(), out);
    out.text(", xid 0x");
    out.hex(message.transaction(), 8);
    out.text(", ");
    describe(message.hardware_address(), out);
    const auto say = [&out](std::string_view name, const std::optional<ipv4_address>& address) {
        if (address && !address->is_unspecified()) {
            out.text(name);
            describe(*address, out);
        }
    };
    say(", client ", message.client_address());
    say(", own ", message.own_address());
    say(", requested ", message.requested_address());
    say(", server ", message.server_identifier());
    if (const auto time = message.lease_time()) {
        out.text(", lease ");
        out.decimal(time->count());
        out.text(" s");
    }
}

}  // namespace halvm::net::wire
