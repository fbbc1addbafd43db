// SPDX-License-Identifier: BSD-3-Clause
// Runs something in a process of its own: what must end the program, or needs one that is set up otherwise.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace halvm::test {

struct child_end {
    int exit_status;  ///< -1 when a signal ended the child
    int signal;       ///< 0 when it exited by itself
    std::string errors;
};

/// `work` runs in the child; its value is the exit status. What it writes to standard error is collected.
template <class Work>
child_end in_child(Work work) {
    std::array<int, 2> errors;
    REQUIRE(pipe(errors.data()) == 0);
    std::fflush(nullptr);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        dup2(errors[1], STDERR_FILENO);
        std::signal(SIGABRT, SIG_DFL);  // doctest would report it as a failure of the parent's test
        _exit(work());
    }
    close(errors[1]);
    child_end end{};
    std::array<char, 512> chunk;
    for (ssize_t count; (count = ::read(errors[0], chunk.data(), chunk.size())) > 0;)
        end.errors.append(chunk.data(), static_cast<std::size_t>(count));
    close(errors[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return end;
}

/// `work` must end the program with a panic that says `words`. Runs in a copy of the process.
template <class Work>
void check_panic(std::string_view words, Work work) {
    const auto end = in_child([&work] {
        work();
        return 0;
    });
    CAPTURE(words);
    CAPTURE(end.errors);
    CHECK(end.signal == SIGABRT);
    CHECK(end.errors.find("panic: ") != std::string::npos);
    CHECK(end.errors.find(words) != std::string::npos);
}

}  // namespace halvm::test
