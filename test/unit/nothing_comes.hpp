// SPDX-License-Identifier: BSD-3-Clause
// One of everything that a fiber or a coroutine can wait for, and none of it comes.
#pragma once

#include "fiber_world.hpp"

namespace halvm::test {

struct nothing_comes {
    fiber::handle<void> ends{};  // holds the locks
    fiber::mutex lock{};
    fiber::recursive_mutex again{};
    fiber::shared_mutex shared{};
    fiber::semaphore free{0};
    fiber::event happened{};
    fiber::latch gate{2};
    fiber::wait_group work{};
    fiber::barrier meeting{2};
    fiber::condition_variable changed{};
    mvar<int> empty{};
    mvar<int> full{1};
    channel<int> vacant{};
    channel<int> meets{0};
    fiber::mutex own{};

    void hold() {
        work.add();
        ends = fiber::spawn([this](std::stop_token stop) {
            lock.lock(), again.lock(), shared.lock();
            fiber::sleep(stop);
            lock.unlock(), again.unlock(), shared.unlock();
        });
        fiber::yield();
    }
    void release() {
        ends.request_stop();
        ends.join();
    }
};

}  // namespace halvm::test
