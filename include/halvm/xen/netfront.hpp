// SPDX-License-Identifier: BSD-3-Clause
// The front half of Xen's virtual network interfaces. Here is the device: its life, and the NIC that programs use. What
// the two ends agree on is net_handshake.hpp, what travels in its rings net_rx.hpp and net_tx.hpp. [xen/io/netif.h]
//
// A back end that closes and comes back is connected to again; until then there is no link, and what is sent is lost,
// as it is on a cable. One that breaks the rules, or whose node goes, ends the device: every wait fails, now and later,
// and nothing else is harmed.
//
// Frames that lie in memory of allocate() go out as they are. Short ones from elsewhere are copied there, others are
// granted each for itself, unless the back end is not trusted.
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/device/packet_pool.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/xen/frontend.hpp>
#include <halvm/xen/net_handshake.hpp>
#include <halvm/xen/net_headers.hpp>
#include <halvm/xen/net_queue.hpp>

#include <algorithm>
#include <array>
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

struct netfront_counters {
    std::uint64_t notifications = 0;  ///< sent
    std::uint64_t copied = 0;         ///< frames sent from a copy
    std::uint64_t granted = 0;        ///< frames sent from memory that was granted for it
    std::uint64_t reconnects = 0;
};

/// A NIC. Ending its life ends what waits in it, takes back its grants and tells the back end.
template <Platform Domain>
class basic_netfront {
public:
    /// Connects to the interface `number`, as list_devices() names it. Blocks until its back end is there, or until the
    /// limit.
    /// Errors: no_such_device; timed_out, with the state and path of the back end; address_errc when its address is
    /// none; bad_message when the back end describes no interface that frames can be copied to; those of the XenStore,
    /// memory, grants and ports.
    static result<basic_netfront> open(const basic_mechanisms<Domain>& mechanisms, std::string_view number,
                                       const netfront_options& options, const wait_limit& limit) {
        auto made = std::make_shared<interface>(mechanisms, options);
        if (auto begun = made->begin(number, limit); !begun)
            return failure(begun.error());
        return basic_netfront{std::move(made)};
    }
    static result<basic_netfront> open(const basic_mechanisms<Domain>& mechanisms, std::string_view number,
                                       const netfront_options& options = {}) {
        return open(mechanisms, number, options, fiber::within(options.patience));
    }
    basic_netfront(basic_netfront&&) noexcept = default;
    basic_netfront& operator=(basic_netfront&& other) noexcept {
        std::swap(of_, other.of_);
        return *this;
    }
    ~basic_netfront() {
        if (of_ != nullptr)
            of_->end();
    }

    [[nodiscard]] nic_info info() const noexcept { return of_->info(); }
    [[nodiscard]] nic_statistics statistics() const noexcept { return of_->statistics; }
    result<packet> allocate(std::size_t size) { return of_->allocate(size); }
    // Whoever waits here keeps the insides while the handle goes.
    /// Errors: no_such_device when the interface was taken away; protocol_error when the back end broke the rules.
    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        const auto kept = of_;
        return kept->receive(frames, std::move(stop));
    }
    std::size_t try_transmit(std::span<packet> frames) { return of_->try_transmit(frames); }
    /// Errors: as receive().
    result<void> transmit(std::span<packet> frames, std::stop_token stop) {
        const auto kept = of_;
        return kept->transmit(frames, std::move(stop));
    }

    /// Of the groups that the back end passes on, when that is agreed on; else all are. Never blocks.
    /// Errors: resource_unavailable_try_again when there is no room in the ring.
    result<void> join(const mac_address& group) { return of_->join(group, true); }
    result<void> leave(const mac_address& group) { return of_->join(group, false); }

    [[nodiscard]] const netfront_features& features() const noexcept { return of_->agreed; }
    [[nodiscard]] const netfront_counters& counters() const noexcept { return of_->counters; }
    /// "device/vif/0"
    [[nodiscard]] const std::string& path() const noexcept { return of_->path(); }

