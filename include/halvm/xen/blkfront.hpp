// SPDX-License-Identifier: BSD-3-Clause
// The front half of Xen's virtual disks. Here is the device: its handshake, its life, and the Block that programs use;
// what travels in its rings is block_queue.hpp. [xen/io/blkif.h]
//
// A back end that closes and comes back finds all requests that it has not answered asked again, in new rings or, when
// it attaches to those that are there, in the old ones; one that breaks the rules, or whose node goes, ends the device:
// every request fails, now and later, and nothing else is harmed.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/device/block_pieces.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/condition.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/xen/block_queue.hpp>
#include <halvm/xen/device_memory.hpp>
#include <halvm/xen/frontend.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
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

struct blkfront_statistics {
    std::uint64_t requests = 0;       ///< in the rings, parts of larger ones each
    std::uint64_t notifications = 0;  ///< sent
    std::uint64_t bounced = 0;        ///< requests whose data was copied
    std::uint64_t errors = 0;         ///< requests that the back end failed
    std::uint64_t reconnects = 0;
};

/// A disk; a Block. Ending its life ends its requests, takes back its grants and tells the back end. With one ring of
/// one page it takes at most 1.5 MiB of the domain's memory besides what allocate() has handed out, whatever is asked.
/// Of the latter, up to 640 pages stay with it under persistent grants, because the back end keeps them mapped.
template <Platform Domain>
class basic_blkfront {
public:
    using buffer = typename device_memory<Domain>::buffer;

    /// Connects to the disk `number`, as list_devices() names it. Blocks until its back end is there, or until the
    /// limit.
    /// Errors: no_such_device; timed_out, with the state and path of the back end that did not come; operation_canceled
    /// when it was asked to stop; bad_message when the back end describes no disk; those of the XenStore, grants and
    /// ports.
    static result<basic_blkfront> open(const basic_mechanisms<Domain>& mechanisms, std::string_view number,
                                       const blkfront_options& options, const wait_limit& limit) {
        auto made = std::make_unique<disk>(mechanisms, options);
        if (auto begun = made->begin(number, limit); !begun)
            return failure(begun.error());
        return basic_blkfront{std::move(made)};
    }
    /// The same within the options' patience.
    static result<basic_blkfront> open(const basic_mechanisms<Domain>& mechanisms, std::string_view number,
                                       const blkfront_options& options = {}) {
        return open(mechanisms, number, options, fiber::within(options.patience));
    }
    basic_blkfront(basic_blkfront&&) noexcept = default;
    basic_blkfront& operator=(basic_blkfront&&) noexcept = default;

    [[nodiscard]] block_info info() const noexcept { return disk_->info; }
    result<buffer> allocate(std::size_t size) {
        const std::size_t sector = info().sector_size;
        return disk_->memory->allocate((size + sector - 1) / sector * sector);
    }
    /// Errors: those of check(); io_error when the back end failed it; no_such_device when the disk was taken away;
    /// protocol_error when the back end broke the rules.
    result<void> transfer(std::span<block_request> batch) { return disk_->transfer(batch); }

    [[nodiscard]] const blkfront_features& features() const noexcept { return disk_->agreed; }
    [[nodiscard]] const blkfront_statistics& statistics() const noexcept { return disk_->statistics; }

private:
    class disk;
    explicit basic_blkfront(std::unique_ptr<disk> made) noexcept : disk_{std::move(made)} {}

    std::unique_ptr<disk> disk_;
};

/// The device itself, which stays where it is while its handle moves.
template <Platform Domain>
class basic_blkfront<Domain>::disk {
    using queue_type = block_queue<Domain>;
    using part = block_part<Domain>;

public:
    disk(const basic_mechanisms<Domain>& mechanisms, const blkfront_options& options)
        : mechanisms_{mechanisms}, store_{mechanisms.store}, options_{options} {
        Expects(options.queues != 0 && options.segments >= BLKIF_MAX_SEGMENTS_PER_REQUEST && options.segments <= 256);
        Expects(std::has_single_bit(options.ring_pages) && options.ring_pages <= 16);
    }
    ~disk() {
        stopping_.request_stop();
        if (life_.joinable())
            life_.join();
        if (!queues_.empty())
            static_cast<void>(leave());
        fail(std::make_error_code(std::errc::no_such_device));
        drop_queues();
    }
    disk(const disk&) = delete;
    disk& operator=(const disk&) = delete;

