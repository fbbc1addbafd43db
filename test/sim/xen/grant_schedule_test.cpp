// SPDX-License-Identifier: BSD-3-Clause
// Random schedules: one domain grants, ends and drops; the other maps and unmaps at moments of its own, or keeps what
// it has for long. After each step the books must balance, and no byte may be seen by one who should not see it.
#include "grant_world.hpp"

#include <algorithm>

namespace {

using namespace halvm;
using namespace halvm::sim;

struct run {
    explicit run(std::uint64_t seed, bool stalling, bool second) : world{seed}, stalls{stalling} {
        if (second)
            REQUIRE(world.our_table->use_version_2());
    }

    std::uint64_t pick(std::uint64_t below) { return world.host.random() % below; }

    void share() {
        auto made = xen::share_pages(*world.our_table, world.theirs.id(), 1 + pick(4),
                                     pick(2) != 0 ? access::read_write : access::read_only);
        if (!made) {
            CHECK(made.error().code() == std::errc::no_space_on_device);
            ++refused;
            return;
        }
        // Whatever the last user of these pages left in them is gone.
        CHECK(
            std::all_of(made->bytes().begin(), made->bytes().end(), [](std::byte one) { return one == std::byte{}; }));
        std::fill(made->bytes().begin(), made->bytes().end(), static_cast<std::byte>(1 + pick(255)));
        shared.push_back(std::move(*made));
    }
    void drop() {
        if (shared.empty())
            return;
        const auto which = shared.begin() + static_cast<std::ptrdiff_t>(pick(shared.size()));
        if (pick(2) != 0)
            (void)which->end();
        shared.erase(which);
    }
    void map() {
        if (shared.empty())
            return;
        const auto& from = shared[pick(shared.size())];
        const auto first = pick(from.refs().size());
        auto seen = world.map(from.refs().subspan(first, 1 + pick(from.refs().size() - first)),
                              pick(2) != 0 ? access::read_write : access::read_only);
        if (!seen)
            return;
        CHECK(seen->data()[0] == from.data()[first * xen::page_size]);
        mapped.push_back(std::move(*seen));
    }
    void unmap() {
        if (mapped.empty())
            return;
        const auto which = mapped.begin() + static_cast<std::ptrdiff_t>(pick(mapped.size()));
        CHECK(which->unmap());
        mapped.erase(which);
    }

    void step() {
        switch (pick(stalls ? 16 : 8)) {
        case 0:
        case 1: share(); break;
        case 2:
        case 3: drop(); break;
        case 4: unmap(); break;
        case 5: world.our_table->collect(); break;
        case 6:
            for (; !stalls && !mapped.empty(); unmap()) {}
            break;
        default: stalls&& pick(3) != 0 ? share() : map(); break;
        }
        const auto& statistics = world.our_table->statistics();
        std::size_t owned = 0, references = 0, seen = 0;
        for (const auto& one : shared) {
            owned += one.bytes().size() / xen::page_size;
            references += one.refs().size();
        }
        for (const auto& one : mapped)
            seen += one.bytes().size() / xen::page_size;
        CHECK(references == statistics.in_use);
        CHECK(world.ours.pages_in_use() == owned + statistics.parked_pages);
        CHECK(world.their_table->statistics().mapped == seen);
        CHECK(statistics.parked <= statistics.parked_pages);
    }

    grant_world world;
    bool stalls;
    std::vector<shared_pages> shared;
    std::vector<mapping> mapped;
    unsigned refused = 0;
};

TEST_CASE("grants: in random schedules no page is reused too early and none is lost") {
    unsigned refused = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed)
        for (const bool stalling : {false, true}) {
            CAPTURE(seed);
            CAPTURE(stalling);
            run one{seed, stalling, seed % 4 == 0};
            one.world.ours.grants.pages_limit = 1;
            for (int i = 0; i < 400; ++i)
                one.step();
            refused += one.refused;
            one.shared.clear();
            one.mapped.clear();
        }
    // The table was full now and then, or the schedules would prove too little.
    CHECK(refused != 0);
}

}  // namespace
