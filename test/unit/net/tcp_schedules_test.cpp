// SPDX-License-Identifier: BSD-3-Clause
// TCP's core on bad links: every byte arrives, in its order and once, and both ends come to their end, whatever is
// lost, doubled and late; with every option and without, windows small and large, memory short, both ends opening at
// once.
#include "net/tcp_schedules.hpp"

#include <cstdlib>

namespace {

using namespace halvm;
using namespace halvm::test;

/// A thousand, or as many as bench/tcp_schedules.py asks for.
std::uint64_t last_seed() {
    const char* const said = std::getenv("HALVM_TCP_SCHEDULES");
    return said != nullptr ? std::stoull(said) : 1000;
}

TEST_CASE("tcp: two ends on a bad link, a thousand schedules") {
    net::tcp_statistics all;
    for (std::uint64_t seed = 1; seed <= last_seed(); ++seed) {
        tcp_schedule one{seed};
        const bool is_good = one.run();
        CHECK_MESSAGE(is_good, "seed " << seed << ": " << one.description());
        for (const std::size_t end : {0u, 1u}) {
            const net::tcp_statistics counted = one.counters(end);
            all.timeouts += counted.timeouts;
            all.recoveries += counted.recoveries;
            all.window_probes += counted.window_probes;
            all.out_of_order += counted.out_of_order;
            all.duplicates += counted.duplicates;
            all.no_room += counted.no_room;
            all.delayed_acknowledgments += counted.delayed_acknowledgments;
        }
    }
    // What they are for has happened.
    CHECK(all.timeouts > 100);
    CHECK(all.recoveries > 100);
    CHECK(all.window_probes > 10);
    CHECK(all.out_of_order > 1000);
    CHECK(all.duplicates > 100);
    CHECK(all.no_room > 10);
    CHECK(all.delayed_acknowledgments > 100);
}

}  // namespace
