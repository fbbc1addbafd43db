// SPDX-License-Identifier: BSD-3-Clause
// The block front end against simulated back ends that obey, stall, lie, die and come back.
#include "block_conformance.hpp"
#include "disk_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace halvm;
using namespace std::chrono_literals;
using sim::code_of;
using sim::disk_world;
using test::pattern;

static_assert(Block<sim::sim_blkfront>);

TEST_CASE("blkfront: is a Block over rings of every kind, on disks with sectors of both sizes") {
    for (const std::uint32_t sector : {512U, 4096U})
        for (const bool large : {false, true})
            for (const bool persistent : {false, true}) {
                CAPTURE(sector);
                CAPTURE(large);
                CAPTURE(persistent);
                disk_world world{{.sectors = 1024, .sector_size = sector, .longest_discard = 1024}};
                world.behave.keeps_mapped = persistent;
                world.behave.features["feature-discard"] = "1";
                world.behave.features["feature-persistent"] = persistent ? "1" : "0";
                if (large)
                    world.behave.offers.insert({{"max-ring-page-order", "4"},
                                                {"multi-queue-max-queues", "4"},
                                                {"feature-max-indirect-segments", "256"}});
                world.attach();
                {
                    auto disk = world.open({.queues = 2, .ring_pages = 4, .segments = 64}).value();
                    CHECK(disk.info().sectors == 1024);
                    CHECK(disk.features().queues == (large ? 2 : 1));
                    CHECK(disk.features().ring_pages == (large ? 4 : 1));
                    CHECK(disk.features().segments == (large ? 64 : 11));
                    CHECK(disk.features().persistent == persistent);
                    CHECK(disk.features().flush);
                    CHECK(disk.features().discard);
                    test::check_block(disk);
                }
                CHECK(world.grants.collect() == 0);  // also of one that kept all mapped until we were closed
                world.check_nothing_left();
            }
}

TEST_CASE("blkfront: memory of the disk's own is moved without a copy, of the program's with one") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        auto own = disk.allocate(64 << 10).value();
        REQUIRE(write(disk, 0, bytes{own}));
        CHECK(disk.statistics().bounced == 0);
        std::vector<std::byte> foreign(8192);
        REQUIRE(read(disk, 0, foreign));
        CHECK(disk.statistics().bounced == 1);
    }
    world.check_nothing_left();
}

/// What a disk takes is not more than it may: every page of its own is granted, but for three stacks and some records.
void check_size(std::size_t granted) {
    constexpr std::size_t others = 40;
    CHECK((granted + others) * xen::page_size <= 3 << 19);
}

TEST_CASE("blkfront: whatever is asked of it, a disk with the usual options takes at most 1.5 MiB") {
    disk_world world{{.sectors = 16384}};
    world.behave.offers.insert({{"max-ring-page-order", "4"},
                                {"multi-queue-max-queues", "4"},
                                {"feature-persistent", "1"},
                                {"feature-max-indirect-segments", "256"}});
    std::size_t most = 0;
    world.behave.delay = [&] {
        most = std::max<std::size_t>(most, world.grants.statistics().in_use);
        return fiber::instant{1'000'000};
    };
    world.attach();
    {
        auto disk = world.open().value();
        std::vector<fiber::handle<void>> fibers;
        // Memory of the program's is copied for a back end that may keep pages mapped.
        for (std::uint64_t i = 0; i < 32; ++i)
            fibers.push_back(fiber::spawn([&, i] {
                const auto data = pattern(256 << 10, i);
                std::vector<std::byte> back(data.size());
                CHECK(write(disk, i * 512, data));
                CHECK(read(disk, i * 512, back));
                CHECK(back == data);
            }));
        for (auto& one : fibers)
            one.join();
        CHECK(disk.statistics().bounced == disk.statistics().requests);
        most = std::max<std::size_t>(most, world.grants.statistics().in_use);
    }
    CHECK(most > 256);
    check_size(most);
    world.check_nothing_left();
}

