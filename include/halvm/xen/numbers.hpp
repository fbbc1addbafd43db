// SPDX-License-Identifier: BSD-3-Clause
// Xen's numbers, each a type of its own, so that a port is never taken for a grant.
#pragma once

#include <halvm/xen/abi.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace halvm::xen {

/// A domain. [xen/xen.h]
enum class domid : domid_t {};
inline constexpr domid dom0{0};
/// The caller itself, where Xen asks for a domain.
inline constexpr domid self{DOMID_SELF};

/// A domain's number for its end of an event channel; 0 is none. [xen/event_channel.h]
enum class port : evtchn_port_t {};

/// A physical interrupt, as Xen numbers them for the domain. [xen/physdev.h]
enum class pirq : std::uint32_t {};

/// Leave for another domain to use one of our frames; the index of an entry in the grant table. [xen/grant_table.h]
enum class grant_ref : grant_ref_t {};

/// A pseudo-physical frame: what the domain counts its own memory by, from 0. [xen/xen.h]
enum class pfn : std::uint64_t {};

/// A frame as Xen and other domains know it: a machine frame in a PV domain, a pfn in any other.
enum class gfn : std::uint64_t {};

/// The integer in a strong number.
template <class Number>
constexpr auto raw(Number number) noexcept {
    return static_cast<std::underlying_type_t<Number>>(number);
}

/// Of a page and of a frame, the only size that rings and grants know.
inline constexpr std::size_t page_size = 4096;

}  // namespace halvm::xen
