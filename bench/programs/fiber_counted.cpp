// SPDX-License-Identifier: BSD-3-Clause
// Fibers in a domain, counted: run where one instruction is one tick of the time stamp counter.
#include <halvm/fiber.hpp>

#include <boost/context/detail/fcontext.hpp>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

namespace fiber = halvm::fiber;
namespace context = boost::context::detail;

std::uint64_t ticks() { return __builtin_ia32_rdtsc(); }

template <class Run>
void print(const char* metric, std::uint64_t times, Run run) {
    const auto before = ticks();
    run();
    std::printf("%s\t%lu\n", metric, static_cast<unsigned long>((ticks() - before) / times));
}

void echo(context::transfer_t from) {
    for (;;)
        from = context::jump_fcontext(from.fctx, nullptr);
}

}  // namespace

int halvm_main() {
    constexpr int times = 20'000;

    std::vector<char> stack(16384);
    context::fcontext_t other = context::make_fcontext(stack.data() + stack.size(), stack.size(), echo);
    print("bare jump of Boost.Context", 2 * times, [&] {
        for (int i = 0; i < times; ++i)
            other = context::jump_fcontext(other, nullptr).fctx;
    });

    const auto yield_often = [] {
        for (int i = 0; i < times; ++i)
            fiber::yield();
    };
    print("yield", 2 * times, [&] {
        auto left = fiber::spawn(yield_often);
        auto right = fiber::spawn(yield_often);
        left.join();
        right.join();
    });
    fiber::spawn([] {}).join();
    print("spawn and join", times, [&] {
        for (int i = 0; i < times; ++i)
            fiber::spawn([] {}).join();
    });
    print("message there and back over two mvars", times, [&] {
        halvm::mvar<int> there, back;
        auto echoing = fiber::spawn([&] {
            for (int i = 0; i < times; ++i)
                (void)back.put(there.take().value());
        });
        for (int i = 0; i < times; ++i) {
            (void)there.put(i);
            (void)back.take();
        }
        echoing.join();
    });
    print("message through a channel of 64", times, [&] {
        halvm::channel<int> queue{64};
        auto sending = fiber::spawn([&] {
            for (int i = 0; i < times; ++i)
                (void)queue.send(i);
        });
        for (int i = 0; i < times; ++i)
            (void)queue.receive();
        sending.join();
    });
    return 0;
}
