// SPDX-License-Identifier: BSD-3-Clause
// Names of the DNS: sequences of labels, as values and in messages, where they may end with a pointer to an earlier
// one. [rfc1035 3.1, 4.1.4] [rfc4343]
#pragma once

#include <halvm/net/wire/fields.hpp>

#include <compare>

namespace halvm::net::wire {

namespace dns_field {
inline constexpr std::size_t id = 0, flags = 2, questions = 4, answers = 6, authorities = 8, additionals = 10,
                             size = 12;
inline constexpr std::size_t greatest_label = 63, greatest_name = 255;
}  // namespace dns_field

/// Letters are compared without their case, and only those of ASCII have one. [rfc4343 3]
constexpr std::uint8_t dns_folded(std::uint8_t letter) noexcept {
    return letter >= 'A' && letter <= 'Z' ? static_cast<std::uint8_t>(letter + ('a' - 'A')) : letter;
}

/// A whole name. It has at most 255 bytes with the lengths of its labels, and holds them itself.
class dns_name {
public:
    /// The root.
    constexpr dns_name() noexcept = default;

    /// "www.example.org", with or without a dot at its end; "." is the root. "\." and "\046" are a dot within a label.
    /// Errors: bad_name. [rfc1035 5.1]
    static result<dns_name> parse(std::string_view text) noexcept {
        dns_name name;
        if (!name.read(text))
            return wire_failure(wire_errc::bad_name, "parse a domain name");
        return name;
    }
    /// The name that PTR records of an address are under. [rfc1035 3.5] [rfc3596 2.5]
    static constexpr dns_name reverse_of(const ip_address& address) noexcept {
        dns_name name;
        if (address.is_v4()) {
            for (std::size_t at = ipv4_address::size; at != 0; --at) {
                std::array<char, 3> digits{};
                text_sink label{digits};
                label.decimal(address.v4().octets()[at - 1]);
                name.append(as_label(label.view()));
            }
            name.append(as_label("in-addr"));
        } else {
            for (unsigned at = 32; at != 0; --at) {
                const std::uint64_t half = at > 16 ? address.v6().low_bits() : address.v6().high_bits();
                name.append(as_label({&"0123456789abcdef"[half >> ((32 - at) % 16 * 4) & 0xf], 1}));
            }
            name.append(as_label("ip6"));
        }
        name.append(as_label("arpa"));
        return name;
    }

    /// Adds a label at the end; false, and no change, if the name would get too long. Pre: a label has 1 to 63 bytes.
    constexpr bool append(std::span<const std::uint8_t> label) noexcept {
        Expects(!label.empty() && label.size() <= dns_field::greatest_label);
        if (size_ + label.size() + 1 > dns_field::greatest_name)
            return false;
        octets_[size_ - 1u] = static_cast<std::uint8_t>(label.size());
        std::copy(label.begin(), label.end(), octets_.begin() + size_);
        size_ = static_cast<std::uint8_t>(size_ + label.size() + 1);
        octets_[size_ - 1u] = 0;
        return true;
    }

    /// As in a message, without compression.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    /// Pre: `out` holds size() bytes.
    constexpr void write(bytes out) const noexcept {
        Expects(out.size() >= size_);
        for (std::size_t at = 0; at < size_; ++at)
            store8(out, at, octets_[at]);
    }
    [[nodiscard]] constexpr bool is_root() const noexcept { return size_ == 1; }

    /// From the first label on, until `act(std::span<const std::uint8_t>)` returns false.
    template <class Act>
    constexpr void each_label(Act act) const {
        for (std::size_t at = 0; octets_[at] != 0; at += 1u + octets_[at])
            if (!act(std::span<const std::uint8_t>{octets_}.subspan(at + 1, octets_[at])))
                return;
    }

    friend constexpr bool operator==(const dns_name& left, const dns_name& right) noexcept {
        // A label's length is below every letter, so folding does not touch it.
        return left.size_ == right.size_ &&
               std::equal(left.octets_.begin(), left.octets_.begin() + left.size_, right.octets_.begin(),
                          [](std::uint8_t a, std::uint8_t b) { return dns_folded(a) == dns_folded(b); });
    }

private:
    struct label_octets {
        std::array<std::uint8_t, dns_field::greatest_label> octets{};
        std::size_t size = 0;
        constexpr operator std::span<const std::uint8_t>() const noexcept { return {octets.data(), size}; }
    };
    static constexpr label_octets as_label(std::string_view text) noexcept {
        label_octets label;
        for (const char one : text)
            label.octets[label.size++] = static_cast<std::uint8_t>(one);
        return label;
    }

