// SPDX-License-Identifier: BSD-3-Clause
// What all device concepts share.
#pragma once

#include <concepts>

namespace halvm {

/// A device has one owner: it can be handed on but not copied.
template <class Device>
concept UniqueDevice = std::movable<Device> && !std::copyable<Device>;

}  // namespace halvm
