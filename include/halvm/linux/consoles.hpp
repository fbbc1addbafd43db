// SPDX-License-Identifier: BSD-3-Clause
// The consoles of a process besides its first: those that HALVM_CONSOLES names in its environment, as an xl
// configuration's channels are a domain's.
//
//   HALVM_CONSOLES=log=/tmp/log.socket:shell=/dev/pts/7 ./program
//
// They are divided by ':' and numbered from 1; each is NAME=FILE. FILE is a terminal, a Unix socket that somebody
// listens at, or another file that can be read and written; /dev/fd/N is a descriptor that the process was started
// with. `\` makes the ':', ',' or '\' behind it part of a file's name. A word HALVM_CONSOLES=... of the command line is
// as good.
#pragma once

#include <halvm/device/console_name.hpp>
#include <halvm/linux/terminal_console.hpp>
#include <halvm/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::process {

/// A Console on a descriptor of its own, which it closes.
class file_console {
public:
    /// Errors: those of open(2), or of connect(2) where the file is a Unix socket; of dup(2) for /dev/fd/N.
    static result<file_console> open(const std::string& path);

    file_console(file_console&& other) noexcept : on_{std::move(other.on_)}, descriptor_{other.descriptor_} {
        other.descriptor_ = -1;
    }
    file_console& operator=(file_console&& other) noexcept {
        std::swap(on_, other.on_);
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~file_console();

    // Those of terminal_console.
    result<void> write(const_bytes out, const fiber::wait_limit& limit = {}) noexcept { return on_.write(out, limit); }
    result<std::size_t> read(bytes in, const fiber::wait_limit& limit = {}) noexcept { return on_.read(in, limit); }
    result<std::size_t> try_read(bytes in) noexcept { return on_.try_read(in); }
    [[nodiscard]] std::optional<halvm::window_size> window_size() const noexcept { return on_.window_size(); }

private:
    explicit file_console(int descriptor) noexcept : on_{descriptor, descriptor}, descriptor_{descriptor} {}

    terminal_console on_;
    int descriptor_;
};

/// A console as HALVM_CONSOLES describes it.
struct console_entry {
    console_name called;
    std::string path;
};

/// What a text like the value of HALVM_CONSOLES says; empty parts are passed over.
/// Errors: std::errc::invalid_argument, with the part that is no console, or that names one for the second time.
result<std::vector<console_entry>> parse_consoles(std::string_view text);

/// The consoles besides the first, in their order. Never blocks. Errors: those of parse_consoles().
result<std::vector<console_name>> consoles();

/// Opens the console of that name or number.
/// Errors: std::errc::no_such_device, naming the consoles that there are; those of parse_consoles() and
/// file_console::open().
result<file_console> open_console(std::string_view name);

}  // namespace halvm::process
