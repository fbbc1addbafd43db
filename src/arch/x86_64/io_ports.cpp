// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/io_ports.hpp>

namespace halvm::xen {

std::uint8_t io_ports::in8(io_port from) const noexcept {
    std::uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(raw(from)));
    return value;
}

std::uint16_t io_ports::in16(io_port from) const noexcept {
    std::uint16_t value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(raw(from)));
    return value;
}

std::uint32_t io_ports::in32(io_port from) const noexcept {
    std::uint32_t value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(raw(from)));
    return value;
}

void io_ports::out8(io_port to, std::uint8_t value) const noexcept {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(raw(to)));
}

void io_ports::out16(io_port to, std::uint16_t value) const noexcept {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(raw(to)));
}

void io_ports::out32(io_port to, std::uint32_t value) const noexcept {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(raw(to)));
}

}  // namespace halvm::xen
