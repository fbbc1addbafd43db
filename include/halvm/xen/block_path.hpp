// SPDX-License-Identifier: BSD-3-Clause
// The data path of a virtual disk: programs' requests become requests in its rings, and answers outcomes. There may be
// no rings for a while; what was asked waits until there are. [xen/io/blkif.h]
//
// A ring that works on something is told of more once a round of the scheduler. So fibers that ask one after another
// for adjacent sectors have one request in the ring, and the back end one to carry out; when it fails, each is asked
// for alone, and has an outcome of its own.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/device/block_pieces.hpp>
#include <halvm/fiber/condition.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/xen/block_data.hpp>
#include <halvm/xen/block_handshake.hpp>
#include <halvm/xen/block_queue.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace halvm::xen {

struct blkfront_statistics {
    std::uint64_t requests = 0;       ///< in the rings: parts of larger ones each, adjacent ones together
    std::uint64_t merged = 0;         ///< requests, or parts of them, that went with another
    std::uint64_t notifications = 0;  ///< sent
    std::uint64_t bounced = 0;        ///< requests, or parts of them, whose data was copied
    std::uint64_t errors = 0;         ///< requests that the back end failed
    std::uint64_t reconnects = 0;
};

template <Platform Domain>
class block_path {
    using queue_type = block_queue<Domain>;
    using part = block_part<Domain>;

public:
    explicit block_path(const basic_mechanisms<Domain>& mechanisms) : mechanisms_{mechanisms}, data_{mechanisms} {}
    /// Pre: finish() has been called, if begin() was.
    ~block_path() = default;
    block_path(const block_path&) = delete;
    block_path& operator=(const block_path&) = delete;

    /// Before the first connection. `called` is the disk's name in errors, `number` its own in requests.
    void begin(std::string called, blkif_vdev_t number) {
        called_ = std::move(called);
        number_ = number;
        publisher_ = fiber::spawn([this] { publish_in_turn(); },
                                  {.name = "disk requests", .stack = service_stack, .service = true});
    }

    /// Blocks until each request has its outcome.
    result<void> transfer(std::span<block_request> batch) {
        block_batch call;
        const bool busy = pending() != 0;
        for (block_request& one : batch)
            if (one.outcome = check(one, info); one.outcome)
                ask(call, one, 0, size_of(one), false);
        if (busy)
            fiber::this_scheduler().signal_all(asked_);
        else
            publish();
        while (call.unanswered != 0)
            fiber::this_scheduler().wait(call.done, {});
        return first_failure(batch);
    }

    // 1. What the handshake does with it.

    /// Makes the rings that were agreed on. Errors: those of pages, grants and ports.
    result<void> open_queues(domid peer) {
        // More than a few large requests under way at once make a disk no faster.
        const std::uint32_t indirect = agreed.segments > BLKIF_MAX_SEGMENTS_PER_REQUEST ? 16 : 0;
        data_.grant_to(peer);
        for (std::uint32_t i = 0; i < agreed.queues; ++i) {
            auto queue = queue_type::open(mechanisms_, peer, static_cast<unsigned>(std::countr_zero(agreed.ring_pages)),
                                          indirect);
            if (!queue)
                return failure(queue.error());
            queues_.push_back(std::move(*queue));
        }
        idle_.reserve(slots() + 1);
        return {};
    }
    [[nodiscard]] device_memory<Domain>& memory() noexcept { return data_.memory(); }
    [[nodiscard]] const std::vector<std::unique_ptr<queue_type>>& queues() const noexcept { return queues_; }
    /// Requests that fit into the rings.
    [[nodiscard]] std::uint32_t slots() const noexcept {
        std::uint32_t count = 0;
        for (const auto& queue : queues_)
            count += queue->slots();
        return count;
    }

    /// The back end serves the rings from now on.
    void start(bool trusted) {
        data_.set(agreed.segments, info.sector_size, agreed.persistent, trusted);
        for (auto& queue : queues_)
            answerers_.push_back(fiber::spawn([this, &queue = *queue] { serve(queue); },
                                              {.name = "disk answers", .stack = service_stack, .service = true}));
        connected_ = true;
        changed();
        ask_again();
    }
    [[nodiscard]] bool connected() const noexcept { return connected_; }
    /// Another back end goes on with the rings that there are.
    void attached_again(bool trusted) noexcept {
        data_.set(agreed.segments, info.sector_size, agreed.persistent, trusted);
        ++statistics.reconnects;
    }

