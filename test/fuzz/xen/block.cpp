// SPDX-License-Identifier: BSD-3-Clause
// A virtual disk whose back end writes anything into the ring, the slots and the XenStore, at any time: every request
// ends, at the latest when the disk is taken away, and nothing is leaked.
#define DOCTEST_CONFIG_IMPLEMENT
#include "disk_world.hpp"

#include "fuzz.hpp"
#include "xen/script.hpp"

#include <array>
#include <iterator>

namespace {

using namespace halvm;

using fuzz::script;

class hostile {
public:
    explicit hostile(script& what) : what_{what} {
        world_.behave.answers = false;
        world_.behave.offers["feature-max-indirect-segments"] = std::to_string(what.byte());
        world_.behave.features["feature-persistent"] = std::to_string(what.byte() % 2);
        world_.attach();
    }

    void run() {
        if (auto disk = world_.open({.segments = 32})) {
            for (unsigned steps = 0; !what_.over() && steps < 200; ++steps)
                step(*disk);
            world_.detach();
            for (auto& one : asked_)
                one.join();
        }
        world_.detach();
        fuzz::must(world_.grants.collect() == 0, "no page stays with a back end that is gone");
        fuzz::must(world_.grants.statistics().in_use == 0, "every reference is given back");
        fuzz::must(world_.host.take_violations().empty(), "the domain does nothing that would hurt it");
    }

private:
    void step(sim::sim_blkfront& disk) {
        switch (what_.byte() % 8) {
        case 0:
        case 1:
            if (asked_.size() < 12)
                asked_.push_back(fiber::spawn([&disk, kind = what_.byte(), size = what_.byte() % 40 + 1U,
                                               first = what_.byte()] { ask(disk, kind, size * 512, first); }));
            break;
        case 2: {  // an answer as it should be, to some request
            const blkif_response_t answer{.id = what_.byte() % 40U,
                                          .operation = static_cast<std::uint8_t>(what_.byte() % 8),
                                          .status = static_cast<std::int16_t>(what_.byte() % 4 - 2)};
            world_.poke(64 + std::size_t{produced_ % 32} * sizeof(blkif_request_t), &answer, sizeof answer);
            ++produced_;
            world_.poke(8, &produced_, sizeof produced_);
            break;
        }
        case 3: {  // any word anywhere but where only the front end writes
            const std::uint32_t value = what_.word();
            world_.poke(4 + what_.word() % (4096 - 8), &value, sizeof value);
            break;
        }
        case 4: {
            produced_ = what_.byte() % 2 != 0 ? what_.word() : produced_ + what_.byte() % 40;
            world_.poke(8, &produced_, sizeof produced_);
            break;
        }
        case 5: notify(); break;
        case 6: {
            static constexpr std::array names{"state", "sectors", "sector-size", "info", "feature-barrier", "online"};
            static constexpr std::array values{"0", "1", "2", "3", "4", "5", "6", "7", "4096", "", "-1", "99999999999"};
            world_.daemon.write(world_.back + "/" + names[what_.byte() % names.size()],
                                values[what_.byte() % values.size()]);
            break;
        }
        default: fiber::sleep(fiber::wait_limit{world_.host.now() + what_.byte() * 100'000'000LL}); break;
        }
        fiber::yield();
    }

    static void ask(sim::sim_blkfront& disk, std::uint8_t kind, std::size_t size, std::uint64_t first) {
        std::vector<std::byte> data(size);
        switch (kind % 4) {
        case 0: static_cast<void>(read(disk, first, data)); break;
        case 1: static_cast<void>(write(disk, first, data)); break;
        case 2: static_cast<void>(flush(disk)); break;
        default:
            if (auto own = disk.allocate(size))
                static_cast<void>(read(disk, first, bytes{*own}));
        }
    }

    void notify() {
        for (auto& ring : world_.ports)
            static_cast<void>(ring->send());
    }

    script& what_;
    sim::disk_world world_;
    std::uint32_t produced_ = 0;
    std::vector<fiber::handle<void>> asked_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    script what{{reinterpret_cast<const std::byte*>(data), size}};
    hostile{what}.run();
    return 0;
}

std::vector<fuzz::input> fuzz::seeds() {
    // Asked and answered; asked and lied to; asked, and the back end goes away and comes back.
    return {from_hex("20 01 00 00 08 00 00 01 10 08 05 02 00 00 02 05 02 01 01 02 05 05"),
            from_hex("00 00 00 00 08 00 00 03 00 00 04 01 ff ff ff ff 05 03 00 00 00 21 00 00 00 40 05"),
            from_hex("ff 00 00 01 08 00 00 00 27 08 06 00 05 07 05 06 00 06 06 00 02 07 40 06 00 04 05 07 ff")};
}
