// SPDX-License-Identifier: BSD-3-Clause
// Xen's mechanisms in a domain, counted: run where one instruction is one tick of the time stamp counter. What Xen
// executes for the domain counts too. Each mechanism has a function here, and prints its figures beside the cost of
// the hypercall that it stands on.
#include <halvm/fiber.hpp>
#include <halvm/xen/events.hpp>

#include <cstdint>
#include <cstdio>

namespace {

namespace fiber = halvm::fiber;
namespace xen = halvm::xen;

constexpr int times = 10'000;

std::uint64_t ticks() { return __builtin_ia32_rdtsc(); }

/// Instructions of one of `times` that `run` does.
template <class Run>
unsigned long counted(Run run) {
    run();  // what is done once
    const auto before = ticks();
    for (int i = 0; i < times; ++i)
        run();
    return static_cast<unsigned long>((ticks() - before) / times);
}

void print(const char* metric, unsigned long ours, const char* rival, unsigned long theirs) {
    std::printf("%s\t%lu\t%s\t%lu\n", metric, ours, rival, theirs);
}

void events() {
    xen::guest domain;
    auto& channels = xen::events();
    auto here = channels.alloc_unbound(xen::self).value();
    auto there = channels.bind_interdomain(xen::self, here.number()).value();
    evtchn_send_t request{xen::raw(there.number())};
    const auto bare = counted([&] { xen::call(domain, __HYPERVISOR_event_channel_op, EVTCHNOP_send, &request); });
    print("event: send", counted([&] { (void)there.send(); }), "bare hypercall to send", bare);
    print("event: send, and receive what is there", counted([&] {
              (void)there.send();
              (void)here.wait();
          }),
          "bare hypercall to send", bare);
    bool ended = false;
    auto waiting = fiber::spawn([&] {
        while (here.wait() && !ended) {}
    });
    fiber::yield();
    print("event: send, and wake the fiber that waits", counted([&] {
              (void)there.send();
              channels.poll();
              fiber::yield();
          }),
          "bare hypercall to send", bare);
    ended = true;
    (void)there.send();
    waiting.join();
}

}  // namespace

int halvm_main() {
    events();
    return 0;
}
