// SPDX-License-Identifier: BSD-3-Clause
// A hypervisor in an ordinary process: several domains, each a model of xen::Platform, with events, grants, shared
// pages and a XenStore between them. It follows [xen/*.h] for what it knows and answers -XEN_ENOSYS to the rest.
//
// One thread, one scheduler: the fibers of all domains take turns. Time stands still while any of them can run, then
// jumps to what comes next. Nothing depends on anything but the seed, so that the same seed is the same run.
//
// Its faults come on demand: a hypercall refused, a signal lost or made up, a page scribbled on at a chosen moment, a
// domain gone. What a domain does that would hurt it on a real machine is a violation, and fails the test.
#pragma once

#include "events.hpp"
#include "grants.hpp"
#include "information.hpp"
#include "memory.hpp"
#include "reservations.hpp"
#include "toolstack.hpp"

#include <halvm/fiber.hpp>
#include <halvm/xen/pages.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace halvm::sim {

using fiber::instant;
using xen::domid;

class hypervisor;

/// One domain, as its own code sees it and as the test does.
class domain {
public:
    domain(hypervisor& host, domid id, bool privileged);
    ~domain();
    domain(const domain&) = delete;
    domain& operator=(const domain&) = delete;

    // What xen::Platform and xen::MemoryPlatform ask for.
    long hypercall(unsigned long number, unsigned long first, unsigned long second, unsigned long third,
                   unsigned long fourth, unsigned long fifth) noexcept;
    shared_info_t& shared_info() noexcept;
    instant now() noexcept;
    void* allocate_pages(std::size_t count) noexcept;
    void free_pages(void* page, std::size_t count) noexcept;
    [[nodiscard]] gfn frame_of(const void* page) const noexcept;
    void* open_window(std::size_t count) noexcept;
    void close_window(void* page, std::size_t count) noexcept;
    [[nodiscard]] std::uint64_t window_address(const void* page) const noexcept;
    long map_frame(void* page, gfn frame) noexcept;
    void unmap_frame(void* page) noexcept;
    long protect_pages(void* page, std::size_t count, xen::protection allowed) noexcept;
    gfn detach_frame(void* page) noexcept;
    long attach_frame(void* page, gfn frame) noexcept;
    long map_foreign_frame(void* page, domid owner, gfn frame, bool writable) noexcept;
    xen::xenstore_place xenstore() noexcept { return store; }

    // What the test asks and sets.
    [[nodiscard]] domid id() const noexcept { return id_; }
    [[nodiscard]] bool privileged() const noexcept { return privileged_; }
    [[nodiscard]] hypervisor& host() const noexcept { return host_; }
    [[nodiscard]] std::size_t pages_in_use() const noexcept { return own_.taken(); }
    [[nodiscard]] std::size_t windows_in_use() const noexcept { return windows_.taken(); }
    /// Whether a frame lies behind one of its own pages.
    [[nodiscard]] bool maps(gfn frame) const noexcept;
    [[nodiscard]] bool in_window(const void* page) const noexcept { return windows_.contains(page); }

    /// Looks whether this domain has been signalled: the poll of its event channels.
    std::function<void()> on_poll;
    /// Set by shutdown, to SHUTDOWN_*; -1 while the domain runs.
    int shutdown_reason = -1;
    std::size_t frames_limit = SIZE_MAX;  ///< how many frames it may have when it asks for more, or accepts one
    bool gone = false;                    ///< destroyed: its hypercalls fail, its peers find it dead
    xen::xenstore_place store{};
    event_state events;
    grant_state grants;
    control_state control;

private:
    hypervisor& host_;
    domid id_;
    bool privileged_;
    gfn shared_info_;
    address_range own_;
    address_range windows_;
    std::vector<gfn> frames_;  // under each page of own_, by index
};
static_assert(xen::MemoryPlatform<domain>);

class hypervisor final : public fiber::machine {
public:
    explicit hypervisor(std::uint64_t seed = 1, std::size_t frames = 16384);
    ~hypervisor();

    /// The first one is dom0, and privileged.
    domain& create();
    /// As `xl destroy`: its channels close, its mappings go, its peers are left alone with what they had.
    void destroy(domain& one);
    /// nullptr when there is none, or none any more. DOMID_SELF is for the caller to resolve.
    domain* find(domid id) noexcept;
    /// The same with those that were destroyed.
    domain& any(domid id);
    /// How many there have been: they are numbered in order.
    [[nodiscard]] std::size_t domains() const noexcept { return domains_.size(); }

    /// Does `action` when the clock reaches `when`.
    void at(instant when, std::function<void()> action);
    void after(instant delay, std::function<void()> action) { at(time_ + delay, std::move(action)); }

    /// The next `times` calls of this number (and of this operation, its first argument, unless that is -1) by `who`,
    /// after `skip` more have been let through, are answered by `answer` and have no effect.
    void refuse(domain& who, unsigned long number, long operation, long answer, unsigned times = 1, unsigned skip = 0);
    /// Called before each hypercall, to change what the caller or a peer has in memory at that moment.
    std::function<void(domain& who, unsigned long number, unsigned long operation)> before_call;

    /// Something that would have hurt a domain on a real machine. The destructor fails the test when there are any.
    void violation(std::string what) { violations_.push_back(std::move(what)); }
    [[nodiscard]] std::vector<std::string> take_violations() { return std::exchange(violations_, {}); }

    long dispatch(domain& who, unsigned long number, const unsigned long (&arguments)[5]);

    // What fiber::machine asks for.
    instant now() noexcept override { return time_; }
    void poll() noexcept override;
    void wait(instant deadline) noexcept override;
    void deadlock() noexcept override { ++deadlocks; }

    unsigned deadlocks = 0;
    std::mt19937_64 random;
    memory frames;
    sim::description description;
    machine_state machine;

private:
    struct refusal {
        domain* who;
        unsigned long number;
        long operation;
        long answer;
        unsigned times;
        unsigned skip;
    };

    void run_due();

    instant time_ = 1'000'000;
    std::multimap<instant, std::function<void()>> actions_;
    std::vector<refusal> refusals_;
    std::vector<std::string> violations_;
    std::deque<std::unique_ptr<domain>> domains_;
    fiber::scheduler fibers_{*this};
};

}  // namespace halvm::sim