private:
    class interface;
    explicit basic_netfront(std::shared_ptr<interface> made) noexcept : of_{std::move(made)} {}

    std::shared_ptr<interface> of_;
};

/// The device itself, which stays where it is while its handle moves.
template <Platform Domain>
class basic_netfront<Domain>::interface {
    using queue_type = net_queue<Domain>;
    using memory = net_memory<Domain>;

public:
    interface(const basic_mechanisms<Domain>& mechanisms, const netfront_options& options)
        : mechanisms_{mechanisms}, store_{mechanisms.store}, options_{options} {
        Expects(options.queues != 0 && options.receive_pages >= XEN_NETIF_NR_SLOTS_MIN && options.receive_ring != 0);
        Expects(options.copied <= small_received && (options.receive_blank || !options.receive_joined));
    }
    ~interface() { end(); }
    interface(const interface&) = delete;
    interface& operator=(const interface&) = delete;

    result<void> begin(std::string_view number, const wait_limit& limit) {
        auto device = front_device::open(store_, "vif", number, limit);
        if (!device)
            return failure(device.error());
        device_ = std::move(*device);
        if (auto connected = connect(limit); !connected) {
            drop_queues();
            static_cast<void>(device_->set_state(device_state::closed));
            return connected;
        }
        told_ = changes_;
        life_ = fiber::spawn([this] { live(); },
                             {.name = "nic " + std::string{number}, .stack = 2 * service_stack, .service = true});
        return {};
    }

    /// The end of the device's life; again, it does nothing.
    void end() {
        stopping_.request_stop();
        if (life_.joinable())
            life_.join();
        if (!queues_.empty())
            static_cast<void>(leave());
        fail(std::make_error_code(std::errc::no_such_device));
        drop_queues();
        drop_memory();
    }

    [[nodiscard]] const nic_info& info() const noexcept { return info_; }
    [[nodiscard]] const std::string& path() const noexcept { return device_->path(); }

    result<packet> allocate(std::size_t size) {
        auto made = transmit_pool_->allocate(size);
        if (made || !drain_answers())
            return made;
        return transmit_pool_->allocate(size);
    }

    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        Expects(!frames.empty());
        const std::uint64_t seen = changes_;
        for (;;) {
            if (dead_)
                return gone("receive from a NIC that is gone:");
            if (told_ != changes_ || seen != changes_) {
                told_ = changes_;
                return 0;
            }
            if (const std::size_t count = poll(frames); count != 0 || dead_) {
                if (count != 0)
                    return count;
                continue;
            }
            const auto how = fiber::this_scheduler().wait(receivers_, fiber::wait_limit{stop});
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, "receive from a NIC");
        }
    }

    std::size_t try_transmit(std::span<packet> frames) {
        std::size_t taken = 0;
        for (; !dead_ && taken != frames.size(); ++taken) {
            packet& frame = frames[taken];
            Expects(static_cast<bool>(frame));
            auto lost = check(frame, info_);
            if (!lost) {
                const std::size_t size = frame.size();
                const auto done = put(frame);
                if (done == outcome::full)
                    break;
                if (done == outcome::sent) {
                    ++statistics.transmitted.packets;
                    statistics.transmitted.bytes += size;
                } else {
                    lost = frame_loss::no_memory;
                }
            }
            if (lost)
                statistics.transmitted.count(*lost);
            frame = {};
        }
        if (connected_)
            publish_transmitted();
        return taken;
    }

    result<void> transmit(std::span<packet> frames, std::stop_token stop) {
        for (;;) {
            frames = frames.subspan(try_transmit(frames));
            if (frames.empty())
                return {};
            if (dead_)
                return gone("transmit through a NIC that is gone:");
            const auto how = fiber::this_scheduler().wait(senders_, fiber::wait_limit{stop});
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, "transmit through a NIC");
        }
    }

    result<void> join(const mac_address& group, bool joins) {
        const auto known = std::ranges::find(groups_, group);
        if ((known != groups_.end()) == joins)
            return {};
        if (connected_ && agreed.multicast_control && !tell_of(group, joins))
            return failure(error{std::make_error_code(std::errc::resource_unavailable_try_again),
                                 "tell a NIC's back end of a group: its ring is full:", path()});
        if (joins)
            groups_.push_back(group);
        else
            groups_.erase(known);
        return {};
    }

    netfront_features agreed;
    netfront_counters counters;
    nic_statistics statistics;

