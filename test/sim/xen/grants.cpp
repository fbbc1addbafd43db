// SPDX-License-Identifier: BSD-3-Clause
#include "grants.hpp"

#include "hypervisor.hpp"

#include <atomic>
#include <cstring>
#include <string>

namespace halvm::sim {
namespace {

using xen::raw;

constexpr std::size_t v1_per_page = page_size / sizeof(grant_entry_v1_t);
constexpr std::size_t v2_per_page = page_size / sizeof(grant_entry_v2_t);
constexpr std::size_t statuses_per_page = page_size / sizeof(grant_status_t);
constexpr unsigned in_use = GTF_reading | GTF_writing;

/// One entry of a domain's table, whichever version that has.
class entry {
public:
    entry(hypervisor& host, const grant_state& of, grant_ref_t ref)
        : v1_{of.version == 1 ? reinterpret_cast<grant_entry_v1_t*>(host.frames.at(of.frames[ref / v1_per_page])) +
                                    ref % v1_per_page
                              : nullptr},
          v2_{of.version == 2 ? reinterpret_cast<grant_entry_v2_t*>(host.frames.at(of.frames[ref / v2_per_page])) +
                                    ref % v2_per_page
                              : nullptr},
          status_{of.version == 2
                      ? reinterpret_cast<grant_status_t*>(host.frames.at(of.status_frames[ref / statuses_per_page])) +
                            ref % statuses_per_page
                      : nullptr} {}

