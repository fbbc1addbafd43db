// SPDX-License-Identifier: BSD-3-Clause
// feature: operations of `<filesystem>`: `exists`, `create_directory`, `directory_iterator`
// status: fails to link
// detail: mkdir, openat, readdir, stat
#include <filesystem>

int halvm_main() {
    std::filesystem::create_directory("/tmp/folder");
    int count = std::filesystem::exists("/etc/motd");
    for (const auto& entry : std::filesystem::directory_iterator{"/"})
        count += entry.path().empty();
    return count;
}
