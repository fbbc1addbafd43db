// SPDX-License-Identifier: BSD-3-Clause
// feature: `<atomic>`, `<latch>`, `<barrier>`, `<stop_token>` in one thread
#include "report.hpp"

#include <atomic>
#include <barrier>
#include <latch>
#include <memory>
#include <stop_token>

int halvm_main() {
    std::atomic<long> counter{5};
    long expected = 5;
    HALVM_CHECK(counter.compare_exchange_strong(expected, 7) && counter.fetch_or(8) == 7 && counter == 15);
    std::atomic<std::shared_ptr<int>> pointer{std::make_shared<int>(3)};
    HALVM_CHECK(*pointer.load() == 3 && pointer.is_lock_free() == false);
    std::atomic_flag flag;
    HALVM_CHECK(!flag.test_and_set() && flag.test());
    std::latch latch{1};
    latch.count_down();
    latch.wait();
    std::barrier barrier{1};
    barrier.arrive_and_wait();
    std::stop_source source;
    bool stopped = false;
    const std::stop_callback callback{source.get_token(), [&] { stopped = true; }};
    HALVM_CHECK(source.request_stop() && stopped);
    return report::verdict("atomic");
}
