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
    void set_frame(gfn frame) const {
        if (v1_ != nullptr)
            v1_->frame = static_cast<std::uint32_t>(raw(frame));
        else
            v2_->full_page.frame = raw(frame);
    }
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

/// What an entry lets a domain use.
struct granted {
    gfn frame{};
    std::size_t offset = 0;
    std::size_t size = page_size;
    bool whole = true;
};

/// What `who` may use by an entry of `owner`'s; GNTST_okay or why not.
int look(hypervisor& host, const domain& who, domain& owner, grant_ref_t ref, bool write, granted& found) {
    if (ref >= capacity(owner.grants))
        return GNTST_bad_gntref;
    const entry shared{host, owner.grants, ref};
    const auto flags = shared.flags();
    const auto type = flags & GTF_type_mask;
    if (shared.peer() != raw(who.id()) || (write && (flags & GTF_readonly) != 0))
        return GNTST_general_error;
    if (type == GTF_transitive && owner.grants.version == 2) {
        domain* const first = host.find(domid{shared.v2().transitive.trans_domid});
        // Xen follows one step only.
        if (first == nullptr || first == &owner)
            return GNTST_general_error;
        const int status = look(host, owner, *first, shared.v2().transitive.gref, write, found);
        found.whole = false;
        return status;
    }
    if (type != GTF_permit_access)
        return GNTST_general_error;
    found.frame = shared.frame();
    if ((flags & GTF_sub_page) != 0 && owner.grants.version == 2)
        found = {found.frame, shared.v2().sub_page.page_off, shared.v2().sub_page.length, false};
    if (!host.frames.valid(found.frame) || host.frames.owner(found.frame) != raw(owner.id()))
        return GNTST_general_error;
    return GNTST_okay;
}

/// Begins a use of a whole page by `who`.
int begin(hypervisor& host, domain& who, domain& owner, grant_ref_t ref, bool write, gfn& frame) {
    if (const auto known = owner.grants.active.find(ref); known != owner.grants.active.end())
        check_untouched(host, owner, ref, known->second);
    granted found;
    if (const int status = look(host, who, owner, ref, write, found); status != GNTST_okay)
        return status;
    if (!found.whole)
        return GNTST_general_error;
    frame = found.frame;
    auto& active = owner.grants.active.try_emplace(ref, active_grant{raw(who.id()), frame}).first->second;
    ++(write ? active.writers : active.readers);
    const entry shared{host, owner.grants, ref};
    std::atomic_ref{shared.status()}.fetch_or(static_cast<std::uint16_t>(GTF_reading | (write ? GTF_writing : 0)));
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
        if (who.grants.maps_to_defer != 0) {
            --who.grants.maps_to_defer;
            end(host, *owner, request.ref, write);
            request.status = GNTST_eagain;
            return;
        }
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

/// Where one side of a copy is; GNTST_okay or why it may not be used.
int find_side(hypervisor& host, domain& who, const gnttab_copy_t::gnttab_copy_ptr& side, bool granted_side, bool write,
              std::size_t size, std::byte*& at) {
    if (side.offset + size > page_size)
        return GNTST_bad_copy_arg;
    granted found;
    if (granted_side) {
        domain* const owner = side.domid == DOMID_SELF ? &who : host.find(domid{side.domid});
        if (owner == nullptr)
            return GNTST_bad_domain;
        if (const int status = look(host, who, *owner, side.u.ref, write, found); status != GNTST_okay)
            return status;
        if (side.offset < found.offset || side.offset + size > found.offset + found.size)
            return GNTST_general_error;
    } else {
        found.frame = gfn{side.u.gmfn};
        if (side.domid != DOMID_SELF)
            return GNTST_permission_denied;
        if (!host.frames.valid(found.frame) || host.frames.owner(found.frame) != raw(who.id()))
            return GNTST_general_error;
    }
    at = host.frames.at(found.frame) + side.offset;
    return GNTST_okay;
}

void copy(hypervisor& host, domain& who, gnttab_copy_t& request) {
    std::byte *from = nullptr, *into = nullptr;
    int status =
        find_side(host, who, request.source, (request.flags & GNTCOPY_source_gref) != 0, false, request.len, from);
    if (status == GNTST_okay)
        status = find_side(host, who, request.dest, (request.flags & GNTCOPY_dest_gref) != 0, true, request.len, into);
    if (status == GNTST_okay && who.grants.copies_to_defer != 0) {
        --who.grants.copies_to_defer;
        status = GNTST_eagain;
    }
    request.status = static_cast<std::int16_t>(status);
    if (status == GNTST_okay)
        std::memmove(into, from, request.len);
}

void transfer(hypervisor& host, domain& who, gnttab_transfer_t& request) {
    const gfn frame{request.mfn};
    domain* const to = host.find(domid{request.domid});
    if (!host.frames.valid(frame) || host.frames.owner(frame) != raw(who.id()) || who.maps(frame) ||
        host.frames.seen_by_others(frame) != 0) {
        request.status = GNTST_bad_page;
        return;
    }
    // From here on the frame is not the sender's any more, whatever the receiver says.
    const auto refuse = [&](int status) {
        host.frames.free(frame);
        request.status = static_cast<std::int16_t>(status);
    };
    if (to == nullptr)
        return refuse(GNTST_bad_domain);
    if (request.ref >= capacity(to->grants) || host.frames.owned_by(raw(to->id())) >= to->frames_limit)
        return refuse(GNTST_general_error);
    const entry invited{host, to->grants, request.ref};
    if (invited.flags() != GTF_accept_transfer || invited.peer() != raw(who.id()))
        return refuse(GNTST_general_error);
    invited.flags() |= GTF_transfer_committed;
    host.frames.set_owner(frame, raw(to->id()));
    invited.set_frame(frame);
    invited.flags() |= GTF_transfer_completed;
    request.status = GNTST_okay;
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
    case GNTTABOP_copy:
        for (unsigned long i = 0; i < count; ++i)
            copy(host, who, static_cast<gnttab_copy_t*>(argument)[i]);
        return 0;
    case GNTTABOP_transfer:
        for (unsigned long i = 0; i < count; ++i)
            transfer(host, who, static_cast<gnttab_transfer_t*>(argument)[i]);
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