    constexpr bool read(std::string_view text) noexcept {
        if (text == ".")
            return true;
        if (text.empty())
            return false;
        label_octets label;
        while (!text.empty()) {
            auto octet = static_cast<std::uint8_t>(text.front());
            text.remove_prefix(1);
            if (octet == '.') {
                if (label.size == 0 || !append(label))
                    return false;
                label.size = 0;
                continue;
            }
            if (octet == '\\' && !unescape(text, octet))
                return false;
            if (label.size == label.octets.size())
                return false;
            label.octets[label.size++] = octet;
        }
        return label.size == 0 || append(label);
    }
    static constexpr bool unescape(std::string_view& text, std::uint8_t& octet) noexcept {
        const auto is_digit = [](char one) { return one >= '0' && one <= '9'; };
        if (text.empty())
            return false;
        if (!is_digit(text[0])) {
            octet = static_cast<std::uint8_t>(text[0]);
            text.remove_prefix(1);
            return true;
        }
        if (text.size() < 3 || !is_digit(text[1]) || !is_digit(text[2]))
            return false;
        const int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
        text.remove_prefix(3);
        octet = static_cast<std::uint8_t>(value);
        return value <= 255;
    }

    std::array<std::uint8_t, dns_field::greatest_name> octets_{};
    std::uint8_t size_ = 1;
};

/// A name in a checked message.
class dns_name_view {
public:
    /// The name that begins at `at`. A pointer must go to before the labels that led to it, so that no name is
    /// endless, and not into the header. Errors: truncated; bad_name.
    static result<dns_name_view> parse(const_bytes message, std::size_t at) noexcept {
        constexpr const char* attempted = "parse a name in a DNS message";
        std::size_t limit = at, length = 1, hops = 0;
        for (std::size_t here = at;;) {
            if (here >= message.size())
                return wire_failure(wire_errc::truncated, attempted);
            const std::size_t first = load8(message, here);
            if (first == 0)
                return dns_name_view{message, at};
            if (first <= dns_field::greatest_label) {
                length += first + 1;
                if (length > dns_field::greatest_name)
                    return wire_failure(wire_errc::bad_name, attempted);
                here += first + 1;
                continue;
            }
            if (first < pointer_mark)
                return wire_failure(wire_errc::bad_name, attempted);
            if (here + 1 >= message.size())
                return wire_failure(wire_errc::truncated, attempted);
            const std::size_t target = load16(message, here) & pointer_mask;
            if (target >= limit || target < dns_field::size || ++hops > greatest_hops)
                return wire_failure(wire_errc::bad_name, attempted);
            here = limit = target;
        }
    }

    /// Behind it in the message.
    [[nodiscard]] constexpr std::size_t end() const noexcept {
        std::size_t here = at_;
        while (load8(message_, here) != 0) {
            if (load8(message_, here) >= pointer_mark)
                return here + 2;
            here += 1u + load8(message_, here);
        }
        return here + 1;
    }
    /// From the first label on, until `act(std::span<const std::uint8_t>)` returns false.
    template <class Act>
    constexpr void each_label(Act act) const {
        for (std::size_t here = at_;;) {
            const std::size_t first = load8(message_, here);
            if (first == 0)
                return;
            if (first >= pointer_mark) {
                here = load16(message_, here) & pointer_mask;
                continue;
            }
            std::array<std::uint8_t, dns_field::greatest_label> label{};
            for (std::size_t at = 0; at < first; ++at)
                label[at] = load8(message_, here + 1 + at);
            if (!act(std::span<const std::uint8_t>{label.data(), first}))
                return;
            here += 1 + first;
        }
    }
    [[nodiscard]] constexpr dns_name to_name() const noexcept {
        dns_name name;
        each_label([&name](std::span<const std::uint8_t> label) { return name.append(label); });
        return name;
    }

    friend constexpr bool operator==(const dns_name_view& left, const dns_name& right) noexcept {
        return left.to_name() == right;
    }

private:
    static constexpr std::size_t pointer_mark = 0xc0, pointer_mask = 0x3fff;
    static constexpr std::size_t greatest_hops = dns_field::greatest_name / 2;  // as many labels as a name can have

    constexpr dns_name_view(const_bytes message, std::size_t at) noexcept : message_{message}, at_{at} {}

    friend class dns_record_view;
    friend class dns_question_view;

    const_bytes message_;
    std::size_t at_;
};

/// With a dot at the end; dots, backslashes and what is not printable come escaped. [rfc1035 5.1]
template <class Name>
constexpr void describe_name(const Name& name, text_sink& out) noexcept {
    bool is_root = true;
    name.each_label([&](std::span<const std::uint8_t> label) {
        is_root = false;
        for (const std::uint8_t octet : label) {
            if (octet > ' ' && octet < 0x7f) {
                out.text(octet == '.' || octet == '\\' ? "\\" : "");
                out.character(static_cast<char>(octet));
            } else {
                out.character('\\');
                out.character(static_cast<char>('0' + octet / 100));
                out.character(static_cast<char>('0' + octet / 10 % 10));
                out.character(static_cast<char>('0' + octet % 10));
            }
        }
        out.character('.');
        return true;
    });
    if (is_root)
        out.character('.');
}
constexpr void describe(const dns_name& name, text_sink& out) noexcept { describe_name(name, out); }
constexpr void describe(const dns_name_view& name, text_sink& out) noexcept { describe_name(name, out); }

}  // namespace halvm::net::wire
