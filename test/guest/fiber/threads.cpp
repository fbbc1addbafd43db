// SPDX-License-Identifier: BSD-3-Clause
// std::thread and std::jthread.
#include "report.hpp"

#include <chrono>
#include <set>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

bool fails_with(std::errc expected, auto&& call) {
    try {
        call();
    } catch (const std::system_error& error) {
        return error.code() == expected;
    }
    return false;
}

void join() {
    std::string text;
    std::thread one{[&text](std::string given, int count) {
                        for (int i = 0; i != count; ++i)
                            text += given;
                    },
                    "ab", 3};
    HALVM_CHECK(text.empty() && one.joinable());
    one.join();
    HALVM_CHECK(text == "ababab" && !one.joinable());
    HALVM_CHECK(fails_with(std::errc::invalid_argument, [&] { one.join(); }));
    HALVM_CHECK(fails_with(std::errc::invalid_argument, [&] { one.detach(); }));
}

void identity() {
    std::set<std::thread::id> ids{std::this_thread::get_id()};
    std::vector<std::thread> some;
    for (int i = 0; i != 8; ++i)
        some.emplace_back([&] { ids.insert(std::this_thread::get_id()); });
    for (auto& one : some)
        HALVM_CHECK(ids.count(one.get_id()) == 0);
    for (auto& one : some)
        one.join();
    HALVM_CHECK(ids.size() == 9);
}

void join_itself() {
    std::thread one;
    bool refused = false;
    one = std::thread{[&] { refused = fails_with(std::errc::resource_deadlock_would_occur, [&] { one.join(); }); }};
    one.join();
    HALVM_CHECK(refused);
}

void detach() {
    bool ran = false;
    std::thread{[&] {
        std::this_thread::sleep_for(5ms);
        ran = true;
    }}.detach();
    HALVM_CHECK(!ran);
    while (!ran)
        std::this_thread::sleep_for(1ms);
}

void stop() {
    int rounds = 0;
    bool told = false;
    {
        std::jthread one{[&](std::stop_token token) {
            const std::stop_callback on_stop{token, [&] { told = true; }};
            while (!token.stop_requested()) {
                ++rounds;
                std::this_thread::yield();
            }
        }};
        while (rounds < 3)
            std::this_thread::yield();
        HALVM_CHECK(!told);
    }
    HALVM_CHECK(told && rounds >= 3);
}

void fair() {
    std::string order;
    const auto writer = [&](char letter) {
        return [&order, letter] {
            for (int i = 0; i != 3; ++i) {
                order += letter;
                std::this_thread::yield();
            }
        };
    };
    std::thread a{writer('a')};
    std::thread b{writer('b')};
    std::thread c{writer('c')};
    a.join();
    b.join();
    c.join();
    HALVM_CHECK(order == "abcabcabc");
}

}  // namespace

int halvm_main() {
    join();
    identity();
    join_itself();
    detach();
    stop();
    fair();
    return report::verdict("threads");
}
