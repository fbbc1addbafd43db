// SPDX-License-Identifier: BSD-3-Clause
// Why bytes are no packet, as std::error_code.
#pragma once

#include <halvm/result.hpp>

#include <string>
#include <system_error>

namespace halvm::net {

/// What is wrong with bytes from the network or from a capture.
enum class wire_errc {
    truncated = 1,  // fewer bytes than the fixed part, or than a length field promises
    bad_length,     // a length field that contradicts another, or that no packet can have
    bad_version,    // another version of the protocol
    bad_type,       // another kind of packet: a type, magic number or operation that this format does not have
    bad_option,     // an option that does not end where it may
    bad_name,       // a DNS name that is too long or whose compression does not go backwards
    bad_value,      // a field with a value that the protocol excludes
};

class wire_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "wire"; }
    [[gnu::cold]] std::string message(int value) const override {
        switch (static_cast<wire_errc>(value)) {
        case wire_errc::truncated: return "it ends too early";
        case wire_errc::bad_length: return "a length in it cannot be";
        case wire_errc::bad_version: return "it is of another version";
        case wire_errc::bad_type: return "it is of another kind";
        case wire_errc::bad_option: return "an option in it is malformed";
        case wire_errc::bad_name: return "a name in it is malformed";
        case wire_errc::bad_value: return "a field in it has a value that may not be";
        }
        return "unknown error";
    }
};

inline const std::error_category& wire_category() noexcept {
    static const wire_errors category;
    return category;
}

inline std::error_code make_error_code(wire_errc code) noexcept { return {static_cast<int>(code), wire_category()}; }

/// `return wire_failure(wire_errc::truncated, "parse a UDP datagram");`
[[gnu::cold]] inline failure wire_failure(wire_errc code, const char* attempted) noexcept {
    return failure{error{make_error_code(code), attempted}};
}

}  // namespace halvm::net

template <>
struct std::is_error_code_enum<halvm::net::wire_errc> : std::true_type {};