TEST_CASE("blkfront: what a back end keeps mapped is bounded, however much memory comes and goes") {
    disk_world world{{.sectors = 8192}};
    world.behave.keeps_mapped = true;
    world.behave.features["feature-persistent"] = "1";
    world.attach();
    {
        auto disk = world.open().value();
        for (std::size_t round = 0; round < 40; ++round) {
            auto own = disk.allocate((64 + round) << 12).value();
            CHECK(std::ranges::all_of(bytes{own}, [](std::byte one) { return one == std::byte{}; }));
            const auto data = pattern(bytes{own}.size(), round);
            std::ranges::copy(data, bytes{own}.begin());
            REQUIRE(write(disk, 0, bytes{own}));
            std::vector<std::byte> back(data.size());
            REQUIRE(read(disk, 0, back));
            CHECK(back == data);
        }
        // And of many at once some wait for pages to copy through.
        std::vector<fiber::handle<void>> fibers;
        for (std::uint64_t i = 0; i < 8; ++i)
            fibers.push_back(fiber::spawn([&, i] {
                const auto data = pattern(512 << 10, i);
                std::vector<std::byte> back(data.size());
                REQUIRE(write(disk, i * 1024, data));
                REQUIRE(read(disk, i * 1024, back));
                CHECK(back == data);
            }));
        for (auto& one : fibers)
            one.join();
        CHECK(world.grants.statistics().parked_pages == 0);
        check_size(world.grants.statistics().in_use);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: requests of many fibers are under way together") {
    disk_world world;
    world.behave.delay = [] { return fiber::instant{1'000'000}; };
    world.attach();
    {
        auto disk = world.open().value();
        std::vector<fiber::handle<void>> fibers;
        for (std::uint64_t i = 0; i < 100; ++i)
            fibers.push_back(fiber::spawn([&, i] {
                const auto data = pattern(4096, i);
                std::vector<std::byte> back(4096);
                REQUIRE(write(disk, i * 16, data));
                REQUIRE(read(disk, i * 16, back));
                CHECK(back == data);
            }));
        for (auto& one : fibers)
            one.join();
        CHECK(disk.statistics().requests == 200);
        CHECK(disk.statistics().notifications < 150);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a batch is told to the back end once") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        auto own = disk.allocate(16 * 512).value();
        std::array<bytes, 16> pieces;
        std::array<block_request, 16> batch;
        for (std::size_t i = 0; i < batch.size(); ++i) {
            pieces[i] = bytes{own}.subspan(i * 512, 512);
            batch[i] = {.operation = block_operation::read, .first = 2 * i, .in = {&pieces[i], 1}};
        }
        REQUIRE(disk.transfer(batch));
        CHECK(disk.statistics().requests == 16);
        CHECK(disk.statistics().notifications == 1);
    }
    world.check_nothing_left();
}

/// Many fibers, each with a piece of 4 KiB behind that of the one before.
template <class Use>
void side_by_side(std::uint64_t count, Use use) {
    std::vector<fiber::handle<void>> fibers;
    for (std::uint64_t i = 0; i < count; ++i)
        fibers.push_back(fiber::spawn([&use, i] { use(i); }));
    for (auto& one : fibers)
        one.join();
}

TEST_CASE("blkfront: what many fibers ask of adjacent sectors goes together, and each has its own outcome") {
    for (const bool large : {false, true}) {
        CAPTURE(large);
        disk_world world;
        if (large)
            world.behave.offers.insert({"feature-max-indirect-segments", "256"});
        std::uint64_t bad = UINT64_MAX;
        world.behave.status = [&](const blkif_request_t& request) {
            std::uint64_t first = request.sector_number;
            std::uint64_t pages = request.nr_segments;
            if (request.operation == BLKIF_OP_INDIRECT) {
                const auto& indirect = reinterpret_cast<const blkif_request_indirect_t&>(request);
                first = indirect.sector_number;
                pages = indirect.nr_segments;
            }
            return static_cast<std::int16_t>(first <= bad && bad < first + pages * 8 ? BLKIF_RSP_ERROR : 0);
        };
        world.attach();
        {
            auto disk = world.open().value();
            side_by_side(64, [&](std::uint64_t i) { CHECK(write(disk, i * 8, pattern(4096, i))); });
            // The first of them goes at once, since the ring has nothing to do.
            CHECK(disk.statistics().requests <= (large ? 4 : 8));
            CHECK(disk.statistics().requests + disk.statistics().merged == 64);
            CHECK(disk.statistics().notifications <= 2);
            bad = 20 * 8;
            side_by_side(64, [&](std::uint64_t i) {
                auto own = disk.allocate(4096).value();
                const auto done = read(disk, i * 8, bytes{own});
                CHECK(done.has_value() == (i != 20));
                if (done)
                    CHECK(std::ranges::equal(bytes{own}, pattern(4096, i)));
                else
                    CHECK(done.error().code() == std::errc::io_error);
            });
            CHECK(disk.statistics().errors == 1);
            // A read and a write never go together, nor what is not adjacent.
            bad = UINT64_MAX;
            const auto before = disk.statistics().merged;
            side_by_side(16, [&](std::uint64_t i) {
                std::vector<std::byte> data(4096);
                CHECK((i % 2 == 0 ? read(disk, i * 8, data) : write(disk, i * 8, data)));
            });
            side_by_side(16, [&](std::uint64_t i) {
                std::vector<std::byte> data(4096);
                CHECK(read(disk, (16 - i) * 8, data));
            });
            CHECK(disk.statistics().merged == before);
        }
        world.check_nothing_left();
    }
}

TEST_CASE("blkfront: there is no such disk, and the error says so at once") {
    disk_world world;
    CHECK(code_of(world.open()) == std::errc::no_such_device);
    CHECK(xen::list_devices(world.store, "vbd").value().empty());
    world.attach();
    CHECK(xen::list_devices(world.store, "vbd").value() == std::vector<std::string>{"51712"});
}

TEST_CASE("blkfront: a back end that never connects is an error in time, which names its state and path") {
    const std::vector<std::pair<std::string, std::function<void(disk_world&)>>> backends{
        {"which is not there", [](disk_world& world) { world.daemon.remove(world.back); }},
        {"which is initialising", [](disk_world&) {}},
        {"which waits for us", [](disk_world& world) { world.daemon.write(world.back + "/state", "2"); }},
        {"which is initialised", [](disk_world& world) { world.daemon.write(world.back + "/state", "3"); }},
        {"which is closed", [](disk_world& world) { world.daemon.write(world.back + "/state", "6"); }}};
    for (const auto& [state, prepare] : backends) {
        CAPTURE(state);
        disk_world world;
        world.attach();
        world.stop_backend();
        prepare(world);
        const auto begin = world.host.now();
        const auto opened = sim::sim_blkfront::open(world.mechanisms(), world.number, {}, fiber::within(2s));
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code() == std::errc::timed_out);
        CHECK(opened.error().message().find(state) != std::string::npos);
        CHECK(opened.error().message().find("/local/domain/0/backend/vbd/1/51712") != std::string::npos);
        CHECK(world.host.now() - begin >= 2'000'000'000);
        CHECK(world.host.now() - begin < 3'500'000'000);
        world.check_nothing_left();
    }
}

TEST_CASE("blkfront: who is asked to stop does not wait for a back end any longer") {
    disk_world world;
    world.attach();
    world.stop_backend();
    std::stop_source stop;
    auto opening = fiber::spawn(
        [&] { return code_of(sim::sim_blkfront::open(world.mechanisms(), world.number, {}, stop.get_token())); });
    fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000});
    stop.request_stop();
    CHECK(opening.join() == std::errc::operation_canceled);
    world.check_nothing_left();
}

