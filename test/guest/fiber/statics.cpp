// SPDX-License-Identifier: BSD-3-Clause
// A static object whose constructor waits: others that come by wait for it, and one that threw is tried again.
#include "report.hpp"

#include <chrono>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

int constructed = 0;

struct slow {
    slow() {
        std::this_thread::sleep_for(5ms);
        value = ++constructed;
    }
    int value;
};

int shared_value() {
    static const slow one;
    return one.value;
}

int tries = 0;

struct failing {
    failing() {
        std::this_thread::yield();
        if (++tries < 3)
            throw tries;
    }
};

bool make_failing() {
    try {
        static const failing one;
    } catch (int) {
        return false;
    }
    return true;
}

}  // namespace

int halvm_main() {
    std::vector<std::jthread> some;
    for (int i = 0; i != 6; ++i)
        some.emplace_back([] { HALVM_CHECK(shared_value() == 1); });
    some.clear();
    HALVM_CHECK(constructed == 1);

    int made = 0;
    for (int i = 0; i != 6; ++i)
        some.emplace_back([&] { made += make_failing(); });
    some.clear();
    HALVM_CHECK(tries == 3 && made == 4);
    return report::verdict("statics");
}
