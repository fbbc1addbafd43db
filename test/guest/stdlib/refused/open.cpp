// SPDX-License-Identifier: BSD-3-Clause
// feature: files by descriptor: `open`, `stat`, `unlink`, `getcwd`
// status: fails to link
// detail: getcwd, open, stat, unlink
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int halvm_main() {
    struct stat status;
    char folder[80];
    return open("/etc/motd", O_RDONLY) + stat("/", &status) + unlink("/tmp/x") +
           (getcwd(folder, sizeof folder) != nullptr);
}
