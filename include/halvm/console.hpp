// SPDX-License-Identifier: BSD-3-Clause
// The front door to the console of the machine that the program was built for.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/device/console.hpp>
#include <halvm/machine.hpp>
#include <halvm/result.hpp>

#include <optional>
#include <string_view>
#include <utility>

namespace halvm {

/// A console with words on top of the Console concept. It shares what stdio uses: text written here and by
/// printf comes out in the order in which it was written, once stdio has been flushed.
template <Console Device>
class text_console {
public:
    explicit text_console(Device device) noexcept : device_{std::move(device)} {}

    /// Those of the device. The limit is a std::stop_token, or fiber::within(1s) and the like.
    result<void> write(const_bytes out) { return device_.write(out); }
    result<void> write(const_bytes out, const auto& limit) { return device_.write(out, limit); }
    result<std::size_t> read(bytes in) { return device_.read(in); }
    result<std::size_t> read(bytes in, const auto& limit) { return device_.read(in, limit); }
    result<std::size_t> try_read(bytes in) { return device_.try_read(in); }

    /// How large the window at the other side is now, where that is known: of a Linux process the terminal's; of a
    /// domain what the words COLUMNS=N and LINES=N of its command line say, because Xen's consoles do not tell.
    [[nodiscard]] std::optional<halvm::window_size> window_size() const {
        if constexpr (WindowedConsole<Device>)
            return device_.window_size();
        else
            return std::nullopt;
    }

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
