// SPDX-License-Identifier: BSD-3-Clause
// feature: processes: `fork`, `execv`, `waitpid`, `kill`, `getpid`
// status: fails to link
// detail: execv, fork, getpid, kill, waitpid
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

int halvm_main() {
    const pid_t child = fork();
    char* arguments[] = {nullptr};
    if (child == 0)
        execv("/bin/true", arguments);
    return waitpid(child, nullptr, 0) + kill(getpid(), SIGTERM);
}