TEST_CASE("blkfront: a back end that describes an impossible disk is refused") {
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"physical-sector-size", "777"}, {"discard-granularity", "1000"}, {"feature-persistent", "yes"}}) {
        CAPTURE(name);
        disk_world world;
        world.behave.features[name] = value;
        world.attach();
        const auto opened = world.open();
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code() == std::errc::bad_message);
        world.check_nothing_left();
    }
}

TEST_CASE("blkfront: a request that the back end fails is an error of that request alone") {
    disk_world world;
    world.behave.status = [](const blkif_request_t& request) {
        return static_cast<std::int16_t>(request.sector_number == 8 ? BLKIF_RSP_ERROR : 0);
    };
    world.attach();
    {
        auto disk = world.open().value();
        std::vector<std::byte> back(512);
        CHECK(read(disk, 0, back));
        CHECK(code_of(read(disk, 8, back)) == std::errc::io_error);
        CHECK(read(disk, 9, back));
        CHECK(disk.statistics().errors == 1);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a flush is a barrier where there is nothing else, and not asked for again where it is refused") {
    disk_world world;
    world.behave.features = {{"feature-flush-cache", "1"}, {"feature-barrier", "1"}, {"feature-discard", "1"}};
    std::vector<std::uint8_t> asked;
    std::uint8_t refused = BLKIF_OP_FLUSH_DISKCACHE;
    world.behave.status = [&](const blkif_request_t& request) {
        asked.push_back(request.operation);
        return static_cast<std::int16_t>(request.operation == refused ? BLKIF_RSP_EOPNOTSUPP : 0);
    };
    world.attach();
    {
        auto disk = world.open().value();
        CHECK(code_of(flush(disk)) == std::errc::operation_not_supported);
        CHECK(flush(disk));
        refused = BLKIF_OP_WRITE_BARRIER;
        CHECK(code_of(flush(disk)) == std::errc::operation_not_supported);
        CHECK_FALSE(disk.info().flushes);
        CHECK(code_of(flush(disk)) == std::errc::operation_not_supported);
        CHECK(asked ==
              std::vector<std::uint8_t>{BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER, BLKIF_OP_WRITE_BARRIER});
        refused = BLKIF_OP_DISCARD;
        CHECK(code_of(discard(disk, 0, 8)) == std::errc::operation_not_supported);
        CHECK(disk.info().longest_discard == 0);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a disk that is not trusted is given nothing but the device's own memory") {
    for (const bool trusted : {true, false}) {
        CAPTURE(trusted);
        disk_world world;
        world.attach();
        world.daemon.write(world.front + "/trusted", trusted ? "1" : "0");
        void* const pages = world.guest.domain.allocate_pages(2);
        {
            auto disk = world.open().value();
            REQUIRE(write(disk, 0, bytes{static_cast<std::byte*>(pages), 2 * xen::page_size}));
            CHECK(disk.statistics().bounced == (trusted ? 0 : 1));
        }
        world.guest.domain.free_pages(pages, 2);
        world.check_nothing_left();
    }
}

TEST_CASE("blkfront: a lying back end breaks its disk, and nothing else") {
    const std::vector<std::function<void(blkif_response_t&)>> lies{
        [](blkif_response_t& answer) { answer.id += 1; },
        [](blkif_response_t& answer) { answer.id = UINT64_MAX; },
        [](blkif_response_t& answer) { answer.id ^= std::uint64_t{1} << 32; },
        [](blkif_response_t& answer) { answer.operation = BLKIF_OP_WRITE; },
        [](blkif_response_t& answer) { answer.operation = 255; },
    };
    for (std::size_t lie = 0; lie < lies.size() + 2; ++lie) {
        CAPTURE(lie);
        disk_world world;
        world.attach();
        std::vector<std::byte> back(512);
        fiber::handle<void> liar;
        {
            auto disk = world.open().value();
            if (lie < lies.size()) {
                world.behave.forge = lies[lie];
            } else {
                // It answers what nobody has asked: one more than there are, or its index anywhere.
                const std::uint32_t produced = lie == lies.size() ? 2 : 0x80000000;
                world.behave.answers = false;
                liar = fiber::spawn([&world, produced] {
                    world.poke(8, &produced, sizeof produced);
                    static_cast<void>(world.ports.front()->send());
                });
            }
            CHECK(code_of(read(disk, 0, back)) == std::errc::protocol_error);
            CHECK(code_of(read(disk, 0, back)) == std::errc::protocol_error);
        }
        if (liar.joinable())
            liar.join();
        // The next who opens it has new rings.
        world.behave.forge = {};
        world.behave.answers = true;
        world.daemon.write(world.back + "/online", "1");
        {
            auto disk = world.open().value();
            CHECK(read(disk, 0, back));
        }
        world.check_nothing_left();
    }
}

TEST_CASE("blkfront: an answer that comes twice breaks the disk") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        std::uint64_t first_id = UINT64_MAX;
        world.behave.delay = [] { return fiber::instant{1'000'000}; };
        world.behave.forge = [&](blkif_response_t& answer) {
            first_id = std::min(first_id, answer.id);
            answer.id = first_id;
        };
        std::size_t failed = 0;
        side_by_side(3, [&](std::uint64_t i) {
            std::vector<std::byte> back(512);
            failed += code_of(read(disk, i * 100, back)) == std::errc::protocol_error ? 1 : 0;
        });
        CHECK(failed == 2);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a storm of signals without answers wakes nobody up, and what comes then is heard") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        std::vector<std::byte> back(512);
        REQUIRE(read(disk, 0, back));
        const auto before = world.guest.domain.events.upcalls;
        std::uint64_t sent = 0;
        std::function<void()> storm = [&] {
            static_cast<void>(world.ports.front()->send());
            if (++sent != 50'000)
                world.host.after(100'000, storm);
        };
        storm();
        fiber::sleep(fiber::wait_limit{world.host.now() + 5'000'000'000});
        CHECK(sent == 50'000);
        CHECK(world.guest.domain.events.upcalls - before < 40);
        CHECK(read(disk, 0, back));
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: what a back end writes while it is connected changes the size, and nothing else") {
    disk_world world{{.sectors = 4096, .longest_discard = 4096}};
    world.behave.features = {{"feature-flush-cache", "1"}, {"feature-discard", "1"}};
    world.attach();
    {
        auto disk = world.open().value();
        auto known = disk.info();
        for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{{"sector-size", "4096"},
                                                                                          {"sector-size", "7"},
                                                                                          {"info", "4"},
                                                                                          {"physical-sector-size", "1"},
                                                                                          {"feature-persistent", "1"},
                                                                                          {"feature-flush-cache", "0"},
                                                                                          {"feature-discard", "0"}})
            world.daemon.write(world.back + "/" + name, value);
        world.resize(2048);
        fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000});
        known.sectors = known.longest_discard = 2048;
        CHECK(disk.info() == known);
        CHECK_FALSE(disk.features().persistent);
        std::vector<std::byte> back(512);
        CHECK(read(disk, 2047, back));
        CHECK(code_of(read(disk, 2048, back)) == std::errc::result_out_of_range);
        // A size that is no number breaks it.
        world.daemon.write(world.back + "/sectors", "many");
        world.daemon.write(world.back + "/state", "4");
        fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000});
        CHECK(code_of(read(disk, 0, back)) == std::errc::bad_message);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: what keeps a request's memory gets no more of the program's, and its request fails") {
    disk_world world;
    world.behave.keeps_mapped = true;  // and does not say so
    world.attach();
    void* const pages = world.guest.domain.allocate_pages(2);
    {
        auto disk = world.open().value();
        const bytes foreign{static_cast<std::byte*>(pages), xen::page_size};
        CHECK(code_of(read(disk, 0, foreign)) == std::errc::protocol_error);
        CHECK(disk.statistics().bounced == 0);
        CHECK(read(disk, 0, foreign));
        CHECK(disk.statistics().bounced == 1);
    }
    world.detach();
    world.guest.domain.free_pages(pages, 2);
    world.check_nothing_left();
}

TEST_CASE(
    "blkfront: memory that a back end keeps mapped when it has closed is parked, and comes back when it lets go") {
    disk_world world;
    world.behave.keeps_mapped = true;
    world.behave.lets_go = false;
    world.behave.features["feature-persistent"] = "1";
    world.attach();
    {
        auto disk = world.open().value();
        auto own = disk.allocate(8192).value();
        std::vector<std::byte> foreign(4096);
        REQUIRE(write(disk, 0, bytes{own}));
        REQUIRE(read(disk, 0, foreign));
    }
    CHECK(world.grants.collect() != 0);
    CHECK(world.grants.statistics().parked_pages == 4);  // the ring, the two, one to copy through
    world.detach();
    world.not_let_go.clear();
    world.check_nothing_left();
}

TEST_CASE("blkfront: ends once, whatever else ends it at the same time") {
    const std::vector<std::function<void(disk_world&)>> ends{
        [](disk_world& world) { world.ask_to_close(); },
        [](disk_world& world) { world.detach(); },
        [](disk_world& world) { world.stop_backend(); },
        [](disk_world& world) {
            world.ask_to_close();
            fiber::yield();
            world.detach();
        },
        [](disk_world& world) { world.daemon.remove(world.back); },
        [](disk_world& world) { world.daemon.remove(world.front); },
    };
    for (std::size_t end = 0; end < ends.size(); ++end)
        for (fiber::instant when = 0; when < 30; ++when) {
            CAPTURE(end);
            CAPTURE(when);
            // While it is opened, at rest, or dropped: the steps of the XenStore are some microseconds each.
            disk_world world{{.sectors = 4096}, static_cast<std::uint64_t>(when + 1)};
            world.attach();
            auto ending = fiber::spawn([&] {
                for (fiber::instant turn = 0; turn < when * 7; ++turn)
                    fiber::yield();
                ends[end](world);
            });
            if (auto disk = world.open({.patience = 1s})) {
                std::vector<std::byte> back(512);
                static_cast<void>(read(*disk, 0, back));
            }
            ending.join();
            world.check_nothing_left();
        }
}

TEST_CASE("blkfront: what a dead back end has not answered is asked again of the next one") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        const auto data = pattern(128 << 10, 1);
        world.behave.answers = false;
        auto writer = fiber::spawn([&] { return write(disk, 0, data).has_value(); });
        fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000});
        // It dies, and dom0 starts it again.
        world.stop_backend();
        world.behave.answers = true;
        world.start_backend();
        CHECK(writer.join());
        std::vector<std::byte> back(data.size());
        REQUIRE(read(disk, 0, back));
        CHECK(back == data);
        CHECK(disk.statistics().reconnects == 1);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: what was not answered is asked again of smaller rings, also when those go too") {
    disk_world world{{.sectors = 1 << 16}};
    world.behave.offers = {{"max-ring-page-order", "2"}, {"feature-max-indirect-segments", "256"}};
    world.attach();
    {
        auto disk = world.open({.ring_pages = 4, .segments = 256}).value();
        world.behave.answers = false;
        auto writing = fiber::spawn([&] {
            side_by_side(100, [&](std::uint64_t i) {
                const auto data = pattern(i % 10 == 0 ? 60 << 10 : 512, i);
                std::vector<std::byte> back(data.size());
                CHECK(write(disk, i * 512, data));
                CHECK(read(disk, i * 512, back));
                CHECK(back == data);
            });
        });
        const auto wait = [&] { fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000'000}); };
        wait();
        world.stop_backend();
        for (const bool answers : {false, false, true}) {
            world.behave.offers = {{"max-ring-page-order", "0"}, {"feature-max-indirect-segments", "0"}};
            world.behave.answers = answers;
            world.start_backend();
            wait();
            if (!answers)
                world.stop_backend();
        }
        writing.join();
        CHECK(disk.statistics().reconnects == 3);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a disk that comes back with sectors of another size is another disk") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        world.stop_backend();
        world.disk = model::ram_disk{{.sectors = 4096, .sector_size = 4096}};
        auto reader = fiber::spawn([&] {
            std::vector<std::byte> back(512);
            return code_of(read(disk, 0, back));
        });
        world.start_backend();
        CHECK(reader.join() == std::errc::bad_message);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a back end that comes back and refuses is tried again, but not for ever") {
    for (const int times : {1, 4, 100}) {
        CAPTURE(times);
        disk_world world;
        world.attach();
        {
            auto disk = world.open().value();
            world.stop_backend();
            world.behave.refuses = times;
            world.start_backend();
            std::vector<std::byte> back(512);
            auto reader = fiber::spawn([&] { return read(disk, 0, back).has_value(); });
            fiber::sleep(fiber::wait_limit{world.host.now() + 60'000'000'000});
            CHECK(disk.statistics().reconnects == (times == 100 ? 0 : 1));
            CHECK(world.behave.refuses == (times == 100 ? 95 : 0));
            if (times == 100)
                world.detach();
            CHECK(reader.join() == (times != 100));
        }
        world.check_nothing_left();
    }
}

TEST_CASE("blkfront: a disk that is taken away fails what was asked, and all that comes") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        world.behave.answers = false;
        auto reader = fiber::spawn([&] {
            std::vector<std::byte> back(512);
            return code_of(read(disk, 0, back));
        });
        fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000});
        world.detach();
        CHECK(reader.join() == std::errc::no_such_device);
        std::vector<std::byte> back(512);
        CHECK(code_of(read(disk, 0, back)) == std::errc::no_such_device);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a disk that the toolstack closes answers first, and can be attached again") {
    disk_world world;
    world.behave.delay = [] { return fiber::instant{2'000'000}; };
    world.attach();
    {
        auto disk = world.open().value();
        auto reader = fiber::spawn([&] {
            std::vector<std::byte> back(512);
            return read(disk, 0, back).has_value();
        });
        fiber::yield();
        world.ask_to_close();
        CHECK(reader.join());
        std::vector<std::byte> back(512);
        CHECK(read(disk, 0, back));
        CHECK(disk.statistics().reconnects == 1);
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a disk that grows while it is in use has its new size") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        world.resize(8192);
        fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000});
        CHECK(disk.info().sectors == 8192);
        std::vector<std::byte> back(512);
        CHECK(read(disk, 8191, back));
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a disk that shrinks while it is in use fails what is beyond its end") {
    disk_world world;
    world.attach();
    {
        auto disk = world.open().value();
        std::vector<std::byte> back(512);
        // Asked before the front end knows; the back end does.
        world.behave.delay = [] { return fiber::instant{1'000'000}; };
        auto late = fiber::spawn([&] {
            std::vector<std::byte> data(512);
            return code_of(read(disk, 4095, data));
        });
        fiber::yield();
        world.resize(1024);
        CHECK(late.join() == std::errc::io_error);
        CHECK(disk.info().sectors == 1024);
        CHECK(code_of(read(disk, 1024, back)) == std::errc::result_out_of_range);
        CHECK(read(disk, 1023, back));
    }
    world.check_nothing_left();
}

