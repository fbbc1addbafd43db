// SPDX-License-Identifier: BSD-3-Clause
// feature: `<random>` with `std::random_device`; `getentropy`, `getrandom`, `arc4random`
#include "report.hpp"

#include <random>
#include <set>
#include <stdexcept>

#include <sys/random.h>
#include <unistd.h>

int halvm_main() {
    std::random_device device;
    std::set<unsigned> drawn;
    unsigned ones = 0;
    unsigned zeros = 0;
    for (int i = 0; i != 200; ++i) {
        const unsigned value = device();
        drawn.insert(value);
        ones |= value;
        zeros |= ~value;
    }
    HALVM_CHECK(drawn.size() >= 199 && ones == ~0u && zeros == ~0u);
    HALVM_CHECK(device.entropy() >= 0 && device.entropy() <= 32);
    HALVM_CHECK(report::throws<std::runtime_error>([] { std::random_device{"/dev/urandom"}; }));

    std::mt19937_64 generator{std::random_device{}()};
    double sum = 0;
    std::normal_distribution<> normal{10, 2};
    for (int i = 0; i != 10'000; ++i)
        sum += normal(generator);
    HALVM_CHECK(sum > 99'000 && sum < 101'000);

    unsigned char bytes[64] = {};
    static unsigned char too_many[257];
    HALVM_CHECK(getentropy(bytes, sizeof bytes) == 0 && getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
    HALVM_CHECK(getentropy(too_many, sizeof too_many) == -1);
    return report::verdict("random");
}