    /// Nothing new goes in any more. Blocks until what is under way is answered, or until the limit.
    void settle(const wait_limit& limit) {
        publish();
        connected_ = false;
        while (pending() != 0 && !dead_)
            if (fiber::this_scheduler().wait(changed_, limit) != fiber::wake::signalled)
                return;
    }

    /// The rings go; what was not answered waits for the next ones.
    void drop_queues() {
        connected_ = false;
        abandon();
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
        abandon();
        for (const block_share& one : std::exchange(again_, {})) {
            one.request->outcome = gone();
            answered(one);
        }
        changed();
    }
    [[nodiscard]] bool dead() const noexcept { return static_cast<bool>(dead_); }

    /// After fail(): no fiber of the device's is left.
    void finish() {
        drop_queues();
        over_ = true;
        fiber::this_scheduler().signal_all(asked_);
        for (auto* const one : {&publisher_, &replay_})
            if (one->joinable())
                one->join();
    }

    block_info info;
    blkfront_features agreed;
    blkfront_statistics statistics;

private:
    static constexpr std::size_t service_stack = std::size_t{16} << 10;

    // 2. Requests.

    /// Asks for the bytes of a request from `begin` to `end`, in as many parts as it takes. Blocks while the rings are
    /// full, or there are none.
    void ask(block_batch& batch, block_request& request, std::uint64_t begin, std::uint64_t end, bool alone) {
        do {
            part* const into = find_place(request, begin, end, alone);
            if (into == nullptr) {
                request.outcome = gone();
                return;
            }
            block_share share{.batch = &batch, .request = &request, .offset = begin};
            if (auto filled = data_.fill(*into, share, end); !filled) {
                close_if_empty();
                request.outcome = failure(filled.error());
                return;
            }
            if (share.size == 0 && begin != end) {
                // All pages to copy through are under way.
                close_if_empty();
                publish();
                fiber::this_scheduler().wait(changed_, {});
                continue;
            }
            begin += share.size;
            statistics.bounced += share.copied ? 1 : 0;
            statistics.merged += into->shares.empty() ? 0 : 1;
            into->count +=
                request.operation == block_operation::discard ? units(request.count) : share.size / block_unit;
            into->shares.push_back(share);
            ++batch.unanswered;
        } while (begin < end);
    }

    /// The part that bytes of a request can be added to, in a ring with room for it; nullptr when there will never be
    /// one.
    part* find_place(const block_request& request, std::uint64_t begin, std::uint64_t end, bool alone) {
        const std::uint8_t operation = operation_of(request);
        const bool data = operation == BLKIF_OP_READ || operation == BLKIF_OP_WRITE;
        const bool placed = data || operation == BLKIF_OP_DISCARD;
        const std::uint64_t first = placed ? units(request.first) + begin / block_unit : 0;
        for (;;) {
            if (dead_)
                return nullptr;
            if (open_ && data && !alone && !open_->alone && open_->operation == operation &&
                open_->first + open_->count == first && fits(end - begin))
                return open_.get();
            close_part();
            if (connected_)
                for (auto& queue : queues_)
                    if (queue->room(agreed.segments)) {
                        open_ = take_part();
                        open_->operation = operation;
                        open_->alone = alone || !data;
                        open_->first = first;
                        into_ = queue.get();
                        return open_.get();
                    }
            publish();
            fiber::this_scheduler().wait(changed_, {});
        }
    }

    /// Whether the open part has room for so many bytes, wherever they lie.
    [[nodiscard]] bool fits(std::uint64_t size) const noexcept {
        return size / page_size + 2 <= agreed.segments - open_->segments.size();
    }

    [[nodiscard]] std::uint64_t units(std::uint64_t sectors) const noexcept {
        return sectors * (info.sector_size / block_unit);
    }

    [[nodiscard]] std::uint8_t operation_of(const block_request& request) const noexcept {
        switch (request.operation) {
        case block_operation::read: return BLKIF_OP_READ;
        case block_operation::write: return BLKIF_OP_WRITE;
        case block_operation::discard: return BLKIF_OP_DISCARD;
        default: return agreed.flush ? BLKIF_OP_FLUSH_DISKCACHE : BLKIF_OP_WRITE_BARRIER;
        }
    }

    std::unique_ptr<part> take_part() {
        if (idle_.empty())
            return std::make_unique<part>();
        auto one = std::move(idle_.back());
        idle_.pop_back();
        return one;
    }
    void give_back(std::unique_ptr<part> one) {
        one->clear();
        idle_.push_back(std::move(one));
    }

