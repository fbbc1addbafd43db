// SPDX-License-Identifier: BSD-3-Clause
// As dom0: makes and ends a domain, asks about the machine and compares with what Xen has printed, uses an I/O port
// and a physical interrupt, and refuses a Xen of another version.
#include "report.hpp"

#include <halvm/fiber.hpp>
#include <halvm/xen/domain_memory.hpp>
#include <halvm/xen/events.hpp>
#include <halvm/xen/guest.hpp>
#include <halvm/xen/io_ports.hpp>
#include <halvm/xen/memory.hpp>
#include <halvm/xen/populate.hpp>
#include <halvm/xen/sysctl.hpp>

#include <array>
#include <cstdlib>
#include <set>
#include <string>

using namespace halvm;
namespace domctl = xen::domctl;
namespace sysctl = xen::sysctl;

namespace {

xen::guest domain;

std::string console_so_far() {
    std::string text;
    std::array<std::byte, 1000> part;
    std::uint32_t index = 0;
    while (const auto count = sysctl::read_console(domain, part, index).value())
        text += as_text(const_bytes{part}.first(count));
    return text;
}

/// The number behind `words` in what Xen has printed.
std::uint64_t printed(const std::string& console, const char* words) {
    const auto at = console.find(words);
    HALVM_CHECK(at != std::string::npos);
    return at == std::string::npos ? 0 : std::strtoull(console.c_str() + at + std::strlen(words), nullptr, 10);
}

void check_machine() {
    const auto console = console_so_far();
    const auto machine = sysctl::physinfo(domain).value();
    std::printf("%u CPUs of %u kHz, %lu pages, %lu free\n", machine.cpus, machine.cpu_khz, machine.total_pages,
                machine.free_pages);
    HALVM_CHECK(machine.cpus == printed(console, "Brought up "));
    HALVM_CHECK(machine.total_pages * 4 == printed(console, "MB ("));
    HALVM_CHECK(console.find("System RAM: ") != std::string::npos);
    HALVM_CHECK(machine.free_pages < machine.total_pages);
    HALVM_CHECK((machine.capabilities & XEN_SYSCTL_PHYSCAP_pv) != 0);
    HALVM_CHECK(machine.max_cpu + 1 >= machine.cpus);

    const auto scheduler = sysctl::scheduler_in_use(domain);
    HALVM_CHECK((console.find("(credit2)") != std::string::npos) == (scheduler == sysctl::scheduler::credit2));
    const auto places = sysctl::cpu_topology(domain).value();
    HALVM_CHECK(places.size() >= machine.cpus);
    HALVM_CHECK(places.at(0).socket == 0 && places.at(0).node == 0);
}

void check_self() {
    const auto me = domctl::get_info(domain, xen::self).value();
    HALVM_CHECK(me.id == xen::dom0);
    HALVM_CHECK(me.running && !me.paused && !me.dying && !me.hvm && !me.shutdown_reason);
    HALVM_CHECK(me.online_vcpus == 1 && me.last_vcpu == xen::vcpu{0});
    HALVM_CHECK(me.pages > 4000 && me.pages <= me.max_pages);
    const auto before = xen::vcpu_run_times(domain, xen::vcpu{0}).value().running;
    const auto again = domctl::get_info(domain, xen::dom0).value().cpu_time;
    HALVM_CHECK(before <= again && me.cpu_time <= before);
}

/// A privileged domain writes another's memory, and reads it.
void check_its_memory(xen::domid other, std::span<const xen::gfn> frames) {
    const auto free_before = sysctl::physinfo(domain).value().free_pages;
    const std::array backwards{frames[9], frames[4]};
    {
        auto both = xen::map_foreign(domain, other, std::span{backwards}, xen::access::read_write).value();
        both.bytes()[5] = std::byte{9};
        both.bytes()[xen::page_size + 5] = std::byte{4};
    }
    auto seen = xen::map_foreign(domain, other, frames.subspan(4, 6), xen::access::read_only).value();
    HALVM_CHECK(seen.bytes()[5] == std::byte{4} && seen.bytes()[5 * xen::page_size + 5] == std::byte{9});
    const std::array one_not_its{frames[0], xen::frame_behind(xen::pfn{100}).value()};
    HALVM_CHECK(!xen::map_foreign(domain, other, std::span{one_not_its}, xen::access::read_only));
    HALVM_CHECK(sysctl::physinfo(domain).value().free_pages == free_before);
}

void check_another() {
    const xen::domain_handle handle{{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
    const auto free_before = sysctl::physinfo(domain).value().free_pages;
    const auto made = domctl::create(domain, {.handle = handle, .max_vcpus = 2}).value();
    HALVM_CHECK(made != xen::dom0);
    HALVM_CHECK(sysctl::domains(domain).value().size() == 2);
    HALVM_CHECK(sysctl::domains(domain).value().back().handle == handle);
    HALVM_CHECK(domctl::create(domain, {}, made).error().code() == std::errc::file_exists);

    HALVM_CHECK(domctl::max_vcpus(domain, made, 2));
    constexpr std::size_t pages = 256;
    HALVM_CHECK(domctl::max_memory(domain, made, pages * 4 + 4));
    std::array<xen::pfn, pages> places{};
    for (std::size_t i = 0; i < pages; ++i)
        places[i] = xen::pfn{i};
    std::array<xen::gfn, pages> frames{};
    HALVM_CHECK(xen::populate(domain, made, places, frames));
    HALVM_CHECK(std::set(frames.begin(), frames.end()).size() == pages);
    HALVM_CHECK(sysctl::physinfo(domain).value().free_pages + pages <= free_before);
    const auto info = domctl::get_info(domain, made).value();
    HALVM_CHECK(info.pages == pages && info.max_pages == pages + 1);
    HALVM_CHECK(info.paused && info.last_vcpu == xen::vcpu{1});
    std::array<xen::gfn, pages> more{};
    HALVM_CHECK(xen::populate(domain, made, places, more).error().code() == std::errc::not_enough_memory);
    HALVM_CHECK(xen::populate(domain, xen::domid{999}, places, more).error().code() == std::errc::no_such_process);

    HALVM_CHECK(domctl::pause(domain, made));
    HALVM_CHECK(domctl::unpause(domain, made));
    HALVM_CHECK(domctl::get_info(domain, made).value().paused);
    HALVM_CHECK(domctl::set_vcpu_affinity(domain, made, xen::vcpu{0}, domctl::cpu_set{}.insert(0).insert(9)) ==
                domctl::cpu_set{}.insert(0));
    HALVM_CHECK(domctl::vcpu_affinity(domain, made, xen::vcpu{0}).value().contains(0));
    HALVM_CHECK(!domctl::vcpu_affinity(domain, made, xen::vcpu{7}));
    HALVM_CHECK(domctl::set_handle(domain, made, {}));
    HALVM_CHECK(domctl::get_info(domain, made).value().handle == xen::domain_handle{});
    HALVM_CHECK(domctl::init_hypercalls(domain, made, frames[0]));
    HALVM_CHECK(domctl::allow_io_ports(domain, made, 0x80, 1, true));
    HALVM_CHECK(domctl::allow_io_memory(domain, made, xen::gfn{0xb8}, 1, true));
    // An interrupt that dom0 does not use itself it cannot pass on.
    HALVM_CHECK(domctl::allow_irq(domain, made, xen::pirq{1}, true).error().message() ==
                "domctl irq_permission: Operation not permitted");
    HALVM_CHECK(xen::events().bind_pirq(xen::pirq{1}).error().code() == std::errc::operation_not_permitted);
    const auto interrupt = xen::physdev::map_gsi(domain, 1).value();
    HALVM_CHECK(domctl::allow_irq(domain, made, interrupt, true));
    HALVM_CHECK(domctl::allow_irq(domain, made, interrupt, false));
    check_its_memory(made, frames);
    // As a toolstack gives a domain its console and its XenStore.
    const auto theirs = xen::events().alloc_unbound_for(made, xen::dom0).value();
    {
        auto ours = xen::events().bind_interdomain(made, theirs).value();
        HALVM_CHECK(ours.status()->remote == made && ours.status()->remote_port == theirs);
        HALVM_CHECK(xen::events().status(made, theirs)->is == xen::port_status::kind::interdomain);
        HALVM_CHECK(ours.send());
    }
    HALVM_CHECK(xen::events().status(made, theirs)->is == xen::port_status::kind::unbound);

    HALVM_CHECK(domctl::destroy(domain, made));
    HALVM_CHECK(domctl::get_info(domain, made).error().message() == "domctl getdomaininfo: No such process");
    HALVM_CHECK(domctl::pause(domain, made).error().code() == std::errc::no_such_process);
    HALVM_CHECK(sysctl::domains(domain).value().size() == 1);
    // Xen frees the last of it when it next has nothing else to do. It may keep a few pages for the next domain.
    const auto free_now = [] { return sysctl::physinfo(domain).value().free_pages; };
    while (free_now() + 8 < free_before)
        xen::call(domain, __HYPERVISOR_sched_op, SCHEDOP_yield, nullptr);
}

void check_io_ports() {
    constexpr xen::io_port index{0x70}, data{0x71};
    const auto ports = xen::io_ports::open(domain).value();
    const auto cmos = [&](std::uint8_t at) {
        ports.out8(index, at);
        return ports.in8(data);
    };
    // Register D of the clock chip says that its memory is good, by its highest bit and no other. [MC146818]
    HALVM_CHECK(cmos(0x0d) == 0x80);
    const auto day = cmos(0x07);
    HALVM_CHECK(day >= 1 && day <= 0x31 && (day & 15) <= 9);
    // The address of PCI's configuration, as wide as it is.
    HALVM_CHECK(ports.in16(xen::io_port{0x72}) <= 0xffff);
    HALVM_CHECK(!xen::physdev::query_irq(domain, xen::pirq{100'000}));
    HALVM_CHECK(xen::physdev::set_iopl(domain, 9).error().message() == "physdev set_iopl: Invalid argument");
}

/// The keyboard's controller can be asked to act as if a key had been pressed: so its interrupt comes when we want it.
void check_interrupt() {
    constexpr xen::io_port command{0x64}, data{0x60};
    constexpr std::uint8_t as_if_typed = 0xd2, full = 1;
    constexpr unsigned keyboard = 1;
    auto& channels = xen::events();
    const auto ports = xen::io_ports::open(domain).value();
    const auto type = [&](std::uint8_t code) {
        ports.out8(command, as_if_typed);
        ports.out8(data, code);
    };
    while ((ports.in8(command) & full) != 0)
        static_cast<void>(ports.in8(data));

    const auto interrupt = xen::physdev::map_gsi(domain, keyboard).value();
    HALVM_CHECK(interrupt == xen::pirq{keyboard});
    HALVM_CHECK(!xen::physdev::map_gsi(domain, 100'000));
    {
        auto port = channels.bind_pirq(interrupt).value();
        const auto status = port.status().value();
        HALVM_CHECK(status.is == xen::port_status::kind::pirq && status.interrupt == keyboard);
        HALVM_CHECK(channels.bind_pirq(interrupt).error().code() == std::errc::file_exists);
        HALVM_CHECK(port.send().error().code() == std::errc::invalid_argument);
        const bool needs_end = xen::physdev::query_irq(domain, interrupt).value().needs_eoi;
        HALVM_CHECK(!port.take());
        for (const auto code : std::to_array<std::uint8_t>({0x1e, 0x9e, 0x30})) {
            type(code);
            HALVM_CHECK(port.wait());
            HALVM_CHECK(ports.in8(data) == code);
            if (needs_end)
                HALVM_CHECK(xen::physdev::end_of_interrupt(domain, interrupt));
            HALVM_CHECK(!port.take());
        }
        // A fiber that waits for a key leaves the others the processor.
        auto waiting = fiber::spawn([&] { return port.wait().has_value(); });
        fiber::yield();
        type(0xb0);
        HALVM_CHECK(waiting.join());
        HALVM_CHECK(ports.in8(data) == 0xb0);
        std::printf("interrupt %u came through port %u\n", keyboard, raw(port.number()));
    }
    HALVM_CHECK(xen::physdev::unmap_gsi(domain, interrupt));
    HALVM_CHECK(!channels.bind_pirq(interrupt));
    HALVM_CHECK(xen::physdev::map_gsi(domain, keyboard).error().code() == std::errc::operation_not_permitted);
}

/// A Xen whose interfaces are one version on from ours: the two numbers are exchanged on the way.
struct newer_xen : xen::guest {
    static long hypercall(unsigned long number, unsigned long first, unsigned long second, unsigned long third,
                          unsigned long fourth, unsigned long fifth) noexcept {
        const auto exchange = [](std::uint32_t& version, std::uint32_t ours) {
            version = version == ours ? ours + 1 : version == ours + 1 ? ours : version;
        };
        if (number == __HYPERVISOR_domctl)
            exchange(reinterpret_cast<xen_domctl_t*>(first)->interface_version, XEN_DOMCTL_INTERFACE_VERSION);
        if (number == __HYPERVISOR_sysctl)
            exchange(reinterpret_cast<xen_sysctl_t*>(first)->interface_version, XEN_SYSCTL_INTERFACE_VERSION);
        return xen::guest::hypercall(number, first, second, third, fourth, fifth);
    }
};

void check_other_version() {
    newer_xen newer;
    const auto says = [](const error& refused, const char* attempted, unsigned ours) {
        char text[128];
        std::snprintf(text, sizeof text, "%s: this Xen speaks interface version 0x%x, halvm was built for 0x%x",
                      attempted, ours + 1, ours);
        HALVM_CHECK(refused.message() == text);
        HALVM_CHECK(refused.code() == std::errc::not_supported);
    };
    says(domctl::get_info(newer, xen::dom0).error(), "domctl getdomaininfo", XEN_DOMCTL_INTERFACE_VERSION);
    says(domctl::create(newer, {}).error(), "domctl createdomain", XEN_DOMCTL_INTERFACE_VERSION);
    says(sysctl::physinfo(newer).error(), "sysctl physinfo", XEN_SYSCTL_INTERFACE_VERSION);
    HALVM_CHECK(sysctl::domains(domain).value().size() == 1);
}

}  // namespace

int halvm_main() {
    check_machine();
    check_self();
    check_another();
    check_io_ports();
    check_interrupt();
    check_other_version();
    return report::verdict("toolstack");
}