    [[nodiscard]] std::uint16_t& flags() const { return v1_ != nullptr ? v1_->flags : v2_->hdr.flags; }
    /// Where Xen marks who uses the entry.
    [[nodiscard]] std::uint16_t& status() const { return v1_ != nullptr ? v1_->flags : *status_; }
    [[nodiscard]] domid_t peer() const { return v1_ != nullptr ? v1_->domid : v2_->hdr.domid; }
    [[nodiscard]] gfn frame() const { return gfn{v1_ != nullptr ? v1_->frame : v2_->full_page.frame}; }
    [[nodiscard]] const grant_entry_v2_t& v2() const { return *v2_; }

private:
    grant_entry_v1_t* v1_;
    grant_entry_v2_t* v2_;
    grant_status_t* status_;
};

std::size_t capacity(const grant_state& of) { return of.frames.size() * (of.version == 1 ? v1_per_page : v2_per_page); }

std::string name(const domain& owner, grant_ref_t ref) {
    return "grant " + std::to_string(ref) + " of domain " + std::to_string(raw(owner.id()));
}

/// While a peer uses an entry its domain must leave it alone; only its flags may go, and in version 2 alone.
void check_untouched(hypervisor& host, const domain& owner, grant_ref_t ref, const active_grant& known) {
    const entry now{host, owner.grants, ref};
    const bool ended = (now.flags() & GTF_type_mask) == GTF_invalid;
    if (ended ? owner.grants.version == 1 : now.peer() != known.peer || now.frame() != known.frame)
        host.violation(name(owner, ref) + " was used anew while a peer had its page mapped");
}

/// Begins a use of a whole page by `who`.
int begin(hypervisor& host, domain& who, domain& owner, grant_ref_t ref, bool write, gfn& frame) {
    if (ref >= capacity(owner.grants))
        return GNTST_bad_gntref;
    const entry found{host, owner.grants, ref};
    const auto flags = found.flags();
    const auto known = owner.grants.active.find(ref);
    if (known != owner.grants.active.end())
        check_untouched(host, owner, ref, known->second);
    if ((flags & GTF_type_mask) != GTF_permit_access || found.peer() != raw(who.id()) || (flags & GTF_sub_page) != 0)
        return GNTST_general_error;
    if (write && (flags & GTF_readonly) != 0)
        return GNTST_general_error;
    frame = found.frame();
    if (!host.frames.valid(frame) || host.frames.owner(frame) != raw(owner.id()))
        return GNTST_general_error;
    auto& active = owner.grants.active.try_emplace(ref, active_grant{raw(who.id()), frame}).first->second;
    ++(write ? active.writers : active.readers);
    std::atomic_ref{found.status()}.fetch_or(static_cast<std::uint16_t>(GTF_reading | (write ? GTF_writing : 0)));
    ++host.frames.seen_by_others(frame);
    return GNTST_okay;
}

void end(hypervisor& host, domain& owner, grant_ref_t ref, bool write) {
    const auto found = owner.grants.active.find(ref);
    active_grant& active = found->second;
    check_untouched(host, owner, ref, active);
    --host.frames.seen_by_others(active.frame);
    --(write ? active.writers : active.readers);
    const entry shared{host, owner.grants, ref};
    const auto status = std::atomic_ref{shared.status()};
    if (active.writers == 0)
        status.fetch_and(static_cast<std::uint16_t>(~GTF_writing));
    if (active.readers + active.writers == 0) {
        status.fetch_and(static_cast<std::uint16_t>(~in_use));
        owner.grants.active.erase(found);
    }
}

void map(hypervisor& host, domain& who, gnttab_map_grant_ref_t& request) {
    domain* const owner = host.find(domid{request.dom});
    auto* const page = reinterpret_cast<void*>(request.host_addr);
    if (owner == nullptr)
        request.status = GNTST_bad_domain;
    else if (!who.in_window(page) || request.host_addr % page_size != 0 || (request.flags & GNTMAP_host_map) == 0)
        request.status = GNTST_general_error;
    else {
        const bool write = (request.flags & GNTMAP_readonly) == 0;
        gfn frame{};
        request.status = static_cast<std::int16_t>(begin(host, who, *owner, request.ref, write, frame));
        if (request.status != GNTST_okay)
            return;
        request.handle = who.grants.next_handle++;
        who.grants.mapped[request.handle] = {owner->id(), request.ref, frame, page, write};
        host.frames.map(page, frame, write);
    }
}

void unmap(hypervisor& host, domain& who, gnttab_unmap_grant_ref_t& request) {
    const auto found = who.grants.mapped.find(request.handle);
    if (found == who.grants.mapped.end()) {
        request.status = GNTST_bad_handle;
        return;
    }
    request.status = GNTST_okay;
    // Nothing to unmap for the CPU: all is as it was, and Xen calls it done.
    if (request.host_addr == 0)
        return;
    const grant_mapping gone = found->second;
    if (reinterpret_cast<void*>(request.host_addr) != gone.page) {
        request.status = GNTST_general_error;
        return;
    }
    memory::unmap(gone.page);
    who.grants.mapped.erase(found);
    end(host, host.any(gone.owner), gone.ref, gone.writable);
}

long setup_table(hypervisor& host, domain& who, gnttab_setup_table_t& request) {
    auto& state = who.grants;
    if (request.nr_frames > state.pages_limit) {
        request.status = GNTST_general_error;
        return 0;
    }
    const auto add = [&](std::vector<gfn>& to, std::size_t wanted) {
        while (to.size() < wanted) {
            const gfn frame = host.frames.allocate(memory::xen);
            if (frame == gfn{})
                return false;
            std::memset(host.frames.at(frame), 0, page_size);
            to.push_back(frame);
        }
        return true;
    };
    if (!add(state.frames, request.nr_frames) ||
        (state.version == 2 &&
         !add(state.status_frames, (capacity(state) + statuses_per_page - 1) / statuses_per_page))) {
        request.status = GNTST_general_error;
        return 0;
    }
    for (std::uint32_t i = 0; i < request.nr_frames; ++i)
        request.frame_list.p[i] = raw(state.frames[i]);
    request.status = GNTST_okay;
    return 0;
}

long set_version(hypervisor& host, domain& who, gnttab_set_version_t& request) {
    auto& state = who.grants;
    if (request.version != 1 && request.version != 2)
        return -XEN_EINVAL;
    if (request.version == 2 && state.only_version_1)
        return -XEN_ENOSYS;
    if (!state.active.empty())
        return -XEN_EBUSY;
    for (grant_ref_t ref = GNTTAB_NR_RESERVED_ENTRIES; ref < capacity(state); ++ref)
        if (entry{host, state, ref}.flags() != 0)
            return -XEN_EBUSY;
    for (const gfn frame : state.frames)
        std::memset(host.frames.at(frame), 0, page_size);
    state.version = request.version;
    gnttab_setup_table_t again{};
    std::vector<xen_pfn_t> frames(state.frames.size());
    again.nr_frames = static_cast<std::uint32_t>(frames.size());
    set_xen_guest_handle(again.frame_list, frames.data());
    return setup_table(host, who, again);
}

long get_status_frames(domain& who, gnttab_get_status_frames_t& request) {
    auto& state = who.grants;
    request.status =
        state.version == 2 && request.nr_frames <= state.status_frames.size() ? GNTST_okay : GNTST_general_error;
    if (request.status == GNTST_okay)
        for (std::uint32_t i = 0; i < request.nr_frames; ++i)
            request.frame_list.p[i] = raw(state.status_frames[i]);
    return 0;
}

}  // namespace

long grant_table_op(hypervisor& host, domain& who, unsigned long operation, void* argument, unsigned long count) {
    switch (operation) {
    case GNTTABOP_map_grant_ref:
        for (unsigned long i = 0; i < count; ++i)
            map(host, who, static_cast<gnttab_map_grant_ref_t*>(argument)[i]);
        return 0;
    case GNTTABOP_unmap_grant_ref:
        for (unsigned long i = 0; i < count; ++i)
            unmap(host, who, static_cast<gnttab_unmap_grant_ref_t*>(argument)[i]);
        return 0;
    case GNTTABOP_query_size: {
        auto& request = *static_cast<gnttab_query_size_t*>(argument);
        request.nr_frames = static_cast<std::uint32_t>(who.grants.frames.size());
        request.max_nr_frames = who.grants.pages_limit;
        request.status = GNTST_okay;
        return 0;
    }
    case GNTTABOP_setup_table: return setup_table(host, who, *static_cast<gnttab_setup_table_t*>(argument));
    case GNTTABOP_set_version: return set_version(host, who, *static_cast<gnttab_set_version_t*>(argument));
    case GNTTABOP_get_version: static_cast<gnttab_get_version_t*>(argument)->version = who.grants.version; return 0;
    case GNTTABOP_get_status_frames: return get_status_frames(who, *static_cast<gnttab_get_status_frames_t*>(argument));
    default: return -XEN_ENOSYS;
    }
}

void close_grants(hypervisor& host, domain& who) {
    while (!who.grants.mapped.empty()) {
        const grant_mapping gone = who.grants.mapped.begin()->second;
        who.grants.mapped.erase(who.grants.mapped.begin());
        memory::unmap(gone.page);
        end(host, host.any(gone.owner), gone.ref, gone.writable);
    }
}

void free_table(hypervisor& host, domain& who) {
    for (const auto* frames : {&who.grants.frames, &who.grants.status_frames})
        for (const gfn frame : *frames)
            host.frames.free(frame);
}

}  // namespace halvm::sim