    /// Nothing more is added to the open part: it goes into its ring.
    void close_part() {
        if (!open_)
            return;
        ++statistics.requests;
        into_->push(std::move(open_), number_);
    }
    void close_if_empty() {
        if (open_ && open_->shares.empty())
            give_back(std::move(open_));
    }

    void publish() {
        close_part();
        for (auto& queue : queues_)
            statistics.notifications += queue->publish() ? 1 : 0;
    }

    /// A fiber's whole life: shows the rings what was asked since its last turn. It waits for nothing else, so what
    /// others wait for gets out.
    void publish_in_turn() {
        while (!over_) {
            publish();
            fiber::this_scheduler().wait(asked_, {});
        }
    }

    /// Asks for what has to be asked for again, in a fiber of its own, since that may block.
    void ask_again() {
        if (again_.empty() || asking_again_)
            return;
        asking_again_ = true;
        if (replay_.joinable())
            replay_.join();
        replay_ = fiber::spawn(
            [this] {
                while (!again_.empty())
                    for (const block_share& one : std::exchange(again_, {})) {
                        ask(*one.batch, *one.request, one.offset, one.offset + one.size, true);
                        answered(one);
                    }
                asking_again_ = false;
                publish();
            },
            {.name = "disk repeats", .stack = service_stack, .service = true});
    }

    // 3. Answers.

    void serve(queue_type& queue) {
        while (queue.port().is_open()) {
            const auto drained = queue.drain(
                [this](std::unique_ptr<part> one, std::int16_t status) { complete(std::move(one), status); });
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

    void complete(std::unique_ptr<part> one, std::int16_t status) {
        bool kept = false;
        for (auto& grant : one->grants)
            kept = !grant.end() || kept;
        if (kept)
            data_.lend_no_more();
        if (status != BLKIF_RSP_OKAY && one->shares.size() > 1) {
            // One of them may be at fault, or each.
            again_.insert(again_.end(), one->shares.begin(), one->shares.end());
            give_back(std::move(one));
            ask_again();
            return;
        }
        for (const block_share& share : one->shares) {
            if (status != BLKIF_RSP_OKAY)
                refused(*share.request, one->operation, status);
            else if (kept)
                share.request->outcome =
                    failure(error{std::make_error_code(std::errc::protocol_error),
                                  "use a disk whose back end keeps the memory of a request:", called_});
            else
                block_data<Domain>::copy_back(*one, share);
            answered(share);
        }
        give_back(std::move(one));
    }

    void refused(block_request& request, std::uint8_t operation, std::int16_t status) {
        ++statistics.errors;
        const bool unknown = status == BLKIF_RSP_EOPNOTSUPP;
        if (unknown)
            ask_no_more(operation);
        request.outcome =
            failure(error{std::make_error_code(unknown ? std::errc::operation_not_supported : std::errc::io_error),
                          "use a disk: its back end failed a request", called_});
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

    /// What the rings have not answered is asked again later.
    void abandon() {
        std::vector<std::unique_ptr<part>> left;
        for (auto& queue : queues_)
            for (auto& one : queue->abandon())
                left.push_back(std::move(one));
        if (open_)
            left.push_back(std::move(open_));
        for (auto& one : left) {
            again_.insert(again_.end(), one->shares.begin(), one->shares.end());
            give_back(std::move(one));
        }
    }

    static void answered(const block_share& one) noexcept {
        if (--one.batch->unanswered == 0)
            fiber::this_scheduler().signal_all(one.batch->done);
    }

    failure gone() const { return failure(error{dead_, "use a disk that is gone:", called_}); }
    void changed() noexcept { fiber::this_scheduler().signal_all(changed_); }

    [[nodiscard]] std::size_t pending() const noexcept {
        std::size_t count = 0;
        for (const auto& queue : queues_)
            count += queue->pending();
        return count;
    }

    basic_mechanisms<Domain> mechanisms_;
    block_data<Domain> data_;
    std::string called_;
    blkif_vdev_t number_ = 0;
    bool connected_ = false;
    bool over_ = false;
    bool asking_again_ = false;
    std::error_code dead_;
    std::vector<std::unique_ptr<queue_type>> queues_;
    std::unique_ptr<part> open_;  // what is being filled
    queue_type* into_ = nullptr;  // with room for it
    std::vector<std::unique_ptr<part>> idle_;
    std::vector<block_share> again_;  // not answered by rings that are gone, or as a part of several
    fiber::wait_queue changed_{"room in a disk's ring", true};
    fiber::wait_queue asked_{"a disk's requests", true};
    std::vector<fiber::handle<void>> answerers_;
    fiber::handle<void> publisher_;
    fiber::handle<void> replay_;
};

}  // namespace halvm::xen
