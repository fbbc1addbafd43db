// SPDX-License-Identifier: BSD-3-Clause
// The machine's I/O ports, for a PV domain that has been given some.
#pragma once

#include <halvm/xen/physdev.hpp>

namespace halvm::xen {

enum class io_port : std::uint16_t {};

/// The right to execute `in` and `out`, which would be faults without it. Xen looks at each: a port that the domain
/// was not given reads as all ones, and what is written to it is lost.
class io_ports {
public:
    /// Errors: physdev::set_iopl()'s.
    template <Platform Domain>
    static result<io_ports> open(Domain& domain) noexcept {
        return physdev::set_iopl(domain, 3).map([] { return io_ports{}; });
    }

    [[nodiscard]] std::uint8_t in8(io_port from) const noexcept;
    [[nodiscard]] std::uint16_t in16(io_port from) const noexcept;
    [[nodiscard]] std::uint32_t in32(io_port from) const noexcept;
    void out8(io_port to, std::uint8_t value) const noexcept;
    void out16(io_port to, std::uint16_t value) const noexcept;
    void out32(io_port to, std::uint32_t value) const noexcept;

private:
    io_ports() = default;
};

}  // namespace halvm::xen