    result<void> begin(std::string_view number, const wait_limit& limit) {
        const auto vdev =
            store_.read_number<std::uint16_t>("device/vbd/" + std::string{number} + "/virtual-device", limit);
        auto device = front_device::open(store_, "vbd", number, limit);
        if (!device)
            return failure(device.error());
        device_ = std::move(*device);
        handle_ = vdev.value_or(0);
        if (auto connected = connect(limit); !connected) {
            static_cast<void>(device_->set_state(device_state::closed));
            return connected;
        }
        life_ = fiber::spawn([this] { live(); },
                             {.name = "disk " + std::string{number}, .stack = 2 * service_stack, .service = true});
        return {};
    }

    result<void> transfer(std::span<block_request> batch) {
        block_batch call;
        for (block_request& one : batch)
            if (one.outcome = check(one, info); one.outcome)
                ask(call, one, 0, size_of(one));
        publish();
        while (call.unanswered != 0)
            fiber::this_scheduler().wait(call.done, {});
        return first_failure(batch);
    }

    block_info info;
    std::shared_ptr<device_memory<Domain>> memory;
    blkfront_features agreed;
    blkfront_statistics statistics;

private:
    static constexpr std::size_t service_stack = std::size_t{16} << 10;
    // More than a few large requests under way at once make a disk no faster.
    static constexpr std::uint32_t most_indirect = 32;
    static constexpr std::chrono::seconds attach_patience{5};

    // 1. The handshake.

    result<void> connect(const wait_limit& limit) {
        if (auto done = device_->find_backend(limit); !done)
            return done;
        if (auto done = device_->set_state(device_state::initialising, limit); !done)
            return done;
        constexpr std::array ready{device_state::init_wait};
        if (auto there = device_->wait_for(ready, limit); !there)
            return failure(there.error());
        if (auto done = read_offers(limit); !done)
            return done;
        if (auto done = open_queues(); !done)
            return done;
        if (auto done = announce(limit); !done)
            return done;
        if (auto done = device_->await_connected(limit); !done)
            return done;
        if (auto done = read_features(limit); !done)
            return done;
        if (auto done = read_disk(limit); !done)
            return done;
        for (auto& queue : queues_)
            answerers_.push_back(fiber::spawn([this, &queue = *queue] { serve(queue); },
                                              {.name = "disk answers", .stack = service_stack, .service = true}));
        connected_ = true;
        changed();
        return device_->set_state(device_state::connected, limit);
    }

    template <class Number>
    result<void> read_offer(std::string_view name, Number otherwise, Number& into, const wait_limit& limit) {
        auto value = device_->offered(name, otherwise, limit);
        if (!value)
            return failure(value.error());
        into = *value;
        return {};
    }

    /// What the back end offers before it knows of us: what the rings may be.
    result<void> read_offers(const wait_limit& limit) {
        std::uint32_t queues = 1;
        std::uint32_t order = 0;
        std::uint32_t indirect = 0;
        for (auto done : {read_offer("multi-queue-max-queues", 1u, queues, limit),
                          read_offer("max-ring-page-order", 0u, order, limit),
                          read_offer("feature-max-indirect-segments", 0u, indirect, limit)})
            if (!done)
                return done;
        const auto trust = store_.read_number<unsigned>(device_->path() + "/trusted", limit);
        trusted_ = options_.trusted && trust.value_or(1) != 0;
        agreed.queues = std::clamp(queues, 1u, options_.queues);
        agreed.ring_pages = std::min(1u << std::min(order, 4u), options_.ring_pages);
        agreed.segments =
            std::max<std::uint32_t>(BLKIF_MAX_SEGMENTS_PER_REQUEST, std::min(indirect, options_.segments));
        return {};
    }

