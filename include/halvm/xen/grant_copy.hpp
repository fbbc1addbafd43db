// SPDX-License-Identifier: BSD-3-Clause
// Copies between pages of ours and pages that another domain granted, made by Xen: nothing is mapped, and many go in
// one hypercall. [xen/grant_table.h: GNTTABOP_copy]
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/xen/grant_table.hpp>

#include <array>
#include <span>

namespace halvm::xen {

/// Some bytes of a page that `owner` granted to this domain.
struct granted_bytes {
    domid owner;
    grant_ref ref;
    std::size_t offset;
};

/// One copy, within one page on either side; how it ended is in it afterwards. A span of them is what Xen is given.
class copy_piece {
public:
    copy_piece() noexcept = default;

    /// Whether it was copied. Errors: what Xen answers.
    [[nodiscard]] result<void> outcome() const noexcept {
        if (raw_.status == GNTST_okay)
            return {};
        if ((raw_.flags & GNTCOPY_source_gref) != 0)
            return failure(
                grant_error(raw_.status, "copy from grant {} of domain {}", raw_.source.u.ref, raw_.source.domid));
        return failure(grant_error(raw_.status, "copy to grant {} of domain {}", raw_.dest.u.ref, raw_.dest.domid));
    }
    [[nodiscard]] std::size_t size() const noexcept { return raw_.len; }

private:
    template <Platform Domain>
    friend copy_piece copy_in(const Domain& domain, granted_bytes from, bytes into) noexcept;
    template <Platform Domain>
    friend copy_piece copy_out(const Domain& domain, const_bytes from, granted_bytes into) noexcept;
    friend copy_piece copy_across(granted_bytes from, granted_bytes into, std::size_t size) noexcept;
    template <Platform Domain>
    friend result<void> copy_grants(basic_grant_table<Domain>& table, std::span<copy_piece> pieces);

    using place = gnttab_copy_t::gnttab_copy_ptr;

    copy_piece(const place& source, const place& dest, std::size_t size, unsigned flags) noexcept {
        raw_.source = source;
        raw_.dest = dest;
        raw_.len = static_cast<std::uint16_t>(size);
        raw_.flags = static_cast<std::uint16_t>(flags);
    }

    static place granted(granted_bytes at, std::size_t size) noexcept {
        Expects(at.offset + size <= page_size);
        place made{};
        made.u.ref = raw(at.ref);
        made.domid = raw(at.owner);
        made.offset = static_cast<std::uint16_t>(at.offset);
        return made;
    }
    template <Platform Domain>
    static place own(const Domain& domain, const_bytes at) noexcept {
        const std::size_t offset = reinterpret_cast<std::uintptr_t>(at.data()) % page_size;
        Expects(offset + at.size() <= page_size);
        place made{};
        made.u.gmfn = raw(domain.frame_of(at.data()));
        made.domid = DOMID_SELF;
        made.offset = static_cast<std::uint16_t>(offset);
        return made;
    }

    gnttab_copy_t raw_{};
};
static_assert(sizeof(copy_piece) == sizeof(gnttab_copy_t));

/// A copy from a granted page to memory of ours. Pre: neither side crosses the border of a page.
template <Platform Domain>
copy_piece copy_in(const Domain& domain, granted_bytes from, bytes into) noexcept {
    return {copy_piece::granted(from, into.size()), copy_piece::own(domain, into), into.size(), GNTCOPY_source_gref};
}

/// A copy from memory of ours to a granted page. Pre: neither side crosses the border of a page.
template <Platform Domain>
copy_piece copy_out(const Domain& domain, const_bytes from, granted_bytes into) noexcept {
    return {copy_piece::own(domain, from), copy_piece::granted(into, from.size()), from.size(), GNTCOPY_dest_gref};
}

/// A copy from one granted page to another, of the same domain or not. Pre: neither side crosses the border of a page.
inline copy_piece copy_across(granted_bytes from, granted_bytes into, std::size_t size) noexcept {
    return {copy_piece::granted(from, size), copy_piece::granted(into, size), size,
            GNTCOPY_source_gref | GNTCOPY_dest_gref};
}

/// How often what Xen calls "try again" is tried again, with other fibers running in between, before it is an error.
inline constexpr unsigned copy_retries = 100;

/// Makes all copies, in their order, in one hypercall. Those that fail do not keep the others from being made; each
/// tells of itself. Blocks the fiber while Xen says "try again", at most `copy_retries` turns.
/// Errors: that of the first one that failed; what Xen answers when it refuses the call as a whole.
template <Platform Domain>
result<void> copy_grants(basic_grant_table<Domain>& table, std::span<copy_piece> pieces) {
    for (copy_piece& one : pieces)
        one.raw_.status = GNTST_general_error;
    long status = table.operation(GNTTABOP_copy, pieces.data(), pieces.size());
    for (unsigned tries = 0; status >= 0 && tries < copy_retries; ++tries) {
        bool waited = false;
        for (copy_piece& one : pieces) {
            if (one.raw_.status != GNTST_eagain)
                continue;
            if (!std::exchange(waited, true))
                fiber::this_scheduler().yield();
            if (status >= 0)
                status = table.operation(GNTTABOP_copy, &one);
        }
        if (!waited)
            break;
    }
    if (status < 0)
        return failure(
            hypercall_error(status, "copy {} pieces of granted pages", static_cast<std::uint32_t>(pieces.size())));
    for (const copy_piece& one : pieces)
        if (auto outcome = one.outcome(); !outcome)
            return outcome;
    return {};
}

namespace detail {
/// Cuts memory of ours, at most a page of it, where it crosses the border of a page.
inline std::size_t before_border(const_bytes own) noexcept {
    return std::min(own.size(), page_size - reinterpret_cast<std::uintptr_t>(own.data()) % page_size);
}
}  // namespace detail

/// Copies from a granted page to memory of ours, which may begin and end anywhere.
/// Pre: from.offset and into's size stay within the granted page. Errors: those of copy_grants().
template <Platform Domain>
result<void> copy_from_grant(basic_grant_table<Domain>& table, granted_bytes from, bytes into) {
    const std::size_t cut = detail::before_border(into);
    std::array pieces{copy_in(table.domain(), from, into.first(cut)), copy_piece{}};
    if (cut == into.size())
        return copy_grants(table, std::span{pieces}.first(1));
    pieces[1] = copy_in(table.domain(), {from.owner, from.ref, from.offset + cut}, into.subspan(cut));
    return copy_grants(table, std::span{pieces});
}

/// Copies from memory of ours, which may begin and end anywhere, to a granted page. Pre: into.offset and from's size
/// stay within the granted page. Errors: those of copy_grants().
template <Platform Domain>
result<void> copy_to_grant(basic_grant_table<Domain>& table, const_bytes from, granted_bytes into) {
    const std::size_t cut = detail::before_border(from);
    std::array pieces{copy_out(table.domain(), from.first(cut), into), copy_piece{}};
    if (cut == from.size())
        return copy_grants(table, std::span{pieces}.first(1));
    pieces[1] = copy_out(table.domain(), from.subspan(cut), {into.owner, into.ref, into.offset + cut});
    return copy_grants(table, std::span{pieces});
}

}  // namespace halvm::xen
