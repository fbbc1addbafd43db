// SPDX-License-Identifier: BSD-3-Clause
// What each thread has of its own: thread_local objects with constructors and destructors, errno, exceptions in flight.
#include "report.hpp"

#include <pthread.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

int living = 0;
std::string ended;

struct counted {
    counted() { ++living; }
    ~counted() {
        --living;
        ended += name;
    }
    char name = '?';
};

thread_local counted outer;
thread_local counted inner;
thread_local int plain = 17;
alignas(64) thread_local char aligned[64];

void objects() {
    std::vector<std::jthread> some;
    for (int i = 0; i != 3; ++i)
        some.emplace_back([] {
            HALVM_CHECK(plain == 17 && reinterpret_cast<std::uintptr_t>(aligned) % 64 == 0);
            outer.name = 'o';
            inner.name = 'i';
            plain = 4;
            std::this_thread::yield();
        });
    std::this_thread::yield();
    HALVM_CHECK(living == 6 && plain == 17);
    some.clear();
    HALVM_CHECK(living == 0 && ended == "ioioio");
}

/// A thread's objects end before what it stored under pthread keys.
void before_keys() {
    ended.clear();
    pthread_key_t key;
    HALVM_CHECK(pthread_key_create(&key, [](void*) { ended += 'k'; }) == 0);
    std::thread{[&] {
        pthread_setspecific(key, &ended);
        outer.name = 'o';
    }}.join();
    HALVM_CHECK(ended == "ok" || ended == "?ok");
    pthread_key_delete(key);
}

void error_numbers() {
    errno = 3;
    std::thread{[] {
        HALVM_CHECK(errno == 0);
        errno = 5;
    }}.join();
    HALVM_CHECK(errno == 3);
}

void exceptions() {
    std::string caught;
    const auto thrower = [&](std::string text) {
        return [&caught, text] {
            try {
                throw std::runtime_error{text};
            } catch (const std::exception&) {
                std::this_thread::yield();
                try {
                    throw;
                } catch (const std::exception& again) {
                    std::this_thread::yield();
                    caught += again.what();
                }
            }
            HALVM_CHECK(std::current_exception() == nullptr);
        };
    };
    {
        std::jthread a{thrower("a")};
        std::jthread b{thrower("b")};
        std::jthread c{thrower("c")};
    }
    HALVM_CHECK(caught == "abc");
    // A destructor that waits while an exception is in flight.
    struct waits {
        ~waits() {
            HALVM_CHECK(std::uncaught_exceptions() == 1);
            std::thread{[] { HALVM_CHECK(std::uncaught_exceptions() == 0); }}.join();
        }
    };
    HALVM_CHECK(report::throws<int>([] {
        const waits one;
        throw 1;
    }));
}

}  // namespace

int halvm_main() {
    objects();
    before_keys();
    error_numbers();
    exceptions();
    return report::verdict("locals");
}