    /// What the back end can do. Back ends say so no sooner than that they are connected, when they have opened the
    /// disk; what stands there before that is of another connection.
    result<void> read_features(const wait_limit& limit) {
        std::array<unsigned, 5> yes{};
        for (auto done :
             {read_offer("feature-persistent", 0u, yes[0], limit), read_offer("feature-flush-cache", 0u, yes[1], limit),
              read_offer("feature-barrier", 0u, yes[2], limit), read_offer("feature-discard", 0u, yes[3], limit),
              read_offer("discard-secure", 0u, yes[4], limit)})
            if (!done)
                return done;
        agreed.persistent = options_.persistent && yes[0] != 0;
        memory->peer_keeps(agreed.persistent);
        agreed.flush = yes[1] != 0;
        agreed.barrier = yes[2] != 0;
        agreed.discard = yes[3] != 0;
        agreed.discard_secure = yes[4] != 0;
        return {};
    }

    result<void> open_queues() {
        if (!memory || memory->peer() != device_->peer())
            memory = std::make_shared<device_memory<Domain>>(mechanisms_.grants, device_->peer());
        const bool large = agreed.segments > BLKIF_MAX_SEGMENTS_PER_REQUEST;
        for (std::uint32_t i = 0; i < agreed.queues; ++i) {
            auto queue =
                queue_type::open(mechanisms_, device_->peer(),
                                 static_cast<unsigned>(std::countr_zero(agreed.ring_pages)), large ? most_indirect : 0);
            if (!queue)
                return failure(queue.error());
            queues_.push_back(std::move(*queue));
        }
        return {};
    }

    result<void> announce(const wait_limit& limit) {
        return store_.transact(
            [&](transaction& nodes) -> result<void> {
                const auto& path = device_->path();
                if (auto done = nodes.write(path + "/protocol", XEN_IO_PROTO_ABI_X86_64); !done)
                    return done;
                if (auto done = nodes.write(path + "/feature-persistent", options_.persistent ? 1 : 0); !done)
                    return done;
                if (agreed.ring_pages > 1)
                    if (auto done = nodes.write(path + "/ring-page-order", std::countr_zero(agreed.ring_pages)); !done)
                        return done;
                if (queues_.size() > 1)
                    if (auto done = nodes.write(path + "/multi-queue-num-queues", queues_.size()); !done)
                        return done;
                for (std::size_t i = 0; i < queues_.size(); ++i) {
                    const auto place = queues_.size() == 1 ? path : path + "/queue-" + std::to_string(i);
                    if (auto done = queues_[i]->describe(nodes, place); !done)
                        return done;
                }
                return nodes.write(path + "/state", static_cast<unsigned>(device_state::initialised));
            },
            limit);
    }

    /// What the disk is, once the back end is connected; also after it was resized.
    result<void> read_disk(const wait_limit& limit) {
        const auto bad = [&](const char* what) {
            return failure(error{std::make_error_code(std::errc::bad_message), what, device_->backend()});
        };
        const auto units = device_->offered("sectors", std::uint64_t{0}, limit);
        const auto size = device_->offered("sector-size", std::uint32_t{block_unit}, limit);
        const auto flags = device_->offered("info", 0u, limit);
        for (const auto* wrong :
             {units ? nullptr : &units.error(), size ? nullptr : &size.error(), flags ? nullptr : &flags.error()})
            if (wrong != nullptr)
                return failure(*wrong);
        const auto physical = device_->offered("physical-sector-size", *size, limit);
        const auto unit = device_->offered("discard-granularity", *size, limit);
        if (!physical || !unit)
            return failure(physical ? unit.error() : physical.error());
        if (!std::has_single_bit(*size) || *size < block_unit || *size > page_size)
            return bad("use a disk with sectors of an impossible size:");
        if (*physical % *size != 0 || *unit % *size != 0)
            return bad("use a disk whose units are no whole sectors:");
        std::uint32_t in_flight = 0;
        for (const auto& queue : queues_)
            in_flight += queue->slots();
        const std::uint64_t sectors = *units / (*size / block_unit);
        info = {.sectors = sectors,
                .sector_size = *size,
                .physical_size = std::max(*physical, *size),
                .queue_depth = in_flight,
                .longest_discard = agreed.discard ? sectors : 0,
                .discard_unit = std::max(1u, *unit / *size),
                .read_only = (*flags & VDISK_READONLY) != 0,
                .removable = (*flags & VDISK_REMOVABLE) != 0,
                .flushes = agreed.flush || agreed.barrier};
        return {};
    }

    // 2. The life of the connection.

