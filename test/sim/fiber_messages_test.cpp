// SPDX-License-Identifier: BSD-3-Clause
// mvar, channel and event under random schedules: each value that was sent arrives once, in its sender's order, and
// none other.
#include "schedules.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

namespace {

using namespace halvm;
using test::schedule;
using test::schedules;

constexpr unsigned seeds = 4'000;

struct message {
    std::size_t sender;
    int number;
    std::unique_ptr<int> owned = std::make_unique<int>(number);
};

/// What was sent and has not been received.
class under_way {
public:
    void sent(std::size_t sender, int number) { REQUIRE(sent_.emplace(sender, number).second); }
    void received(std::size_t receiver, const message& one) {
        REQUIRE(one.owned);
        REQUIRE(*one.owned == one.number);
        // It may arrive before its sender is told that it was sent.
        REQUIRE(received_.emplace(one.sender, one.number).second);
        // Of what one receiver gets from one sender, what is sent first is received first.
        const auto [last, first_time] = last_.emplace(std::pair{receiver, one.sender}, one.number);
        REQUIRE((first_time || last->second < one.number));
        last->second = one.number;
    }
    void check_all() const { REQUIRE(sent_ == received_); }

private:
    std::set<std::pair<std::size_t, int>> sent_;
    std::set<std::pair<std::size_t, int>> received_;
    std::map<std::pair<std::size_t, std::size_t>, int> last_;
};

TEST_CASE("channel: each value arrives once and in order, until it is closed and empty") {
    schedules(seeds, [](schedule& s) {
        const std::size_t capacity = s.once_in(4) ? fiber::unbounded : s.any(4);
        channel<message> queue{capacity};
        under_way model;
        const std::size_t senders = 1 + s.any(4);
        const std::size_t receivers = 1 + s.any(4);
        std::size_t sending = senders;
        const bool closed_early = s.once_in(3);
        s.run(senders + receivers, [&](std::size_t who) {
            if (who < senders) {
                for (int number = 0; number < 10; ++number) {
                    s.pause();
                    if (s.once_in(12))
                        s.stop_some();
                    if (closed_early && s.once_in(20))
                        queue.close();
                    if (s.once_in(5)) {
                        message one{who, number};
                        if (queue.try_send(one))
                            model.sent(who, number);
                        else
                            REQUIRE(one.owned);
                    } else if (const auto done = queue.send({who, number}, s.limit())) {
                        model.sent(who, number);
                    } else if (queue.closed() && s.once_in(2)) {
                        break;
                    }
                    REQUIRE((capacity == fiber::unbounded || queue.size() <= capacity));
                }
                if (--sending == 0)
                    queue.close();
                return;
            }
            for (;;) {
                s.pause();
                if (s.once_in(6)) {
                    if (const auto one = queue.try_receive())
                        model.received(who, *one);
                    continue;
                }
                const auto one = queue.receive(s.limit());
                if (one)
                    model.received(who, *one);
                else if (one.error() == std::make_error_code(std::errc::broken_pipe))
                    break;
            }
        });
        REQUIRE(queue.size() == 0);
        model.check_all();
    });
}

TEST_CASE("select: among channels, an mvar and a time, each value arrives once") {
    schedules(seeds, [](schedule& s) {
        channel<message> left{s.any(3)};
        channel<message> right{s.any(3)};
        mvar<message> place;
        under_way model;
        const std::size_t senders = 1 + s.any(4);
        std::size_t sending = senders;
        s.run(senders + 1 + s.any(4), [&](std::size_t who) {
            std::optional<message> one;
            std::optional<message> other;
            std::optional<message> third;
            for (int number = 0; who < senders && number < 8; ++number) {
                s.pause();
                if (s.once_in(12))
                    s.stop_some();
                one.emplace(message{who, number});
                if (s.once_in(3)) {
                    if (place.put(std::move(*one), s.limit()))
                        model.sent(who, number);
                    continue;
                }
                const auto which = fiber::select(s.limit(), fiber::sending(left, one), fiber::sending(right, one),
                                                 fiber::after(std::chrono::nanoseconds{1 + s.any(5'000)}));
                REQUIRE((which && *which < 2) == !one);
                if (!one)
                    model.sent(who, number);
            }
            if (who < senders) {
                --sending;
                return;
            }
            while (sending != 0 || left.size() != 0 || right.size() != 0 || !place.empty()) {
                s.pause();
                const auto which =
                    fiber::select({}, fiber::receiving(left, one), fiber::taking(place, third),
                                  fiber::receiving(right, other), fiber::after(std::chrono::nanoseconds{2'000}));
                REQUIRE(which);
                REQUIRE(one.has_value() + other.has_value() + third.has_value() == (*which < 3));
                for (const auto* each : {&one, &third, &other})
                    if (*each)
                        model.received(3 * who + (each == &one ? 0U : each == &third ? 1U : 2U), **each);
            }
        });
        model.check_all();
    });
}

TEST_CASE("mvar: each value is taken once and in order, and reading takes none") {
    schedules(seeds, [](schedule& s) {
        mvar<std::shared_ptr<message>> place;
        under_way model;
        const std::size_t putters = 1 + s.any(4);
        const std::size_t others = 1 + s.any(4);
        std::size_t putting = putters;
        s.run(putters + others, [&](std::size_t who) {
            if (who < putters) {
                for (int number = 0; number < 8; ++number) {
                    s.pause();
                    if (s.once_in(12))
                        s.stop_some();
                    auto one = std::make_shared<message>(message{who, number});
                    if (s.once_in(5) ? place.try_put(one) : place.put(one, s.limit()).has_value())
                        model.sent(who, number);
                }
                --putting;
                return;
            }
            while (putting != 0 || !place.empty()) {
                s.pause();
                const auto soon = fiber::within(std::chrono::nanoseconds{s.any(4'000)});
                if (s.once_in(3)) {
                    if (const auto one = place.read(soon))
                        REQUIRE((*one)->owned);
                } else if (s.once_in(4)) {
                    if (const auto one = place.try_take())
                        model.received(who, **one);
                } else if (const auto one = place.take(soon)) {
                    model.received(who, **one);
                } else {
                    fiber::sleep(fiber::within(std::chrono::nanoseconds{1}));
                }
            }
        });
        model.check_all();
    });
}

TEST_CASE("event: when it is set, nobody is left waiting") {
    schedules(seeds, [](schedule& s) {
        fiber::event happened;
        std::size_t waiting = 0;
        std::size_t returned = 0;
        bool done = false;
        auto setter = fiber::spawn([&] {
            while (!done) {
                s.pause();
                const std::size_t expected = returned + waiting;
                happened.set();
                if (s.once_in(2))
                    happened.reset();
                fiber::yield();
                REQUIRE(returned >= expected);
                happened.reset();
                fiber::sleep(fiber::within(std::chrono::nanoseconds{s.any(3'000)}));
            }
        });
        s.run(1 + s.any(8), [&](std::size_t) {
            for (int round = 0; round < 6; ++round) {
                s.pause();
                if (s.once_in(12))
                    s.stop_some();
                ++waiting;
                happened.wait(s.limit());
                --waiting;
                ++returned;
            }
        });
        done = true;
        setter.join();
    });
}

}  // namespace
