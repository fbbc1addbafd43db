// SPDX-License-Identifier: BSD-3-Clause
#include "device_words.hpp"

#include <halvm/linux/consoles.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace halvm::process {
namespace {

result<std::vector<console_entry>> own_consoles() {
    const char* const text = std::getenv("HALVM_CONSOLES");
    return parse_consoles(text == nullptr ? "" : text);
}

std::vector<console_name> names_of(const std::vector<console_entry>& entries) {
    std::vector<console_name> names;
    for (const auto& one : entries)
        names.push_back(one.called);
    return names;
}

/// The N of "/dev/fd/N", or -1.
int number_in(std::string_view path) {
    constexpr std::string_view folder = "/dev/fd/";
    int number = -1;
    if (path.starts_with(folder))
        std::from_chars(path.begin() + folder.size(), path.end(), number);
    return number;
}

/// A descriptor, or -1 with errno.
int connect_to(const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    path.copy(address.sun_path, path.size());
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        return descriptor;
    const int why = errno;
    close(descriptor);
    errno = why;
    return -1;
}

}  // namespace

result<file_console> file_console::open(const std::string& path) {
    // In a mode of its own: a terminal that others have open too keeps theirs.
    int descriptor = ::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 && errno == ENXIO)  // a socket
        descriptor = number_in(path) < 0 ? connect_to(path) : fcntl(number_in(path), F_DUPFD_CLOEXEC, 0);
    if (descriptor < 0)
        return failure{error{std::error_code{errno, std::generic_category()}, "open a console:", path}};
    return file_console{descriptor};
}

file_console::~file_console() {
    if (descriptor_ >= 0)
        close(descriptor_);
}

result<std::vector<console_entry>> parse_consoles(std::string_view text) {
    std::vector<console_entry> entries;
    for (const auto part : divide(text, ':')) {
        if (part.empty())
            continue;
        auto [name, path] = read_named_file(part);
        if (name.empty() || std::ranges::any_of(entries, [&](auto& one) { return one.called.name == name; }))
            return failure{error{std::make_error_code(std::errc::invalid_argument),
                                 "read HALVM_CONSOLES: NAME=FILE is wanted, not", part}};
        entries.push_back({{std::to_string(entries.size() + 1), std::move(name)}, std::move(path)});
    }
    return entries;
}

result<std::vector<console_name>> consoles() {
    const auto entries = own_consoles();
    if (!entries)
        return failure(entries.error());
    return names_of(*entries);
}

result<file_console> open_console(std::string_view name) {
    const auto entries = own_consoles();
    if (!entries)
        return failure(entries.error());
    const auto found = find_console(names_of(*entries), name);
    if (!found)
        return failure(found.error());
    return file_console::open((*entries)[*found].path);
}

}  // namespace halvm::process