    void live() {
        const wait_limit until_stopped{stopping_.get_token()};
        for (;;) {
            auto state = device_->next_state(until_stopped);
            // What is waited for in these is seen here, not as an event.
            if (state && *state == device_state::closing && connected_) {
                static_cast<void>(leave());
                state = device_->state(until_stopped);
            } else if (state && *state == device_state::init_wait && connected_) {
                await_attached(until_stopped);
                state = device_->state(until_stopped);
            }
            if (!state) {
                if (state.error().code() != std::errc::operation_canceled)
                    fail(state.error().code());
                return;
            }
            if (dead_)
                return;
            if (!follow(*state, until_stopped))
                return;
        }
    }

    /// A back end that was restarted may go on with the rings as they are, what it has not answered in them included:
    /// Linux's does when it finds us connected. One that has not done so in this time wants new ones.
    void await_attached(const wait_limit& until_stopped) {
        const wait_limit limit{fiber::within(attach_patience).deadline, until_stopped.stop};
        constexpr std::array over{device_state::connected, device_state::closing, device_state::closed,
                                  device_state::unknown};
        const auto there = device_->wait_for(over, limit);
        if (there && *there == device_state::connected && read_features(limit))
            ++statistics.reconnects;
    }

    /// False when the device has come to its end.
    bool follow(device_state state, const wait_limit& until_stopped) {
        switch (state) {
        case device_state::connected:
            if (connected_ && !read_disk(until_stopped))
                fail(std::make_error_code(std::errc::bad_message));
            return !dead_;
        case device_state::closed:
        case device_state::unknown:
            disconnect();
            if (!device_->may_return(state, until_stopped))
                fail(std::make_error_code(std::errc::no_such_device));
            return !dead_;
        case device_state::init_wait: disconnect(); return reconnect(until_stopped);
        default: return true;
        }
    }

    /// Answers what is under way, then lets go of the rings. Nothing new goes in meanwhile.
    result<void> leave() {
        connected_ = false;
        auto limit = fiber::within(options_.patience);
        while (pending() != 0 && !dead_)
            if (fiber::this_scheduler().wait(changed_, limit) != fiber::wake::signalled)
                break;
        if (auto done = device_->close(limit); !done)
            return done;
        disconnect();
        return {};
    }

    /// The rings go; what was not answered waits for the next connection.
    void disconnect() {
        connected_ = false;
        for (auto& queue : queues_)
            for (auto& one : queue->abandon())
                unanswered_.push_back(std::move(one));
        drop_queues();
    }

    bool reconnect(const wait_limit& until_stopped) {
        wait_limit limit{fiber::within(options_.patience).deadline, until_stopped.stop};
        if (auto connected = connect(limit); !connected) {
            drop_queues();
            if (connected.error().code() == std::errc::operation_canceled)
                return false;
            // It closes when we have, and may be tried again then.
            if (connected.error().code() == std::errc::connection_refused)
                static_cast<void>(device_->set_state(device_state::closed, until_stopped));
            // Else its state will say when; a disk that is none any more has failed for good.
            if (connected.error().code() == std::errc::bad_message)
                fail(connected.error().code());
            return !dead_;
        }
        ++statistics.reconnects;
        auto again = std::exchange(unanswered_, {});
        for (auto& one : again) {
            one->grants.clear();
            one->bounce = {};
        }
        for (auto& one : again) {
            ask(*one->batch, *one->request, one->offset, one->offset + one->size);
            answered(*one);
        }
        publish();
        return true;
    }

    void drop_queues() {
        for (auto& queue : queues_)
            queue->port().close();
        for (auto& one : answerers_)
            one.join();
        answerers_.clear();
        queues_.clear();
    }

    /// The end: everything that was asked fails, and all that will be.
    void fail(std::error_code why) {
        if (!dead_)
            dead_ = why;
        connected_ = false;
        for (auto& queue : queues_)
            for (auto& one : queue->abandon())
                unanswered_.push_back(std::move(one));
        for (auto left = std::exchange(unanswered_, {}); auto& one : left) {
            one->request->outcome = failure(error{dead_, "use a disk that is gone:", device_ ? device_->path() : ""});
            answered(*one);
        }
        changed();
    }

    // 3. Requests.

