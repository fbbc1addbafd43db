// SPDX-License-Identifier: BSD-3-Clause
// The front door to the console of the machine that the program was built for.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/console.hpp>
#include <halvm/machine.hpp>
#include <halvm/result.hpp>

#include <string_view>
#include <utility>

namespace halvm {

/// A console with words on top of the Console concept. It shares what stdio uses: text written here and by
/// printf comes out in the order in which it was written, once stdio has been flushed.
template <Console Device>
class text_console {
public:
    explicit text_console(Device device) noexcept : device_{std::move(device)} {}

    result<void> write(const_bytes out) { return device_.write(out); }
    result<std::size_t> read(bytes in) { return device_.read(in); }
    result<std::size_t> try_read(bytes in) { return device_.try_read(in); }

    /// write() for text. Blocks and fails as write() does.
    result<void> print(std::string_view text) { return device_.write(as_bytes(text)); }

private:
    Device device_;
};

/// The console of this machine: Xen's, or the terminal of a Linux process.
using console = text_console<machine::console>;
static_assert(Console<console>);

/// Opens the console. Never blocks.
/// Errors: std::errc::no_such_device when the machine gave the program no console.
inline result<console> open_console() {
    auto device = machine::open_console();
    if (!device)
        return failure(device.error());
    return console{std::move(*device)};
}

}  // namespace halvm