TEST_CASE("blkfront: a drive without a medium has no sectors, until there is one") {
    for (const int flags : {VDISK_REMOVABLE, VDISK_CDROM, VDISK_CDROM | VDISK_REMOVABLE | VDISK_READONLY}) {
        CAPTURE(flags);
        disk_world world{{.sectors = 0}};
        world.behave.flags = flags;
        world.attach();
        {
            auto drive = world.open().value();
            std::vector<std::byte> back(512);
            CHECK(drive.info().removable);
            CHECK(drive.info().read_only == ((flags & VDISK_READONLY) != 0));
            CHECK(drive.info().sectors == 0);
            CHECK(code_of(read(drive, 0, back)) == std::errc::result_out_of_range);
            for (const std::uint64_t sectors : {256, 0, 64}) {
                world.resize(sectors);
                const auto data = pattern(512, sectors);
                if (sectors != 0)
                    REQUIRE(write(world.disk, sectors - 1, data));
                fiber::sleep(fiber::wait_limit{world.host.now() + 1'000'000});
                CHECK(drive.info().sectors == sectors);
                CHECK(code_of(read(drive, sectors, back)) == std::errc::result_out_of_range);
                if (sectors != 0) {
                    REQUIRE(read(drive, sectors - 1, back));
                    CHECK(back == data);
                }
            }
        }
        world.check_nothing_left();
    }
    disk_world fixed;
    fixed.attach();
    CHECK_FALSE(fixed.open().value().info().removable);
}

