// SPDX-License-Identifier: BSD-3-Clause
// Programs for the thread sanitizer. Those that are planted race, each in one place; the others do not, in any way in
// which threads, fibers and coroutines may take turns.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/program.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
namespace fiber = halvm::fiber;

namespace {

// What the threads touch. volatile, so that each access is made.
volatile long counter = 0;

void add() {
    const long before = counter;
    std::this_thread::yield();
    counter = before + 1;
}

void planted_in_threads() { std::jthread one{add}, other{add}; }

void planted_in_fibers() {
    auto one = fiber::spawn(add);
    auto other = fiber::spawn(add);
}

/// Both hold a lock, but not the same.
void planted_under_locks() {
    fiber::mutex left, right;
    const auto under = [](fiber::mutex& mutex) {
        return [&mutex] {
            mutex.lock();
            add();
            mutex.unlock();
        };
    };
    auto one = fiber::spawn(under(left));
    auto other = fiber::spawn(under(right));
}

/// Both take turns at everything but what they touch.
void planted_between_turns() {
    fiber::mutex mutex;
    fiber::shared_mutex shared;
    fiber::semaphore some{2};
    fiber::event go;
    fiber::barrier together{2};
    halvm::channel<int> numbers{1};
    long guarded = 0;
    const auto body = [&] {
        go.wait();
        {
            const std::lock_guard lock{mutex};
            ++guarded;
        }
        some.acquire();
        together.arrive_and_wait();
        add();
        some.release();
        const std::shared_lock lock{shared};
        HALVM_CHECK(numbers.send(1).has_value());
    };
    auto one = fiber::spawn(body);
    auto other = fiber::spawn(body);
    fiber::yield();
    go.set();
    HALVM_CHECK(numbers.receive().has_value() && numbers.receive().has_value());
}

void locks_of_fibers() {
    fiber::mutex mutex;
    fiber::recursive_mutex recursive;
    fiber::shared_mutex shared;
    fiber::condition_variable changed;
    long under_mutex = 0, under_recursive = 0, under_shared = 0;
    bool open = false;
    const auto step = [](long& value) {
        const long before = value;
        fiber::yield();
        value = before + 1;
    };
    std::vector<fiber::handle<void>> some;
    for (int i = 0; i != 4; ++i)
        some.push_back(fiber::spawn([&] {
            {
                std::unique_lock lock{mutex};
                changed.wait(lock, [&] { return open; });
                step(under_mutex);
            }
            for (int round = 0; round != 3; ++round) {
                while (!mutex.lock(fiber::within(1us)))
                    fiber::yield();
                step(under_mutex);
                mutex.unlock();
                while (!mutex.try_lock())
                    fiber::yield();
                step(under_mutex);
                mutex.unlock();
            }
            {
                const std::lock_guard outer{recursive};
                const std::lock_guard inner{recursive};
                step(under_recursive);
            }
            {
                const std::lock_guard lock{shared};
                step(under_shared);
            }
            while (!shared.lock(fiber::within(1us)))
                fiber::yield();
            step(under_shared);
            shared.unlock();
            const std::shared_lock lock{shared};
            HALVM_CHECK(under_shared > 0);
            fiber::yield();
        }));
    fiber::yield();
    {
        const std::lock_guard lock{mutex};
        open = true;
    }
    changed.notify_one();
    changed.notify_all();
    some.clear();
    HALVM_CHECK(under_mutex == 28 && under_recursive == 4 && under_shared == 8);
}

/// What one fiber has written, another reads, once for each way to tell it so.
void meetings_of_fibers() {
    constexpr int count = 4;
    fiber::semaphore turn{1};
    fiber::event go;
    fiber::latch ready{count};
    fiber::barrier round{count};
    fiber::wait_group work;
    work.add(count);
    long value = 0, written_before_go = 0;
    std::vector<int> marks(count), rounds(count);
    const auto all_are = [](const std::vector<int>& these, int what) {
        for (const int one : these)
            HALVM_CHECK(one == what);
    };
    std::vector<fiber::handle<void>> some;
    for (std::size_t i = 0; i != count; ++i)
        some.push_back(fiber::spawn([&, i] {
            HALVM_CHECK(go.wait() && written_before_go == 1);
            marks[i] = 1;
            ready.arrive_and_wait();
            all_are(marks, 1);
            for (int number = 1; number != 4; ++number) {
                if (number % 2 == 0)
                    HALVM_CHECK(round.arrive_and_wait(fiber::within(1h)).has_value());
                else
                    round.arrive_and_wait();
                rounds[i] = number;
                round.arrive_and_wait();
                all_are(rounds, number);
            }
            while (!turn.acquire(fiber::within(1us)))
                fiber::yield();
            const long before = value;
            fiber::yield();
            value = before + 1;
            turn.release();
            marks[i] = 2;
            work.done();
            fiber::yield();
        }));
    fiber::yield();
    written_before_go = 1;
    go.set();
    HALVM_CHECK(work.wait());
    all_are(marks, 2);
    turn.acquire();
    HALVM_CHECK(value == count);
    turn.release();
}

void values_between_fibers() {
    const std::string text = "a word that is too long for its object";
    halvm::channel<std::string> words{2}, direct{0};
    halvm::mvar<std::vector<int>> box;
    fiber::event over;
    std::vector<fiber::handle<void>> some;
    for (int i = 0; i != 4; ++i)
        some.push_back(fiber::spawn([&] {
            for (int round = 0; round != 3; ++round) {
                HALVM_CHECK(words.send(text).has_value());
                std::optional<std::string> chosen{text};
                HALVM_CHECK(*fiber::select({}, fiber::happening(over), fiber::sending(direct, chosen)) == 1);
            }
        }));
    auto counting = fiber::spawn([&] {
        for (int i = 0; i != 5; ++i) {
            HALVM_CHECK(box.put(std::vector<int>(100, i)).has_value());
            fiber::sleep(fiber::within(1us));
        }
    });
    auto reading = fiber::spawn([&] { HALVM_CHECK(box.read().value().size() == 100); });
    int received = 0, taken = 0;
    while (received != 24 || taken != 5) {
        std::optional<std::string> word, other;
        std::optional<std::vector<int>> numbers;
        const auto which = fiber::select({}, fiber::receiving(words, word), fiber::receiving(direct, other),
                                         fiber::taking(box, numbers), fiber::after(1h));
        received += (word == text) + (other == text);
        if (numbers)
            HALVM_CHECK(numbers->at(99) == taken++);
        HALVM_CHECK(which.has_value() && *which != 3);
    }
    over.set();
    words.close();
    HALVM_CHECK(!words.receive().has_value());
    reading = {};
    // Stacks are used again by others, without anybody having joined.
    for (int i = 0; i != 50; ++i) {
        fiber::spawn([] { const std::string own(500, 'x'); }).detach();
        fiber::yield();
    }
}

fiber::coroutine<> turns(fiber::mutex& mutex, fiber::semaphore& some, fiber::event& go, halvm::channel<int>& numbers,
                         long& value) {
    co_await fiber::co::wait(go);
    for (int round = 0; round != 3; ++round) {
        {
            const auto held = co_await fiber::co::lock(mutex);
            const long before = value;
            co_await fiber::co::sleep(fiber::within(1us));
            value = before + 1;
        }
        co_await fiber::co::acquire(some, fiber::within(1us));
        some.release();
        HALVM_CHECK((co_await fiber::co::send(numbers, round)).has_value());
    }
}

/// In two fibers, with a third.
void coroutines() {
    fiber::mutex mutex;
    fiber::semaphore some{1};
    fiber::event go;
    halvm::channel<int> numbers{1};
    long value = 0;
    const auto crew = [&] {
        fiber::crew own;
        own.start(turns(mutex, some, go, numbers, value));
        own.start(turns(mutex, some, go, numbers, value));
        own.run();
    };
    auto one = fiber::spawn(crew);
    auto other = fiber::spawn(crew);
    fiber::yield();
    go.set();
    int sum = 0;
    for (int i = 0; i != 12; ++i) {
        sum += numbers.receive().value();
        const std::lock_guard lock{mutex};
        ++value;
    }
    one.join();
    other.join();
    HALVM_CHECK(sum == 12 && value == 24);
}

void standard_library() {
    std::mutex mutex;
    std::shared_mutex shared;
    std::condition_variable changed;
    std::counting_semaphore<1> turn{1};
    std::once_flag once;
    std::latch ready{4};
    long value = 0, guarded = 0, initialised = 0, under_shared = 0;
    bool open = false;
    std::vector<std::jthread> some;
    for (int i = 0; i != 4; ++i)
        some.emplace_back([&] {
            ready.arrive_and_wait();
            std::call_once(once, [&] {
                std::this_thread::yield();
                initialised = 1;
            });
            HALVM_CHECK(initialised == 1);
            static const std::string made = std::to_string(initialised);
            HALVM_CHECK(made == "1");
            {
                std::unique_lock lock{mutex};
                changed.wait(lock, [&] { return open; });
                const long before = value;
                std::this_thread::yield();
                value = before + 1;
            }
            turn.acquire();
            ++guarded;
            turn.release();
            {
                const std::unique_lock lock{shared};
                ++under_shared;
            }
            const std::shared_lock lock{shared};
            HALVM_CHECK(under_shared > 0);
            std::this_thread::yield();
        });
    {
        const std::lock_guard lock{mutex};
        open = true;
    }
    changed.notify_all();
    some.clear();
    HALVM_CHECK(value == 4 && guarded == 4 && under_shared == 4);
    std::string text;
    auto later = std::async(std::launch::async, [&] {
        std::this_thread::sleep_for(1ms);
        text = "told";
        return 7;
    });
    HALVM_CHECK(later.get() == 7 && text == "told");
}

}  // namespace

int halvm_main() {
    const std::string_view what = halvm::arguments()[0];
    if (what == "threads")
        planted_in_threads();
    if (what == "fibers")
        planted_in_fibers();
    if (what == "locks")
        planted_under_locks();
    if (what == "turns")
        planted_between_turns();
    if (what == "own") {
        locks_of_fibers();
        meetings_of_fibers();
        values_between_fibers();
    }
    if (what == "coroutines")
        coroutines();
    if (what == "standard")
        standard_library();
    return report::verdict("races");
}
