// SPDX-License-Identifier: BSD-3-Clause
// What the two ends of a virtual disk tell each other in the XenStore before anything goes through a ring: what the
// back end offers, what the front end makes of it, and what the disk is. [xen/io/blkif.h]
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/xen/block_queue.hpp>
#include <halvm/xen/frontend.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace halvm::xen {

struct blkfront_options {
    std::uint32_t queues = 1;      ///< rings at most; one VCPU has use for one
    std::uint32_t ring_pages = 1;  ///< of each ring at most, a power of two up to 16; 32 requests a page
    std::uint32_t segments = 32;   ///< pages in one request at most, 11 to 256; more than 11 when the back end can
    bool persistent = true;        ///< let the back end keep our buffers mapped, when it offers to
    bool trusted = true;           ///< false: grant nothing but the device's own memory, and copy the rest there
    std::chrono::nanoseconds patience = std::chrono::seconds{30};  ///< for the back end, when it comes back too
};

/// What was agreed on with the back end.
struct blkfront_features {
    std::uint32_t queues = 0;
    std::uint32_t ring_pages = 0;
    std::uint32_t segments = 0;
    bool persistent = false;
    bool flush = false;
    bool barrier = false;
    bool discard = false;
    bool discard_secure = false;
};

/// The XenStore's half of one disk's handshake. Each of these blocks and fails as the XenStore does, and with
/// std::errc::bad_message when the back end has written something that can not be.
class block_handshake {
public:
    block_handshake(front_device& device, const blkfront_options& options) noexcept
        : device_{device}, options_{options} {}

    /// What the back end offers before it knows of us: what the rings may be.
    result<void> read_offers(blkfront_features& into, const wait_limit& limit) {
        std::uint32_t queues = 1;
        std::uint32_t order = 0;
        std::uint32_t indirect = 0;
        for (auto done :
             {read("multi-queue-max-queues", 1u, queues, limit), read("max-ring-page-order", 0u, order, limit),
              read("feature-max-indirect-segments", 0u, indirect, limit)})
            if (!done)
                return done;
        into.queues = std::clamp(queues, 1u, options_.queues);
        into.ring_pages = std::min(1u << std::min(order, 4u), options_.ring_pages);
        into.segments = std::max<std::uint32_t>(BLKIF_MAX_SEGMENTS_PER_REQUEST, std::min(indirect, options_.segments));
        return {};
    }

    /// Whether the back end may see memory of the program's: what the toolstack says, and the options.
    bool trusted(const wait_limit& limit) {
        const auto trust = device_.store().read_number<unsigned>(device_.path() + "/trusted", limit);
        return options_.trusted && trust.value_or(1) != 0;
    }

    /// Tells the back end of the rings, and that they can be used.
    template <Platform Domain>
    result<void> announce(const std::vector<std::unique_ptr<block_queue<Domain>>>& queues, std::uint32_t ring_pages,
                          const wait_limit& limit) {
        return device_.store().transact(
            [&](transaction& nodes) -> result<void> {
                const auto& path = device_.path();
                if (auto done = nodes.write(path + "/protocol", XEN_IO_PROTO_ABI_X86_64); !done)
                    return done;
                if (auto done = nodes.write(path + "/feature-persistent", options_.persistent ? 1 : 0); !done)
                    return done;
                // What an earlier connection left there would be taken for this one's.
                for (const auto& [name, many, value] :
                     {std::tuple{"/ring-page-order", ring_pages > 1, std::size_t(std::countr_zero(ring_pages))},
                      std::tuple{"/multi-queue-num-queues", queues.size() > 1, queues.size()}})
                    if (auto done = many ? nodes.write(path + name, value) : nodes.remove(path + name); !done)
                        return done;
                for (std::size_t i = 0; i < queues.size(); ++i) {
                    const auto place = queues.size() == 1 ? path : path + "/queue-" + std::to_string(i);
                    if (auto done = queues[i]->describe(nodes, place); !done)
                        return done;
                }
                return nodes.write(path + "/state", static_cast<unsigned>(device_state::initialised));
            },
            limit);
    }

    /// What the back end can do. Back ends say so no sooner than that they are connected, when they have opened the
    /// disk; what stands there before that is of another connection.
    result<void> read_features(blkfront_features& into, const wait_limit& limit) {
        std::array<unsigned, 5> yes{};
        for (auto done : {read("feature-persistent", 0u, yes[0], limit), read("feature-flush-cache", 0u, yes[1], limit),
                          read("feature-barrier", 0u, yes[2], limit), read("feature-discard", 0u, yes[3], limit),
                          read("discard-secure", 0u, yes[4], limit)})
            if (!done)
                return done;
        into.persistent = options_.persistent && yes[0] != 0;
        into.flush = yes[1] != 0;
        into.barrier = yes[2] != 0;
        into.discard = yes[3] != 0;
        into.discard_secure = yes[4] != 0;
        return {};
    }

    /// What the disk is, once the back end is connected; all but its queue depth.
    result<block_info> read_disk(const blkfront_features& agreed, const wait_limit& limit) {
        block_info info;
        std::uint64_t units = 0;
        std::uint32_t unit = 0;
        std::uint32_t flags = 0;
        if (auto done = read("sector-size", std::uint32_t{block_unit}, info.sector_size, limit); !done)
            return failure(done.error());
        const std::uint32_t size = info.sector_size;
        for (auto done : {read("sectors", std::uint64_t{0}, units, limit), read("info", 0u, flags, limit),
                          read("physical-sector-size", size, info.physical_size, limit),
                          read("discard-granularity", size, unit, limit)})
            if (!done)
                return failure(done.error());
        if (!std::has_single_bit(size) || size < block_unit || size > page_size)
            return bad("use a disk with sectors of an impossible size:");
        if (info.physical_size % size != 0 || unit % size != 0)
            return bad("use a disk whose units are no whole sectors:");
        info.sectors = units / (size / block_unit);
        info.physical_size = std::max(info.physical_size, size);
        info.longest_discard = agreed.discard ? info.sectors : 0;
        info.discard_unit = std::max(1u, unit / size);
        info.read_only = (flags & VDISK_READONLY) != 0;
        info.removable = (flags & (VDISK_REMOVABLE | VDISK_CDROM)) != 0;
        info.flushes = agreed.flush || agreed.barrier;
        return info;
    }

    /// How many sectors there are now, of a disk that may have been resized, or whose medium was changed.
    result<std::uint64_t> read_sectors(std::uint32_t sector_size, const wait_limit& limit) {
        auto units = device_.offered("sectors", std::uint64_t{0}, limit);
        if (units)
            *units /= sector_size / block_unit;
        return units;
    }

private:
    template <class Number>
    result<void> read(std::string_view name, Number otherwise, Number& into, const wait_limit& limit) {
        auto value = device_.offered(name, otherwise, limit);
        if (!value)
            return failure(value.error());
        into = *value;
        return {};
    }
    failure bad(const char* what) {
        return failure(error{std::make_error_code(std::errc::bad_message), what, device_.backend()});
    }

    front_device& device_;
    const blkfront_options& options_;
};

}  // namespace halvm::xen
