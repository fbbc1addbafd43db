// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes a disk: so many requests of so many bytes, in order or at random places, so many in flight, each by
// a fiber of its own.
#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/xen/disks.hpp>
#include <halvm/xen/vcpu.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

namespace {

using namespace halvm;

/// As in "read:random:4096:32:1000:foreign".
struct load {
    bool reads;
    bool random;
    std::size_t size;
    unsigned long fibers;
    std::uint64_t count;
    bool foreign;  ///< memory of the program's, which is granted for each request, or copied
};

load parse(const char* text) {
    char operation[8]{};
    char order[16]{};
    char memory[8]{};
    load one{};
    std::sscanf(text, "%7[^:]:%15[^:]:%zu:%lu:%lu:%7s", operation, order, &one.size, &one.fibers, &one.count, memory);
    one.reads = std::string_view{operation} == "read";
    one.random = std::string_view{order} == "random";
    one.foreign = std::string_view{memory} == "foreign";
    return one;
}

void run(xen::blkfront& disk, const load& what, std::uint64_t count) {
    const auto places = disk.info().sectors * disk.info().sector_size / what.size;
    const auto sectors = what.size / disk.info().sector_size;
    std::uint64_t next = 0;
    std::uint64_t seed = 1;
    std::vector<fiber::handle<void>> all;
    for (unsigned long i = 0; i < what.fibers; ++i)
        all.push_back(fiber::spawn([&] {
            auto own = disk.allocate(what.size).value();
            std::vector<std::byte> foreign(what.foreign ? what.size + 4096 : 0);
            const auto aligned = (4096 - reinterpret_cast<std::uintptr_t>(foreign.data()) % 4096) % 4096;
            const bytes data = what.foreign ? bytes{foreign}.subspan(aligned, what.size) : bytes{own};
            while (count != 0) {
                --count;
                seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
                const auto first = (what.random ? (seed >> 33) % places : next++ % places) * sectors;
                if (!(what.reads ? read(disk, first, data) : write(disk, first, data)))
                    std::puts("error");
            }
        }));
    for (auto& one : all)
        one.join();
}

/// Nanoseconds of this domain's and Xen's for telling the other end of a port.
long long notification(auto ran) {
    auto& channels = xen::events();
    auto ours = channels.alloc_unbound(xen::self).value();
    auto theirs = channels.bind_interdomain(xen::self, ours.number()).value();
    constexpr int times = 1000;
    const auto before = ran();
    for (int i = 0; i < times; ++i)
        static_cast<void>(theirs.send());
    return static_cast<long long>((ran() - before).count()) / times;
}

}  // namespace

int halvm_main() {
    xen::guest domain;
    const auto ran = [&] { return xen::vcpu_run_times(domain, xen::vcpu{}).value().running; };
    const auto words = arguments();
    auto disk = xen::open_disk("xvda", {.persistent = std::string_view{words[0]} == "persistent"}).value();
    std::printf("persistent %d, %u references, %lld ns for a notification\n", disk.features().persistent,
                xen::grants().statistics().in_use, notification(ran));
    fiber::sleep(fiber::within(std::chrono::milliseconds{100}));
    for (const char* const word : words.subspan(1)) {
        const load what = parse(word);
        // What is made once is made before.
        run(disk, what, what.fibers * 4);
        const auto before = disk.statistics();
        const auto ran_before = ran();
        const auto begin = fiber::clock::now();
        run(disk, what, what.count);
        const auto took = fiber::clock::now() - begin;
        const auto ran_for = ran() - ran_before;
        const auto& after = disk.statistics();
        std::printf("%s %lld ns, %lld run, %lu notifications, %lu in the ring, %lu merged, %lu copied, %u references\n",
                    word, static_cast<long long>(took.count()), static_cast<long long>(ran_for.count()),
                    after.notifications - before.notifications, after.requests - before.requests,
                    after.merged - before.merged, after.bounced - before.bounced, xen::grants().statistics().in_use);
    }
    return 0;
}