/// A day of a disk's life: fibers that read and write now and then, and whatever can happen to a disk meanwhile.
class day {
public:
    explicit day(std::uint64_t seed) : world_{{.sectors = least, .longest_discard = least}, seed} {
        auto& behave = world_.behave;
        behave.offers = {{"max-ring-page-order", std::to_string(pick(5))},
                         {"multi-queue-max-queues", std::to_string(1 + pick(4))},
                         {"feature-max-indirect-segments", std::to_string(pick(2) * 256)}};
        behave.delay = [this] { return static_cast<fiber::instant>(pick(pick(500) == 0 ? 60e9 : 20e6)); };
        behave.status = [this](const blkif_request_t&) { return static_cast<std::int16_t>(pick(300) == 0 ? -1 : 0); };
    }

    void live() {
        constexpr auto length = std::chrono::nanoseconds{24h}.count();
        world_.attach();
        while (world_.host.now() < length) {
            world_.behave.keeps_mapped = pick(2) != 0;
            world_.behave.features = {{"feature-persistent", world_.behave.keeps_mapped ? "1" : "0"},
                                      {"feature-discard", "1"},
                                      {pick(2) != 0 ? "feature-flush-cache" : "feature-barrier", "1"}};
            auto disk = world_.open({.queues = 4, .ring_pages = 4, .trusted = pick(4) != 0}).value();
            std::vector<fiber::handle<void>> users;
            for (std::uint64_t i = 0; i < contents_.size(); ++i)
                users.push_back(fiber::spawn([&, i] { use(disk, i); }));
            while (world_.host.now() < length && pick(6) != 0)
                happen();
            // It is taken away, in the middle of everything.
            world_.detach();
            for (auto& one : users)
                one.join();
            world_.attach();
        }
        world_.check_nothing_left();
        CHECK(world_.host.take_violations().empty());
        MESSAGE(done_, " requests, ", failed_, " failed");
        CHECK(done_ > 1000);
        CHECK(failed_ > 0);
    }

private:
    static constexpr std::uint64_t least = 2048;