    /// Asks for the bytes of a request from `begin` to `end`, in as many parts as it takes. Blocks while the rings are
    /// full, or there is no back end.
    void ask(block_batch& batch, block_request& request, std::uint64_t begin, std::uint64_t end) {
        do {
            queue_type* const queue = await_room();
            if (queue == nullptr) {
                request.outcome = failure(error{dead_, "use a disk that is gone:", device_->path()});
                return;
            }
            auto one = std::make_unique<part>();
            one->batch = &batch;
            one->request = &request;
            one->offset = begin;
            if (auto filled = fill(*one, begin, end); !filled) {
                request.outcome = failure(filled.error());
                return;
            }
            if (one->size == 0 && begin != end) {
                // All pages to copy through are under way.
                publish();
                fiber::this_scheduler().wait(changed_, {});
                continue;
            }
            begin += one->size;
            const std::uint64_t unit = request.first * (info.sector_size / block_unit) + one->offset / block_unit;
            const bool data = one->operation == BLKIF_OP_READ || one->operation == BLKIF_OP_WRITE;
            ++batch.unanswered;
            ++statistics.requests;
            queue->push(std::move(one), handle_, data || request.operation == block_operation::discard ? unit : 0,
                        request.count * (info.sector_size / block_unit));
        } while (begin < end);
    }

    /// A ring with room for the largest request; nullptr when there will never be one.
    queue_type* await_room() {
        for (;;) {
            if (dead_)
                return nullptr;
            if (connected_)
                for (auto& queue : queues_)
                    if (queue->room(agreed.segments))
                        return queue.get();
            publish();
            fiber::this_scheduler().wait(changed_, {});
        }
    }

    void publish() {
        for (auto& queue : queues_)
            statistics.notifications += queue->publish() ? 1 : 0;
    }

    /// Makes `one` of what follows `begin`, up to `end` and to what a request can hold.
    result<void> fill(part& one, std::uint64_t begin, std::uint64_t end) {
        switch (one.request->operation) {
        case block_operation::flush:
            one.operation = agreed.flush ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER;
            return {};
        case block_operation::discard: one.operation = BLKIF_OP_DISCARD; return {};
        case block_operation::read: one.operation = BLKIF_OP_READ; break;
        case block_operation::write: one.operation = BLKIF_OP_WRITE; break;
        }
        for_each_piece(*one.request, begin, end,
                       [&](std::byte* data, std::size_t size) { return add_direct(one, data, size); });
        return one.size % info.sector_size == 0 && one.size != 0 ? result<void>{} : bounce(one, begin, end);
    }

    /// Adds what it can of a run of memory, without a copy. How much that was.
    std::size_t add_direct(part& one, std::byte* data, std::size_t size) {
        std::size_t added = 0;
        while (added != size && one.segments.size() != agreed.segments) {
            std::byte* const at = data + added;
            const std::size_t in_page = reinterpret_cast<std::uintptr_t>(at) % page_size;
            const std::size_t length = std::min(size - added, page_size - in_page);
            if (in_page % block_unit != 0 || length % block_unit != 0)
                break;
            grant_ref ref = memory->find(at);
            if (ref == grant_ref{}) {
                // A back end that keeps pages mapped would keep the program's.
                if (agreed.persistent || !trusted_ || mechanisms_.domain.frame_of(at) == gfn{})
                    break;
                const bool reads = one.operation == BLKIF_OP_READ;
                auto grant = grant_access(mechanisms_.grants, device_->peer(), at,
                                          reads ? access::read_write : access::read_only);
                if (!grant)
                    break;
                ref = grant->ref();
                one.grants.push_back(std::move(*grant));
            }
            one.segments.push_back({raw(ref), static_cast<std::uint8_t>(in_page / block_unit),
                                    static_cast<std::uint8_t>((in_page + length) / block_unit - 1)});
            added += length;
        }
        one.size += added;
        return added;
    }

