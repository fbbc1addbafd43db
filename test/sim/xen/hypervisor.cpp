// SPDX-License-Identifier: BSD-3-Clause
#include "hypervisor.hpp"

#include <halvm/panic.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace halvm::sim {
namespace {

constexpr std::size_t own_pages = 4096;
constexpr std::size_t window_pages = 4096;

}  // namespace

domain::domain(hypervisor& host, domid id, bool privileged)
    : host_{host},
      id_{id},
      privileged_{privileged},
      shared_info_{host.frames.allocate()},
      own_{own_pages},
      windows_{window_pages},
      frames_(own_pages) {
    std::memset(host.frames.at(shared_info_), 0, page_size);
}

domain::~domain() {
    for (const gfn frame : frames_)
        if (frame != gfn{})
            host_.frames.free(frame);
    host_.frames.free(shared_info_);
}

long domain::hypercall(unsigned long number, unsigned long first, unsigned long second, unsigned long third,
                       unsigned long fourth, unsigned long fifth) noexcept {
    return host_.dispatch(*this, number, {first, second, third, fourth, fifth});
}

shared_info_t& domain::shared_info() noexcept {
    return *reinterpret_cast<shared_info_t*>(host_.frames.at(shared_info_));
}

instant domain::now() noexcept { return host_.now(); }

void* domain::allocate_pages(std::size_t count) noexcept {
    std::byte* const first = own_.take(count);
    if (first == nullptr)
        return nullptr;
    for (std::size_t i = 0; i < count; ++i) {
        std::byte* const page = first + i * page_size;
        const gfn frame = host_.frames.allocate(xen::raw(id_));
        if (frame == gfn{}) {
            own_.give(page, count - i);
            free_pages(first, i);
            return nullptr;
        }
        frames_[own_.index(page)] = frame;
        host_.frames.map(page, frame, true);
        std::memset(page, 0, page_size);
    }
    return first;
}

void domain::free_pages(void* page, std::size_t count) noexcept {
    for (std::size_t i = own_.index(page); i < own_.index(page) + count; ++i) {
        const gfn frame = std::exchange(frames_.at(i), gfn{});
        if (host_.frames.seen_by_others(frame) != 0)
            host_.violation("a page is free that another domain still sees");
        memory::unmap(own_.page(i));
        host_.frames.free(frame);
    }
    own_.give(page, count);
}

long domain::protect_pages(void* page, std::size_t count, xen::protection allowed) noexcept {
    if (!own_.contains(page))
        return -XEN_EINVAL;
    memory::protect(page, count, allowed != xen::protection::none, allowed == xen::protection::read_write);
    return 0;
}

gfn domain::detach_frame(void* page) noexcept {
    memory::unmap(page);
    return std::exchange(frames_.at(own_.index(page)), gfn{});
}

long domain::attach_frame(void* page, gfn frame) noexcept {
    if (!host_.frames.valid(frame) || host_.frames.owner(frame) != xen::raw(id_))
        return -XEN_EINVAL;
    frames_.at(own_.index(page)) = frame;
    host_.frames.map(page, frame, true);
    return 0;
}

long domain::map_foreign_frame(void* page, domid owner, gfn frame, bool writable) noexcept {
    if (!privileged_)
        return -XEN_EPERM;
    if (!windows_.contains(page) || host_.find(owner) == nullptr || !host_.frames.valid(frame) ||
        host_.frames.owner(frame) != xen::raw(owner))
        return -XEN_EINVAL;
    host_.frames.map(page, frame, writable);
    return 0;
}

bool domain::maps(gfn frame) const noexcept {
    return std::find(frames_.begin(), frames_.end(), frame) != frames_.end();
}

gfn domain::frame_of(const void* page) const noexcept {
    return own_.contains(page) ? frames_[own_.index(page)] : gfn{};
}

void* domain::open_window(std::size_t count) noexcept { return windows_.take(count); }

void domain::close_window(void* page, std::size_t count) noexcept { windows_.give(page, count); }

std::uint64_t domain::window_address(const void* page) const noexcept { return reinterpret_cast<std::uint64_t>(page); }

long domain::map_frame(void* page, gfn frame) noexcept {
    if (!windows_.contains(page) || !host_.frames.valid(frame))
        return -XEN_EINVAL;
    host_.frames.map(page, frame, true);
    return 0;
}

void domain::unmap_frame(void* page) noexcept { memory::unmap(page); }

hypervisor::hypervisor(std::uint64_t seed, std::size_t count) : random{seed}, frames{count} {}