private:
    static constexpr std::size_t service_stack = std::size_t{16} << 10;
    static constexpr std::size_t small_received = 256;
    static constexpr std::size_t small_count = 256;
    // The parts of a frame, and what is said of it.
    static constexpr std::uint32_t most_slots = XEN_NETIF_NR_SLOTS_MIN + 1;
    // Fewer empty pages than these are shown to the back end when there is nothing else to do.
    static constexpr std::uint32_t few_pages = 16;

    // 1. The handshake.

    result<void> connect(const wait_limit& limit) {
        if (auto done = device_->find_backend(limit); !done)
            return done;
        if (auto done = device_->set_state(device_state::initialising, limit); !done)
            return done;
        constexpr std::array ready{device_state::init_wait};
        if (auto there = device_->wait_for(ready, limit); !there)
            return failure(there.error());
        // What was made for fewer serves no more.
        const auto answers =
            read_net_offers(*device_, options_, receive_pool_ ? agreed.queues : options_.queues, limit);
        if (!answers)
            return failure(answers.error());
        agreed = answers->features;
        nic_info offered = answers->info;
        if (auto done = open_queues(offered); !done)
            return done;
        if (auto done = announce_net(*device_, options_, agreed, queues_, limit); !done)
            return done;
        if (auto done = device_->await_connected(limit); !done)
            return done;
        connected_ = true;
        for (auto& queue : queues_)
            serve(*queue);
        for (const mac_address& group : groups_)
            if (agreed.multicast_control)
                static_cast<void>(tell_of(group, true));
        publish_transmitted();
        offered.link_up = has_carrier(limit);
        change(offered);
        return {};
    }

    [[nodiscard]] bool has_carrier(const wait_limit& limit) {
        return device_->offered("carrier", 1u, limit).value_or(1) != 0;
    }

    result<void> make_memory() {
        if (!receive_pool_) {
            const packet_pool_shape shape{.large = page_size,
                                          .large_count = std::size_t{options_.receive_pages} * agreed.queues,
                                          .small = small_received,
                                          .small_count = small_count};
            auto made = memory::make(mechanisms_.grants, shape);
            if (!made)
                return failure(made.error());
            received_ = made->get();
            received_->tell(&receivers_);
            receive_pool_.emplace(std::move(*made), shape);
        }
        if (transmit_pool_ && granted_to_ == device_->peer())
            return {};
        const packet_pool_shape shape{.large = page_size,
                                      .large_count = options_.transmit_pages,
                                      .small = page_size / 2,
                                      .small_count = options_.transmit_halves};
        auto made = memory::make(mechanisms_.grants, shape);
        if (!made)
            return failure(made.error());
        if (auto done = (*made)->grant(device_->peer()); !done)
            return done;
        if (sent_ != nullptr) {
            static_cast<void>(sent_->revoke());
            sent_->tell(nullptr);
        }
        sent_ = made->get();
        sent_->tell(&senders_);
        transmit_pool_.emplace(std::move(*made), shape);
        granted_to_ = device_->peer();
        return {};
    }

    result<void> open_queues(const nic_info& offered) {
        if (auto done = make_memory(); !done)
            return done;
        const net_rx_rules rules{
            .offloads = offered.receive, .buffers = options_.receive_ring, .copied = options_.copied};
        for (std::uint32_t i = 0; i < agreed.queues; ++i) {
            auto queue = queue_type::open(mechanisms_, device_->peer(), agreed.split_channels, *receive_pool_, rules);
            if (!queue)
                return failure(queue.error());
            queues_.push_back(std::move(*queue));
        }
        return {};
    }

    // 2. The life of the connection.

    void live() {
        const wait_limit until_stopped{stopping_.get_token()};
        for (;;) {
            auto state = device_->next_state(until_stopped);
            if (state && *state == device_state::closing && connected_) {
                static_cast<void>(leave());
                // What was waited for there is seen here.
                state = device_->state(until_stopped);
            } else if (state && *state == device_state::init_wait && connected_) {
                lose_link();
                if (device_->await_attached(until_stopped.stop))
                    ++counters.reconnects;
                state = device_->state(until_stopped);
            }
            if (!state) {
                if (state.error().code() != std::errc::operation_canceled)
                    fail(state.error().code());
                return;
            }
            if (dead_ || !follow(*state, until_stopped))
                return;
        }
    }

    /// False when the device has come to its end.
    bool follow(device_state state, const wait_limit& until_stopped) {
        switch (state) {
        case device_state::connected:
            if (connected_) {
                nic_info now = info_;
                now.link_up = has_carrier(until_stopped);
                change(now);
            }
            return true;
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

    /// Lets go of the rings, as the two ends agree on it.
    result<void> leave() {
        const auto limit = fiber::within(options_.patience);
        unlink();
        if (auto done = device_->close(limit); !done)
            return done;
        disconnect();
        return {};
    }

    bool reconnect(const wait_limit& until_stopped) {
        const wait_limit limit{fiber::within(options_.patience).deadline, until_stopped.stop};
        if (auto connected = connect(limit); !connected) {
            disconnect();
            // Its state will say when it may be tried again; what is no interface any more has failed for good.
            if (connected.error().code() == std::errc::bad_message)
                fail(connected.error().code());
            return !dead_ && connected.error().code() != std::errc::operation_canceled;
        }
        ++counters.reconnects;
        return true;
    }

    void disconnect() {
        unlink();
        drop_queues();
    }

    void unlink() {
        connected_ = false;
        lose_link();
    }

    void lose_link() {
        nic_info now = info_;
        now.link_up = false;
        change(now);
    }

    void change(const nic_info& now) {
        if (now == info_)
            return;
        info_ = now;
        ++changes_;
        wake_all();
    }

    void drop_queues() {
        connected_ = false;
        for (auto& queue : queues_) {
            queue->close();
            // Nobody will say what became of these.
            statistics.transmitted.count(frame_loss::no_link, queue->tx.pending());
        }
        for (auto& one : servants_)
            one.join();
        servants_.clear();
        queues_.clear();
    }

    /// Packets outlive it, and are this domain's alone then.
    void drop_memory() {
        for (memory* one : {std::exchange(received_, nullptr), std::exchange(sent_, nullptr)})
            if (one != nullptr) {
                one->tell(nullptr);
                static_cast<void>(one->revoke());
            }
        receive_pool_.reset();
        transmit_pool_.reset();
    }

    /// The end: everything that waits fails, and all that comes.
    void fail(std::error_code why) {
        if (!dead_)
            dead_ = why;
        connected_ = false;
        info_.link_up = false;
        wake_all();
    }
    void wake_all() noexcept {
        fiber::this_scheduler().signal_all(receivers_);
        fiber::this_scheduler().signal_all(senders_);
    }
    [[nodiscard]] failure gone(const char* attempted) const {
        return failure(error{dead_, attempted, device_ ? device_->path() : std::string{}});
    }

    // 3. Signals.

    void serve(queue_type& queue) {
        const bool split = queue.split();
        const auto listen = [&](bool rx, bool tx) {
            servants_.push_back(fiber::spawn([this, &queue, rx, tx] { listen_to(queue, rx, tx); },
                                             {.name = "nic queue", .stack = service_stack, .service = true}));
        };
        if (split)
            listen(false, true);
        listen(true, !split);
    }

    void listen_to(queue_type& queue, bool rx, bool tx) {
        auto& port = rx ? queue.rx_port() : queue.tx_port();
        for (std::uint64_t progress = queue.progress; port.is_open();) {
            bool news = false;
            if (tx) {
                const auto answers = queue.tx.drain(statistics.transmitted);
                if (!answers)
                    return fail(answers.error().code());
                if (*answers != 0) {
                    news = true;
                    fiber::this_scheduler().signal_all(senders_);
                }
            }
            if (rx && queue.rx.has_news()) {
                news = true;
                fiber::this_scheduler().signal_all(receivers_);
            }
            // Whoever receives or sends may have been there before.
            if (!news && progress == queue.progress)
                port.was_spurious();
            progress = queue.progress;
            if (!port.wait())
                return;
        }
    }

    // 4. Receiving.

    /// Takes what is there, up to the size of `frames`, from one queue after the other. How many.
    std::size_t poll(std::span<packet> frames) {
        std::size_t count = 0;
        std::optional<std::chrono::nanoseconds> now;
        for (std::size_t i = 0; connected_ && i != queues_.size() && count != frames.size(); ++i) {
            const std::size_t number = next_queue_++ % queues_.size();
            auto& queue = *queues_[number];
            bool more = true;
            while (more && count != frames.size()) {
                packet frame;
                const auto there = queue.rx.take(frame, statistics.received);
                if (!there) {
                    fail(there.error().code());
                    return count;
                }
                more = *there;
                if (!more)
                    break;
                ++queue.progress;
                frame.metadata().queue = static_cast<std::uint16_t>(number);
                // Once for all of them.
                if (!now)
                    now = fiber::clock::now().time_since_epoch();
                frame.set_arrival(*now);
                frames[count++] = std::move(frame);
            }
            queue.rx.fill();
            if (const auto ready = queue.rx.unpublished(); ready >= few_pages || (!more && ready != 0))
                if (queue.rx.publish())
                    notify(queue.rx_port());
        }
        return count;
    }

    void notify(basic_port<Domain>& port) {
        ++counters.notifications;
        static_cast<void>(port.send());
    }

    // 5. Transmitting.

    enum class outcome { sent, full, lost };

    /// Puts a frame that the device can send into its queue's ring, from where it lies or from a copy.
    outcome put(packet& frame) {
        auto& queue = *queues_[frame.metadata().flow_hash % queues_.size()];
        if (is_full(queue) && (!drain_answers() || is_full(queue)))
            return dead_ ? outcome::lost : outcome::full;
        net_parts parts = parts_of(frame);
        if (must_copy(frame, parts)) {
            // Its headers alone, when that is enough.
            if (const std::size_t headers = headers_of(frame).end;
                !parts.too_many && !may_not_grant(frame, parts) && frame.size() > page_size) {
                if (!frame.linearize(headers))
                    return outcome::lost;
            } else if (auto copy = copy_of(frame)) {
                frame = std::move(*copy);
                ++counters.copied;
            } else {
                return wait_for_memory(queue);
            }
            parts = parts_of(frame);
            if (parts.too_many)
                return outcome::lost;
        }
        if (!queue.tx.push(frame, parts))
            return wait_for_memory(queue);
        counters.granted += parts.foreign ? 1 : 0;
        return outcome::sent;
    }

    /// A third of the memory is for what is not under way yet: who sends waits, and does not run out of it.
    [[nodiscard]] bool is_full(const queue_type& queue) const noexcept {
        if (queue.tx.room() < most_slots)
            return true;
        return transmit_pool_->idle().large * 3 < options_.transmit_pages &&
               std::ranges::any_of(queues_, [](const auto& one) { return one->tx.pending() != 0; });
    }
    [[nodiscard]] net_parts parts_of(const packet& frame) const {
        net_parts parts;
        for (const packet_slice piece : frame.slices())
            parts.add(piece, [this](const packet_storage& storage, const std::byte* data) {
                return &storage.memory() == sent_ ? sent_->find(data) : grant_ref{};
            });
        return parts;
    }
    [[nodiscard]] bool must_copy(const packet& frame, const net_parts& parts) const {
        // The back end wants all headers in the first part [XSA-423].
        return parts.too_many || (!agreed.scatter_gather && parts.count != 1) || may_not_grant(frame, parts) ||
               (parts.count != 1 && parts.list[0].size < headers_of(frame).end);
    }
    [[nodiscard]] bool may_not_grant(const packet& frame, const net_parts& parts) const {
        if (!parts.foreign)
            return false;
        if (!agreed.trusted || frame.size() <= options_.copied)
            return true;
        return std::ranges::any_of(std::span{parts.list}.first(parts.count), [this](const net_parts::part& one) {
            return one.standing == grant_ref{} && mechanisms_.domain.frame_of(one.data) == gfn{};
        });
    }
    /// In memory that the back end sees.
    result<packet> copy_of(const packet& frame) {
        auto copy = transmit_pool_->allocate(frame.size(), 0);
        if (!copy && drain_answers())
            copy = transmit_pool_->allocate(frame.size(), 0);
        if (!copy)
            return copy;
        std::size_t at = 0;
        for (const bytes piece : copy->pieces()) {
            frame.copy_out(at, piece);
            at += piece.size();
        }
        copy->metadata() = frame.metadata();
        return copy;
    }
    /// What is under way gives some back when it has arrived.
    [[nodiscard]] outcome wait_for_memory(const queue_type& queue) const {
        return queue.tx.pending() != 0 ? outcome::full : outcome::lost;
    }

    /// Whether there were answers.
    bool drain(queue_type& queue) {
        const auto answers = queue.tx.drain(statistics.transmitted);
        if (!answers) {
            fail(answers.error().code());
        } else if (*answers != 0) {
            queue.progress += *answers;
            fiber::this_scheduler().signal_all(senders_);
        }
        return answers.value_or(0) != 0;
    }
    bool drain_answers() {
        bool some = false;
        for (auto& queue : queues_)
            if (!dead_)
                some |= drain(*queue);
        return some;
    }

    void publish_transmitted() {
        for (auto& queue : queues_)
            if (queue->tx.publish())
                notify(queue->tx_port());
    }

    bool tell_of(const mac_address& group, bool joins) {
        auto& queue = *queues_[0];
        if (queue.tx.room() < 2 && (!drain(queue) || queue.tx.room() < 2))
            return false;
        netif_extra_info_t extra{};
        extra.type = joins ? XEN_NETIF_EXTRA_TYPE_MCAST_ADD : XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
        std::ranges::copy(group.octets(), extra.u.mcast.addr);
        queue.tx.push(extra);
        publish_transmitted();
        return true;
    }

    basic_mechanisms<Domain> mechanisms_;
    xenstore_connection& store_;
    netfront_options options_;
    std::optional<front_device> device_;
    nic_info info_{.link_up = false};
    std::uint64_t changes_ = 0;
    std::uint64_t told_ = 0;
    bool connected_ = false;
    std::error_code dead_;
    fiber::wait_queue receivers_{"a frame of a NIC", true};
    fiber::wait_queue senders_{"room in a NIC's ring", true};
    memory* received_ = nullptr;  // the pools'
    memory* sent_ = nullptr;
    std::optional<packet_pool> receive_pool_;
    std::optional<packet_pool> transmit_pool_;
    domid granted_to_{};
    std::vector<std::unique_ptr<queue_type>> queues_;
    std::size_t next_queue_ = 0;
    std::vector<mac_address> groups_;
    std::stop_source stopping_;
    std::vector<fiber::handle<void>> servants_;
    fiber::handle<void> life_;
};

}  // namespace halvm::xen