    /// The same through pages of the device's own, as far as there are any; the part stays empty when there are none.
    result<void> bounce(part& one, std::uint64_t begin, std::uint64_t end) {
        one.segments.clear();
        one.grants.clear();
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(end - begin, agreed.segments * page_size));
        auto pages = memory->take_copies((size + page_size - 1) / page_size);
        if (!pages)
            return failure(pages.error());
        one.bounce = std::move(*pages);
        one.size = std::min(size, one.bounce.count() * page_size);
        if (one.size == 0)
            return {};
        if (one.operation == BLKIF_OP_WRITE)
            copy_data(one, begin,
                      [](std::byte* theirs, std::byte* ours, std::size_t count) { std::copy_n(theirs, count, ours); });
        for (std::size_t at = 0; at < one.size; at += page_size)
            one.segments.push_back({raw(one.bounce.ref(at / page_size)), 0,
                                    static_cast<std::uint8_t>(std::min(page_size, one.size - at) / block_unit - 1)});
        ++statistics.bounced;
        return {};
    }

    /// Calls `copy(theirs, ours, size)` for the data of a part, whose first byte is the request's at `begin`.
    template <class Copy>
    static void copy_data(part& one, std::uint64_t begin, Copy copy) {
        std::size_t at = 0;
        for_each_piece(*one.request, begin, begin + one.size, [&](std::byte* theirs, std::size_t size) {
            for (std::size_t done = 0; done != size;) {
                const std::size_t here = std::min(size - done, page_size - at % page_size);
                copy(theirs + done, one.bounce.page(at / page_size).data() + at % page_size, here);
                done += here;
                at += here;
            }
            return size;
        });
    }

    // 4. Answers.

    void serve(queue_type& queue) {
        while (queue.port().is_open()) {
            const auto drained =
                queue.drain([this](std::unique_ptr<part> one, std::int16_t status) { finish(*one, status); });
            if (!drained) {
                fail(drained.error().code());
                return;
            }
            if (*drained != 0)
                changed();
            else
                queue.port().was_spurious();
            if (!queue.port().wait())
                return;
        }
    }

    void finish(part& one, std::int16_t status) {
        block_request& request = *one.request;
        if (status != BLKIF_RSP_OKAY) {
            ++statistics.errors;
            if (status == BLKIF_RSP_EOPNOTSUPP)
                ask_no_more(one.operation);
            const auto why = status == BLKIF_RSP_EOPNOTSUPP ? std::errc::operation_not_supported : std::errc::io_error;
            request.outcome =
                failure(error{std::make_error_code(why), "use a disk: its back end failed a request", device_->path()});
        } else if (one.bounce.count() != 0 && one.operation == BLKIF_OP_READ) {
            copy_data(one, one.offset, [](std::byte* theirs, const std::byte* ours, std::size_t size) {
                std::copy_n(ours, size, theirs);
            });
        }
        for (auto& grant : one.grants)
            if (!grant.end())
                request.outcome =
                    failure(error{std::make_error_code(std::errc::protocol_error),
                                  "use a disk whose back end keeps the memory of a request:", device_->path()});
        answered(one);
    }

    /// A back end may offer what its disk turns out not to do.
    void ask_no_more(std::uint8_t operation) noexcept {
        switch (operation) {
        case BLKIF_OP_FLUSH_DISKCACHE: agreed.flush = false; break;
        case BLKIF_OP_WRITE_BARRIER: agreed.barrier = false; break;
        case BLKIF_OP_DISCARD:
            agreed.discard = false;
            info.longest_discard = 0;
            break;
        default: break;
        }
        info.flushes = agreed.flush || agreed.barrier;
    }

    static void answered(part& one) noexcept {
        one.bounce = {};  // for who is woken here
        if (--one.batch->unanswered == 0)
            fiber::this_scheduler().signal_all(one.batch->done);
    }

    void changed() noexcept { fiber::this_scheduler().signal_all(changed_); }

    [[nodiscard]] std::size_t pending() const noexcept {
        std::size_t count = 0;
        for (const auto& queue : queues_)
            count += queue->pending();
        return count;
    }

    basic_mechanisms<Domain> mechanisms_;
    xenstore_connection& store_;
    blkfront_options options_;
    std::optional<front_device> device_;
    blkif_vdev_t handle_ = 0;
    bool trusted_ = true;
    bool connected_ = false;
    std::error_code dead_;
    std::vector<std::unique_ptr<queue_type>> queues_;
    std::vector<std::unique_ptr<part>> unanswered_;  // between two connections
    fiber::wait_queue changed_{"room in a disk's ring", true};
    std::stop_source stopping_;
    std::vector<fiber::handle<void>> answerers_;
    fiber::handle<void> life_;
};

}  // namespace halvm::xen
