// SPDX-License-Identifier: BSD-3-Clause
// Sends frames, and receives what it asks dom0 for (tools/lab/dom0/frames.c): so many of such a size, as its words say.
// In the end: what the parts of the driver's work cost, each alone.
#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/xen/nics.hpp>
#include <halvm/xen/vcpu.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>
#include <vector>

namespace {

using namespace halvm;

constexpr std::size_t batch = 32;
constexpr std::uint16_t plain = 0x88b5;
constexpr std::uint16_t request = 0x88b7;

/// As in "receive:1500:20000".
struct load {
    char what[16]{};
    std::size_t size = 0;
    std::uint64_t count = 0;
};

load parse(const char* text) {
    load one;
    std::sscanf(text, "%15[^:]:%zu:%lu", one.what, &one.size, &one.count);
    return one;
}

void put(bytes into, std::size_t at, std::uint64_t value, std::size_t size) {
    for (std::size_t i = size; i-- != 0; value >>= 8)
        into[at + i] = static_cast<std::byte>(value);
}

/// The headers of a frame for the peer in dom0: Ethernet, IPv4 and TCP or UDP.
std::vector<std::byte> headers(xen::netfront& nic, std::uint16_t type, std::size_t size) {
    std::vector<std::byte> made(60);
    constexpr std::array<unsigned, 6> peer{2, 0, 0, 0, 0x88, 0xb5};
    for (std::size_t i = 0; i < 6; ++i) {
        made[i] = static_cast<std::byte>(peer[i]);
        made[6 + i] = static_cast<std::byte>(nic.info().mac.octets()[i]);
    }
    put(made, 12, type, 2);
    if (type != 0x0800)
        return made;
    put(made, 14, 0x4500, 2);
    put(made, 16, size - 14, 2);
    put(made, 22, 0x4006, 2);
    put(made, 26, 0x0a000002, 4);
    put(made, 30, 0x0a000001, 4);
    std::uint64_t sum = 0;
    for (std::size_t i = 14; i < 34; i += 2)
        sum += std::to_integer<unsigned>(made[i]) << 8 | std::to_integer<unsigned>(made[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    put(made, 24, ~(sum + (sum >> 16)) & 0xffff, 2);
    put(made, 46, 0x5010, 2);
    return made;
}

/// Headers that are written each time, as a program does, and a payload that is not; of joined segments all of it.
void send(xen::netfront& nic, const load& what, std::uint64_t count) {
    const bool joined = std::string_view{what.what} == "joined";
    const auto start = headers(nic, joined ? 0x0800 : plain, what.size);
    std::vector<std::byte> whole(joined ? what.size : start.size(), std::byte{7});
    std::ranges::copy(start, whole.begin());
    std::array<packet, batch> frames;
    std::size_t ready = 0;
    while (count != 0 || ready != 0) {
        for (const std::size_t most = joined ? 1 : batch; ready != most && count != 0; ++ready, --count) {
            auto frame = nic.allocate(what.size);
            if (!frame)
                break;
            frame->copy_in(0, whole);
            if (joined)
                frame->metadata() = {.checksum_start = 34,
                                     .checksum_at = 16,
                                     .segment_size = 1446,
                                     .header_length = 54,
                                     .checksum = packet_checksum::blank,
                                     .segmentation = packet_segmentation::tcp_ipv4};
            frames[ready] = std::move(*frame);
        }
        if (ready == 0) {
            // What is under way has all the memory.
            fiber::sleep(fiber::within(std::chrono::microseconds{20}));
            continue;
        }
        if (!nic.transmit(std::span{frames}.first(ready), {}))
            std::puts("error");
        ready = 0;
    }
}

/// Until all have come; what another domain says meanwhile is left out.
void receive(xen::netfront& nic, const load& what, std::uint64_t count) {
    auto ask = nic.allocate(14 + 16 + 60).value();
    auto start = headers(nic, request, 0);
    start.resize(14);
    start.resize(14 + 16 + 60);
    put(start, 14, count, 8);
    put(start, 22, what.size, 8);
    for (std::size_t i = 0; i < 6; ++i) {
        start[30 + i] = start[6 + i];
        start[36 + i] = start[i];
    }
    put(start, 42, plain, 2);
    ask.copy_in(0, start);
    if (!nic.transmit({&ask, 1}, {}))
        std::puts("error");
    std::uint64_t seen = 0;
    for (std::array<packet, batch> frames; seen != count;) {
        const auto got = nic.receive(frames, {});
        if (!got) {
            std::puts("error");
            return;
        }
        for (packet& one : std::span{frames}.first(*got)) {
            seen += one.size() == what.size ? 1 : 0;
            one = {};
        }
    }
}

void run(xen::netfront& nic, const load& what, std::uint64_t count) {
    if (std::string_view{what.what} == "receive")
        receive(nic, what, count);
    else
        send(nic, what, count);
}

/// The time stamp counter is the number of instructions then.
template <class Work>
void part(const char* name, Work work) {
    constexpr std::uint64_t times = 1000;
    std::uint64_t least = ~std::uint64_t{0};
    for (int round = 0; round < 5; ++round) {
        const std::uint64_t before = __builtin_ia32_rdtsc();
        for (std::uint64_t i = 0; i < times; ++i)
            work();
        least = std::min<std::uint64_t>(least, (__builtin_ia32_rdtsc() - before) / times);
    }
    std::printf("%s %lu\n", name, static_cast<unsigned long>(least));
}

void parts() {
    static xen::guest domain;
    auto pages = xen::allocate_pages(domain, 1).value();
    auto here = xen::events().alloc_unbound(xen::dom0).value();
    part("part notification", [&] { static_cast<void>(here.send()); });
    part("part grant", [&] {
        const auto ref = xen::grants().publish(xen::dom0, pages.frame(0), GTF_permit_access).value();
        static_cast<void>(xen::grants().give_back(ref));
    });
}

}  // namespace

int halvm_main() {
    xen::guest domain;
    const auto ran = [&] { return xen::vcpu_run_times(domain, xen::vcpu{}).value().running; };
    auto nic = xen::open_nic("0").value();
    std::puts("open");
    for (const char* const word : arguments()) {
        const load what = parse(word);
        // What is made once is made before.
        run(nic, what, 4 * batch);
        std::puts("begin");
        fiber::sleep(fiber::within(std::chrono::milliseconds{300}));
        const auto before = nic.counters();
        const auto ran_before = ran();
        const auto begin = fiber::clock::now();
        run(nic, what, what.count);
        const auto took = fiber::clock::now() - begin;
        const auto ran_for = ran() - ran_before;
        const auto& after = nic.counters();
        const auto statistics = nic.statistics();
        // A long frame that comes in takes its page with it; all others lie in memory that stays granted.
        const bool takes_page = std::string_view{what.what} == "receive" && what.size > xen::netfront_options{}.copied;
        std::printf("%s %lld ns, %lld run, %lu notifications, %lu granted, %lu copied, %lu lost\n", word,
                    static_cast<long long>(took.count()), static_cast<long long>(ran_for.count()),
                    after.notifications - before.notifications,
                    after.granted - before.granted + (takes_page ? what.count : 0), after.copied - before.copied,
                    statistics.received.lost() + statistics.transmitted.lost());
        fiber::sleep(fiber::within(std::chrono::milliseconds{300}));
    }
    parts();
    return 0;
}
