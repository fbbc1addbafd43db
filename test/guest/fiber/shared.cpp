// SPDX-License-Identifier: BSD-3-Clause
// std::shared_mutex and std::shared_timed_mutex: readers together, writers alone, nobody starves.
#include "report.hpp"

#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

void in_turn() {
    std::shared_mutex mutex;
    std::string order;
    const auto reader = [&](char letter) {
        return [&, letter] {
            const std::shared_lock lock{mutex};
            order += letter;
            std::this_thread::yield();
        };
    };
    mutex.lock_shared();
    std::vector<std::jthread> some;
    some.emplace_back(reader('a'));
    some.emplace_back([&] {
        const std::unique_lock lock{mutex};
        order += 'W';
        std::this_thread::yield();
        order += 'w';
    });
    some.emplace_back(reader('b'));
    some.emplace_back(reader('c'));
    std::this_thread::yield();
    // The readers behind the writer wait for it.
    HALVM_CHECK(order == "a");
    mutex.unlock_shared();
    some.clear();
    HALVM_CHECK(order == "aWwbc");
    HALVM_CHECK(mutex.try_lock());
    mutex.unlock();
}

void writer_gives_up() {
    std::shared_timed_mutex mutex;
    mutex.lock_shared();
    bool wrote = true;
    bool read = false;
    std::jthread writer{[&] { wrote = mutex.try_lock_for(50ms); }};
    std::jthread reader{[&] {
        std::this_thread::yield();
        const std::shared_lock lock{mutex};
        read = !wrote;
    }};
    writer.join();
    reader.join();
    HALVM_CHECK(read);
    mutex.unlock_shared();
}

void twice() {
    std::shared_mutex mutex;
    const std::unique_lock lock{mutex};
    bool refused = false;
    try {
        mutex.lock();
    } catch (const std::system_error& error) {
        refused = error.code() == std::errc::resource_deadlock_would_occur;
    }
    HALVM_CHECK(refused);
}

}  // namespace

int halvm_main() {
    in_turn();
    writer_gives_up();
    twice();
    return report::verdict("shared");
}