hypervisor::~hypervisor() {
    for (const auto& one : domains_) {
        if (!one->grants.mapped.empty())
            violation("domain " + std::to_string(xen::raw(one->id())) + " still maps " +
                      std::to_string(one->grants.mapped.size()) + " grants of others");
        close_grants(*this, *one);
    }
    for (const auto& one : domains_)
        free_table(*this, *one);
    for (const auto& what : violations_)
        FAIL_CHECK(what);
}

domain& hypervisor::create() {
    const domid id{static_cast<domid_t>(domains_.size())};
    return *domains_.emplace_back(std::make_unique<domain>(*this, id, id == xen::dom0));
}

void hypervisor::destroy(domain& one) {
    one.gone = true;
    close_events(*this, one);
    close_grants(*this, one);
}

domain* hypervisor::find(domid id) noexcept {
    const auto at = static_cast<std::size_t>(id);
    return at < domains_.size() && !domains_[at]->gone ? domains_[at].get() : nullptr;
}

domain& hypervisor::any(domid id) { return *domains_.at(static_cast<std::size_t>(id)); }

void hypervisor::at(instant when, std::function<void()> action) { actions_.emplace(when, std::move(action)); }

void hypervisor::refuse(domain& who, unsigned long number, long operation, long answer, unsigned times, unsigned skip) {
    refusals_.push_back({&who, number, operation, answer, times, skip});
}

long hypervisor::dispatch(domain& who, unsigned long number, const unsigned long (&arguments)[5]) {
    if (who.gone)
        return -XEN_EPERM;
    if (before_call)
        before_call(who, number, arguments[0]);
    for (refusal& one : refusals_) {
        if (one.who != &who || one.number != number || one.times == 0 ||
            (one.operation != -1 && one.operation != static_cast<long>(arguments[0])))
            continue;
        if (one.skip != 0) {
            --one.skip;
            continue;
        }
        --one.times;
        return one.answer;
    }
    switch (number) {
    case __HYPERVISOR_event_channel_op:
        return event_channel_op(*this, who, arguments[0], reinterpret_cast<void*>(arguments[1]));
    case __HYPERVISOR_grant_table_op:
        return grant_table_op(*this, who, arguments[0], reinterpret_cast<void*>(arguments[1]), arguments[2]);
    case __HYPERVISOR_set_timer_op: return set_timer(*this, who, arguments[0]);
    case __HYPERVISOR_sched_op:
        if (arguments[0] != SCHEDOP_shutdown)
            return arguments[0] == SCHEDOP_yield ? 0 : -XEN_ENOSYS;
        who.shutdown_reason = static_cast<int>(reinterpret_cast<sched_shutdown_t*>(arguments[1])->reason);
        return 0;
    case __HYPERVISOR_xen_version: return xen_version(*this, who, arguments[0], reinterpret_cast<void*>(arguments[1]));
    case __HYPERVISOR_vcpu_op:
        return vcpu_op(*this, who, arguments[0], arguments[1], reinterpret_cast<void*>(arguments[2]));
    case __HYPERVISOR_multicall:
        return multicall(*this, who, reinterpret_cast<multicall_entry*>(arguments[0]), arguments[1]);
    case __HYPERVISOR_domctl: return domctl(*this, who, *reinterpret_cast<xen_domctl_t*>(arguments[0]));
    case __HYPERVISOR_sysctl: return sysctl(*this, who, *reinterpret_cast<xen_sysctl_t*>(arguments[0]));
    case __HYPERVISOR_physdev_op: return physdev_op(*this, who, arguments[0], reinterpret_cast<void*>(arguments[1]));
    case __HYPERVISOR_memory_op:
        switch (arguments[0]) {
        case XENMEM_populate_physmap:
            return populate_physmap(*this, who, *reinterpret_cast<xen_memory_reservation_t*>(arguments[1]));
        case XENMEM_maximum_reservation:
            return maximum_reservation(*this, who, *reinterpret_cast<domid_t*>(arguments[1]));
        default: return memory_op(*this, who, arguments[0], reinterpret_cast<void*>(arguments[1]));
        }
    default: return -XEN_ENOSYS;
    }
}

void hypervisor::run_due() {
    while (!actions_.empty() && actions_.begin()->first <= time_) {
        const auto action = std::move(actions_.extract(actions_.begin()).mapped());
        action();
    }
}

void hypervisor::poll() noexcept {
    run_due();
    for (const auto& one : domains_)
        if (!one->gone && one->on_poll)
            one->on_poll();
}

void hypervisor::wait(instant deadline) noexcept {
    const instant next = actions_.empty() ? fiber::never : actions_.begin()->first;
    if (std::min(next, deadline) == fiber::never)
        panic("the simulation waits for ever");
    time_ = std::max(time_, std::min(next, deadline));
    run_due();
}

}  // namespace halvm::sim
