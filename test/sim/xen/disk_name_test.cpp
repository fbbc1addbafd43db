// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/device/disk_name.hpp>

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

using halvm::disk_name;
using halvm::disk_number;

TEST_CASE("disk names: are the numbers of xen-vbd-interface(7), and back") {
    for (const auto& [name, number] : std::vector<std::pair<std::string, std::uint32_t>>{{"xvda", 51712},
                                                                                         {"xvda1", 51713},
                                                                                         {"xvdb", 51728},
                                                                                         {"xvdp15", 51967},
                                                                                         {"xvdq", 268439552},
                                                                                         {"xvda16", 268435472},
                                                                                         {"xvdaa", 268442112},
                                                                                         {"sda", 2048},
                                                                                         {"sdb3", 2067},
                                                                                         {"hda", 768},
                                                                                         {"hdc2", 5634},
                                                                                         {"hdd", 5696}}) {
        CAPTURE(name);
        CHECK(disk_number(name) == number);
        CHECK(disk_name(number) == name);
        CHECK(disk_number(std::to_string(number)) == number);
    }
    CHECK(disk_name(7) == "7");
}

TEST_CASE("disk names: what is no name is no number") {
    for (const char* name : {"", "x", "xvd", "xvdA", "xvda0", "xvda01", "xvda1x", "xvdabcd", "xvda256", "hde", "sdq",
                             "51712x", "-1", " 51712", "0051712", "99999999999", "vda"}) {
        CAPTURE(name);
        CHECK_FALSE(disk_number(name).has_value());
    }
}

}  // namespace
