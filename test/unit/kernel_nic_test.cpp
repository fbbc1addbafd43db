// SPDX-License-Identifier: BSD-3-Clause
// NICs of a process against the real kernel, in a network namespace that each test's process makes for itself and that
// goes with it. A TAP device and a packet socket on its other end are the two ends of one link.
#include "nic_conformance.hpp"

#include <halvm/fiber.hpp>
#include <halvm/linux/kernel_nic.hpp>
#include <halvm/linux/nics.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <net/if.h>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace halvm;
using process::kernel_nic;

bool write_file(const std::string& path, const std::string& text) {
    const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const bool done = file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (file >= 0)
        close(file);
    return done;
}

/// A network without anybody else, or the reason why there is none.
const char* enter_own_network() {
    const auto user = std::to_string(getuid());
    const auto group = std::to_string(getgid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return "no user and network namespaces here";
    if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", "0 " + user + " 1") ||
        !write_file("/proc/self/gid_map", "0 " + group + " 1"))
        return "user namespaces cannot be mapped here";
    if (const int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC); tap < 0)
        return "no /dev/net/tun here";
    else
        close(tap);
    return nullptr;
}

bool has_own_network() {
    static const char* const missing = enter_own_network();
    if (missing != nullptr)
        std::printf("\nSKIP: %s\n", missing);
    return missing == nullptr;
}

template <class Change>
void change_interface(const std::string& name, unsigned long command, Change change) {
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    if (command == SIOCSIFFLAGS)
        REQUIRE(ioctl(control, SIOCGIFFLAGS, &request) == 0);
    change(request);
    REQUIRE(ioctl(control, command, &request) == 0);
    close(control);
}

struct link {
    explicit link(const process::kernel_nic_options& options = {}) {
        tap = kernel_nic::open_tap("halvm-test", options).value();
        // Else the kernel has much to say on a new link.
        static_cast<void>(write_file("/proc/sys/net/ipv6/conf/halvm-test/disable_ipv6", "1"));
        interface = kernel_nic::open_interface("halvm-test", options).value();
        // At once: who opens a NIC sends through it next.
        REQUIRE(tap->info().link_up);
        REQUIRE(interface->info().link_up);
    }
    std::optional<kernel_nic> tap;
    std::optional<kernel_nic> interface;
};

TEST_CASE("TAP and packet socket: both ends are NICs") {
    if (!has_own_network())
        return;
    link ends;
    CHECK(ends.tap->info().mac.is_unicast());
    CHECK(ends.tap->info().mac.is_local());
    CHECK(ends.tap->info().mac != ends.interface->info().mac);
    test::check_nics(*ends.tap, *ends.interface);
}

TEST_CASE("TAP and packet socket: what is left to the kernel reaches the other end as it was, or carried out") {
    if (!has_own_network())
        return;
    for (const bool offloads : {true, false}) {
        CAPTURE(offloads);
        link ends{{.receive_offloads = offloads}};
        test::check_offloads(*ends.tap, *ends.interface);
        test::check_offloads(*ends.interface, *ends.tap);
    }
}

TEST_CASE("TAP and packet socket: jumbo frames") {
    if (!has_own_network())
        return;
    link ends;
    change_interface("halvm-test", SIOCSIFMTU, [](ifreq& request) { request.ifr_mtu = 9000; });
    for (kernel_nic* each : {&*ends.tap, &*ends.interface})
        while (each->info().mtu != 9000) {
            std::array<packet, 1> some;
            REQUIRE(each->receive(some, {}));
        }
    test::check_direction(*ends.tap, *ends.interface);
    test::check_direction(*ends.interface, *ends.tap);
}

TEST_CASE("TAP and packet socket: receivers hear of link and mtu") {
    if (!has_own_network())
        return;
    link ends;
    test::check_change(
        *ends.tap, [] { change_interface("halvm-test", SIOCSIFMTU, [](ifreq& request) { request.ifr_mtu = 1000; }); });
    CHECK(ends.tap->info().mtu == 1000);
    std::array<packet, 1> some;
    CHECK(ends.interface->receive(some, {}).value() == 0);
    test::check_change(*ends.interface, [] {
        change_interface("halvm-test", SIOCSIFFLAGS, [](ifreq& request) { request.ifr_flags &= ~IFF_UP; });
    });
    CHECK(!ends.interface->info().link_up);
    test::send(*ends.interface, test::make_packet(*ends.interface, test::frame_bytes({}, {}, 60, 1)));
    CHECK(ends.interface->statistics().transmitted.lost(frame_loss::no_link) == 1);
}

TEST_CASE("TAP and packet socket: to destroy one ends what waits in it, and the other when its device is gone") {
    if (!has_own_network())
        return;
    {
        link ends;
        test::check_end(std::move(ends.interface), false);
    }
    link ends;
    auto other = fiber::spawn([&] {
        for (;;) {
            std::array<packet, 4> some;
            if (auto got = ends.interface->receive(some, {}); !got)
                return got.error().code();
        }
    });
    test::check_end(std::move(ends.tap), false);
    ends.tap.reset();
    CHECK(other.join() == std::errc::no_such_device);
}

