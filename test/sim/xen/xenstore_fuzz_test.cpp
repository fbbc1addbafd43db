// SPDX-License-Identifier: BSD-3-Clause
// What the daemon sends is changed at random, and its ring scribbled on: no call hangs, nothing is leaked, no other
// fiber is hurt. HALVM_FUZZ_RUNS runs more seeds than a test should take.
#include "store_world.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

namespace {

using namespace halvm;
using sim::client_world;
using std::chrono::milliseconds;

/// One of the ways in which a message can be wrong.
void mutate(std::string& message, std::mt19937_64& random) {
    const auto any = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    const auto word = [&] {
        constexpr std::uint32_t odd[]{0, 1, 4095, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff};
        return odd[any(std::size(odd))];
    };
    switch (any(6)) {
    case 0: message[any(message.size())] = static_cast<char>(random()); break;
    case 1: message[any(message.size())] ^= static_cast<char>(1u << any(8)); break;
    case 2: {
        const auto value = word();
        std::copy_n(reinterpret_cast<const char*>(&value), sizeof value,
                    message.begin() + static_cast<long>(any(4) * 4));
        break;
    }
    case 3: message.resize(any(message.size())); break;
    case 4: message += std::string(any(64), static_cast<char>(random())); break;
    default: message += message; break;
    }
}

void run(std::uint64_t seed) {
    client_world world{seed};
    auto& random = world.host.random;
    const auto rarely = 1 + random() % 20;
    world.daemon.forge = [&](std::string& message) {
        if (random() % rarely == 0)
            mutate(message, random);
    };
    if (seed % 4 == 0)
        world.host.after(random() % 3'000'000, [&] {
            auto& ring = world.daemon.ring_of(xen::domid{1});
            (random() % 2 == 0 ? ring.rsp_prod : ring.server_features) = static_cast<std::uint32_t>(random());
            ring.error = random() % 4;
        });
    auto unharmed = fiber::spawn([] { return fiber::sleep(fiber::within(milliseconds{50})); });
    std::vector<fiber::handle<void>> all;
    for (int i = 0; i < 6; ++i)
        all.push_back(fiber::spawn([&] {
            auto& store = world.store;
            const auto limit = [] { return fiber::within(milliseconds{3}); };
            for (int j = 0; j < 10; ++j) {
                const auto node = "data/" + std::to_string(random() % 5);
                switch (random() % 9) {
                case 0: static_cast<void>(store.read(node, limit())); break;
                case 1: static_cast<void>(store.write(node, std::string(random() % 2000, 'v'), limit())); break;
                case 2: static_cast<void>(store.directory("data", limit())); break;
                case 3: static_cast<void>(store.permissions(node, limit())); break;
                case 4: static_cast<void>(store.remove(node, limit())); break;
                case 5: static_cast<void>(store.read_number<int>(node, limit())); break;
                case 6:
                    if (auto watch = store.watch_path(node, limit()))
                        static_cast<void>(watch->next(limit()));
                    break;
                case 7:
                    static_cast<void>(store.transact(
                        [&](xen::transaction& inside) { return inside.write(node, "t", limit()); }, limit()));
                    break;
                default: static_cast<void>(store.domain_path(xen::dom0, limit())); break;
                }
            }
        }));
    for (auto& one : all)
        one.join();
    CHECK(unharmed.join());
    world.daemon.forge = nullptr;
}

TEST_CASE("xenstore: whatever the daemon sends, each call ends") {
    const char* const wanted = std::getenv("HALVM_FUZZ_RUNS");
    const auto runs = wanted == nullptr ? 200 : std::strtoul(wanted, nullptr, 10);
    for (std::uint64_t seed = 0; seed < runs; ++seed) {
        CAPTURE(seed);
        run(seed);
    }
}

}  // namespace
