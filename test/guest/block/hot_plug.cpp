// SPDX-License-Identifier: BSD-3-Clause
// Disks that come, go, grow and lose their back end while fibers read and write. hot_plug_test.py does that in dom0,
// each step when this program has said its word.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/xen/disks.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

using namespace halvm;

void say(const char* word) {
    std::puts(word);
    std::fflush(stdout);
}

/// Fibers that write and read back, each where no other does, until they are stopped or the disk has gone.
class load {
public:
    explicit load(xen::blkfront& disk) {
        for (std::uint64_t i = 0; i < 8; ++i)
            fibers_.push_back(fiber::spawn([this, &disk, i](std::stop_token stop) { work(disk, i, stop); }));
    }
    /// Blocks until every fiber has done another round, begun after this call.
    void go_round() {
        const auto before = rounds_;
        for (std::size_t i = 0; i < rounds_.size(); ++i)
            while (rounds_[i] < before[i] + 2 && !gone_[i]) {
                turned_.reset();
                turned_.wait();
            }
    }
    void stop() {
        for (auto& one : fibers_)
            one.request_stop();
        wait();
    }
    void wait() {
        for (auto& one : fibers_)
            one.join();
    }
    /// Whether the disk went away under every one of them.
    [[nodiscard]] bool all_gone() const { return gone_ == std::array{true, true, true, true, true, true, true, true}; }

private:
    void work(xen::blkfront& disk, std::uint64_t number, const std::stop_token& stop) {
        // Memory of the disk's own, and of the program's.
        auto own = disk.allocate(16 << 10).value();
        std::vector<std::byte> foreign((number + 1) * 4096);
        for (std::uint64_t round = 0; !stop.stop_requested(); ++round) {
            const bytes out = round % 2 == 0 ? bytes{own} : bytes{foreign};
            for (std::size_t i = 0; i < out.size(); ++i)
                out[i] = static_cast<std::byte>(round * 3 + number + i / 512);
            const std::vector<std::byte> wanted{out.begin(), out.end()};
            std::vector<std::byte> in(out.size());
            auto done = write(disk, number * 128, out);
            if (done)
                done = read(disk, number * 128, in);
            if (!done) {
                gone_[number] = done.error().code() == std::errc::no_such_device;
                if (!gone_[number])
                    say(done.error().message().c_str());
                turned_.set();
                return;
            }
            HALVM_CHECK(in == wanted);
            ++rounds_[number];
            turned_.set();
        }
    }

    std::array<std::uint64_t, 8> rounds_{};
    std::array<bool, 8> gone_{};
    fiber::event turned_;
    std::vector<fiber::handle<void>> fibers_;
};

/// Waits for the toolstack to attach it.
xen::blkfront await_disk(const char* name) {
    auto changes = xen::store().watch_path("device/vbd").value();
    for (;;) {
        if (auto disk = xen::open_disk(name))
            return std::move(*disk);
        static_cast<void>(changes.next());
    }
}

}  // namespace

int halvm_main() {
    auto& grants = xen::grants();
    const auto at_first = grants.statistics().in_use;
    {
        auto first = xen::open_disk("xvda", {.queues = 2}).value();
        load always{first};
        always.go_round();
        say("busy");
        while (first.statistics().reconnects == 0)
            always.go_round();
        always.go_round();
        say("restarted");
        const auto sectors = first.info().sectors;
        while (first.info().sectors == sectors)
            always.go_round();
        HALVM_CHECK(first.info().sectors == 2 * sectors);
        std::vector<std::byte> last(512);
        HALVM_CHECK(read(first, first.info().sectors - 1, last));
        say("resized");
        for (int time = 0; time < 2; ++time) {
            auto second = await_disk("xvdb");
            load more{second};
            more.go_round();
            always.go_round();
            say(time == 0 ? "attached" : "attached again");
            more.wait();
            HALVM_CHECK(more.all_gone());
            always.go_round();
            say(time == 0 ? "detached" : "detached again");
        }
        always.stop();
        HALVM_CHECK(first.statistics().errors == 0);
        HALVM_CHECK(first.statistics().reconnects == 1);
    }
    HALVM_CHECK(grants.collect() == 0);
    HALVM_CHECK(grants.statistics().in_use == at_first);
    HALVM_CHECK(grants.statistics().parked_pages == 0);
    std::printf("%u references in use, %u parked\n", grants.statistics().in_use, grants.statistics().parked);
    return report::verdict("hot_plug");
}