TEST_CASE("TAP: frames go through the queue that their hash says, and come from several") {
    if (!has_own_network())
        return;
    link ends{{.queues = 3}};
    CHECK(ends.tap->info().queues == 3);
    test::check_direction(*ends.interface, *ends.tap);
    for (std::uint32_t hash = 0; hash < 6; ++hash) {
        const auto data = test::frame_bytes(ends.interface->info().mac, ends.tap->info().mac, 100, hash);
        packet frame = test::make_packet(*ends.tap, data);
        frame.metadata().flow_hash = hash;
        test::send(*ends.tap, std::move(frame));
        CHECK(test::contents(test::receive_frames(*ends.interface, 1)[0]) == data);
    }
}

TEST_CASE("TAP and packet socket: what no memory is left for is counted and dropped, and the rest arrives") {
    if (!has_own_network())
        return;
    // What joined frames are read into takes all of it.
    link ends{{.memory = {.large = 4096, .large_count = 18, .small = 256, .small_count = 8}}};
    for (kernel_nic* to : {&*ends.tap, &*ends.interface}) {
        kernel_nic& from = to == &*ends.tap ? *ends.interface : *ends.tap;
        std::vector<packet> held;
        while (auto one = to->allocate(1000))
            held.push_back(std::move(*one));
        const auto lost = to->statistics().received.lost(frame_loss::no_memory);
        std::array<packet, 4> some;
        // Nothing is read before somebody asks; then one fills what was kept ready, and nothing is left for the next.
        for (std::uint32_t i = 0; i < 40; ++i)
            test::send(from, test::make_packet(from, test::frame_bytes({}, {}, 1000, i)));
        std::stop_source stop;
        std::vector<packet> got;
        auto receiver = fiber::spawn([&] {
            while (auto count = to->receive(some, stop.get_token()))
                for (packet& one : std::span{some}.first(*count))
                    got.push_back(std::move(one));
        });
        while (to->statistics().received.lost(frame_loss::no_memory) + got.size() < lost + 40)
            fiber::yield();
        CHECK(to->statistics().received.lost(frame_loss::no_memory) > lost);
        stop.request_stop();
        receiver.join();
        got.clear();
        held.clear();
        test::send(from, test::make_packet(from, test::frame_bytes({}, {}, 1000, 77)));
        CHECK(test::contents(test::receive_frames(*to, 1)[0]) == test::frame_bytes({}, {}, 1000, 77));
    }
}

TEST_CASE("TAP and packet socket: a VLAN tag stands in the frame") {
    if (!has_own_network())
        return;
    link ends;
    for (const bool to_interface : {true, false}) {
        kernel_nic& from = to_interface ? *ends.tap : *ends.interface;
        kernel_nic& to = to_interface ? *ends.interface : *ends.tap;
        auto data = test::frame_bytes(to.info().mac, from.info().mac, 200, 1);
        net::wire::store16(data, 12, ethernet::tagged);
        net::wire::store16(data, 14, 0x6007);
        net::wire::store16(data, 16, test::own_type);
        test::send(from, test::make_packet(from, data));
        CHECK(test::contents(test::receive_frames(to, 1)[0]) == data);
    }
}

TEST_CASE("kernel NIC: what cannot be opened says why") {
    if (!has_own_network())
        return;
    CHECK(kernel_nic::open_interface("nobody").error().code() == std::errc::no_such_device);
    CHECK(kernel_nic::open_interface("a name that is too long").error().code() == std::errc::invalid_argument);
    CHECK(kernel_nic::open_tap("a name that is too long").error().code() == std::errc::invalid_argument);
}

TEST_CASE("HALVM_NICS: lists the process's NICs") {
    const auto two = process::parse_nics("tap:one/02:00:00:00:00:07,,interface:two").value();
    REQUIRE(two.size() == 2);
    CHECK(two[0].is_tap);
    CHECK(two[0].interface == "one");
    CHECK(two[0].mac == mac_address{{2, 0, 0, 0, 0, 7}});
    CHECK(!two[1].is_tap);
    CHECK(two[1].interface == "two");
    for (const char* wrong : {"what:ever", "tap:", "tap:/02:00:00:00:00:07", "tap:one/no-mac",
                              "tap:one/ff:ff:ff:ff:ff:ff", "interface:two/02:00:00:00:00:07", "tap:one,two"})
        CHECK(process::parse_nics(wrong).error().code() == std::errc::invalid_argument);

    unsetenv("HALVM_NICS");
    CHECK(process::nics().value().empty());
    CHECK(process::open_nic("0").error().code() == std::errc::no_such_device);
    setenv("HALVM_NICS", "tap:one/02:00:00:00:00:07,tap:two", 1);
    CHECK(process::nics().value() == std::vector<std::string>{"0", "1"});
    CHECK(process::open_nic("2").error().code() == std::errc::no_such_device);
    if (!has_own_network())
        return;
    CHECK(process::open_nic("0").value().name() == "one");
    const auto one = process::open_nic("one").value();
    CHECK(one.name() == "one");
    CHECK(one.info().mac == mac_address{{2, 0, 0, 0, 0, 7}});
}

}  // namespace
