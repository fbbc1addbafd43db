// SPDX-License-Identifier: BSD-3-Clause
// feature: a wait that nobody can end: a `std::mutex` locked twice, `std::condition_variable::wait`
// outcome: a panic that names the call
#include <mutex>

int halvm_main() {
    std::mutex mutex;
    mutex.lock();
    mutex.lock();
    return 0;
}