    std::uint64_t pick(double below) { return world_.host.random() % static_cast<std::uint64_t>(below); }
    void pause(double most) {
        fiber::sleep(fiber::wait_limit{world_.host.now() + static_cast<fiber::instant>(pick(most))});
    }

    void happen() {
        switch (pick(4)) {
        case 0:  // it dies, and is started again
            world_.stop_backend();
            pause(90e9);
            world_.behave.refuses = static_cast<int>(pick(3));
            world_.start_backend();
            break;
        case 1: world_.ask_to_close(); break;
        case 2: world_.resize(least + pick(least)); break;
        default: break;
        }
        pause(1200e9);
    }

    /// Each has sectors of its own, and knows what is in them unless a write has failed.
    void use(sim::sim_blkfront& disk, std::uint64_t number) {
        auto& known = contents_[number];
        const std::uint64_t begin = number * 256;
        for (;;) {
            pause(120e9);
            const auto first = pick(200);
            const auto count = 1 + pick(56);
            std::vector<std::byte> data(count * 512);
            auto own = disk.allocate(data.size()).value();
            const bytes through = pick(2) != 0 ? bytes{own} : bytes{data};
            result<void> done;
            const auto kind = pick(10);
            if (kind < 4) {
                done = read(disk, begin + first, through);
                for (std::uint64_t i = 0; done && i < count; ++i)
                    if (known[first + i] >= 0)
                        CHECK(std::ranges::all_of(through.subspan(i * 512, 512), [&](std::byte one) {
                            return one == static_cast<std::byte>(known[first + i]);
                        }));
            } else {
                const int value = kind < 8 ? static_cast<int>(pick(256)) : -1;
                std::ranges::fill(through, static_cast<std::byte>(value));
                for (std::uint64_t i = 0; i < count && kind < 9; ++i)
                    known[first + i] = -1;
                done = kind < 8   ? write(disk, begin + first, through)
                       : kind < 9 ? discard(disk, begin + first, count)
                                  : flush(disk);
                for (std::uint64_t i = 0; done && kind < 8 && i < count; ++i)
                    known[first + i] = value;
            }
            ++done_;
            failed_ += done ? 0 : 1;
            if (!done && done.error().code() == std::errc::no_such_device)
                return;
            if (!done && kind != 9)
                CHECK(done.error().code() == std::errc::io_error);
        }
    }

    disk_world world_;
    std::array<std::array<int, 256>, 8> contents_{};  // of each sector, a byte; -1 when it may be anything
    std::uint64_t done_ = 0;
    std::uint64_t failed_ = 0;
};

TEST_CASE("blkfront: a day of back ends that die, stall, fail, refuse, resize and leave: nothing is left of it") {
    // More days, for who has the time.
    const char* const wanted = std::getenv("HALVM_DAYS");
    const auto days = wanted == nullptr ? 2 : std::strtoul(wanted, nullptr, 10);
    for (std::uint64_t seed = 1; seed <= days; ++seed) {
        CAPTURE(seed);
        day{seed}.live();
    }
}

}  // namespace
