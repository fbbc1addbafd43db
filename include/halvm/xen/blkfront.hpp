// SPDX-License-Identifier: BSD-3-Clause
// The front half of Xen's virtual disks. Here is the device and its life; what is agreed on with the back end is
// block_handshake.hpp, what goes through the rings block_path.hpp. [xen/io/blkif.h]
//
// A back end that closes and comes back finds all requests that it has not answered asked again, in new rings or, when
// it attaches to those that are there, in the old ones; one that breaks the rules, or whose node goes, ends the device:
// every request fails, now and later, and nothing else is harmed.
#pragma once

#include <halvm/device/block.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/xen/block_handshake.hpp>
#include <halvm/xen/block_path.hpp>
#include <halvm/xen/frontend.hpp>

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

namespace halvm::xen {

/// A disk; a Block. Ending its life ends its requests, takes back its grants and tells the back end. With one ring of
/// one page it takes at most 1.5 MiB of the domain's memory besides what allocate() has handed out, whatever is asked.
/// That holds what was handed out and given back, too: a back end that keeps pages mapped does so with a bounded number
/// of them, and data in any more of allocate()'s memory is copied.
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

    [[nodiscard]] block_info info() const noexcept { return disk_->path.info; }
    result<buffer> allocate(std::size_t size) {
        const std::size_t sector = info().sector_size;
        return disk_->path.memory().allocate((size + sector - 1) / sector * sector);
    }
    /// Errors: those of check(); io_error when the back end failed it; no_such_device when the disk was taken away;
    /// protocol_error when the back end broke the rules.
    result<void> transfer(std::span<block_request> batch) { return disk_->path.transfer(batch); }

    [[nodiscard]] const blkfront_features& features() const noexcept { return disk_->path.agreed; }
    [[nodiscard]] const blkfront_statistics& statistics() const noexcept { return disk_->path.statistics; }

private:
    class disk;
    explicit basic_blkfront(std::unique_ptr<disk> made) noexcept : disk_{std::move(made)} {}

    std::unique_ptr<disk> disk_;
};

/// The device itself, which stays where it is while its handle moves.
template <Platform Domain>
class basic_blkfront<Domain>::disk {
public:
    disk(const basic_mechanisms<Domain>& mechanisms, const blkfront_options& options)
        : path{mechanisms}, store_{mechanisms.store}, options_{options} {
        Expects(options.queues != 0 && options.segments >= BLKIF_MAX_SEGMENTS_PER_REQUEST && options.segments <= 256);
        Expects(std::has_single_bit(options.ring_pages) && options.ring_pages <= 16);
    }
    ~disk() {
        stopping_.request_stop();
        if (life_.joinable())
            life_.join();
        if (!path.queues().empty())
            static_cast<void>(leave());
        path.fail(std::make_error_code(std::errc::no_such_device));
        path.finish();
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
        path.begin(device_->path(), vdev.value_or(0));
        if (auto connected = connect(limit); !connected) {
            static_cast<void>(device_->set_state(device_state::closed));
            return connected;
        }
        life_ = fiber::spawn([this] { live(); },
                             {.name = "disk " + std::string{number}, .stack = service_stack, .service = true});
        return {};
    }

    block_path<Domain> path;

private:
    static constexpr std::size_t service_stack = std::size_t{32} << 10;

    // 1. The handshake.

    result<void> connect(const wait_limit& limit) {
        if (auto done = device_->find_backend(limit); !done)
            return done;
        if (auto done = device_->set_state(device_state::initialising, limit); !done)
            return done;
        constexpr std::array ready{device_state::init_wait};
        if (auto there = device_->wait_for(ready, limit); !there)
            return failure(there.error());
        block_handshake with{*device_, options_};
        if (auto done = with.read_offers(path.agreed, limit); !done)
            return done;
        if (auto done = path.open_queues(device_->peer()); !done)
            return done;
        if (auto done = with.announce(path.queues(), path.agreed.ring_pages, limit); !done)
            return done;
        if (auto done = device_->await_connected(limit); !done)
            return done;
        if (auto done = with.read_features(path.agreed, limit); !done)
            return done;
        auto info = with.read_disk(path.agreed, limit);
        if (!info)
            return failure(info.error());
        info->queue_depth = path.slots();
        if (was_connected_ && info->sector_size != path.info.sector_size)
            return failure(error{std::make_error_code(std::errc::bad_message),
                                 "use a disk that came back with sectors of another size:", device_->backend()});
        path.info = *info;
        was_connected_ = true;
        path.start(with.trusted(limit));
        return device_->set_state(device_state::connected, limit);
    }

    // 2. The life of the connection.

    void live() {
        const wait_limit until_stopped{stopping_.get_token()};
        for (;;) {
            auto state = device_->next_state(until_stopped);
            // What is waited for in these is seen here, not as an event.
            if (state && *state == device_state::closing && path.connected()) {
                static_cast<void>(leave());
                state = device_->state(until_stopped);
            } else if (state && *state == device_state::init_wait && path.connected()) {
                await_attached(until_stopped);
                state = device_->state(until_stopped);
            }
            if (!state) {
                if (state.error().code() != std::errc::operation_canceled)
                    path.fail(state.error().code());
                return;
            }
            if (path.dead() || !follow(*state, until_stopped))
                return;
        }
    }

    /// A back end that was restarted may go on with the rings as they are.
    void await_attached(const wait_limit& until_stopped) {
        block_handshake with{*device_, options_};
        if (device_->await_attached(until_stopped.stop) && with.read_features(path.agreed, until_stopped))
            path.attached_again(with.trusted(until_stopped));
    }

    /// False when the device has come to its end.
    bool follow(device_state state, const wait_limit& until_stopped) {
        switch (state) {
        case device_state::connected: read_size(until_stopped); return !path.dead();
        case device_state::closed:
        case device_state::unknown:
            path.drop_queues();
            if (!device_->may_return(state, until_stopped))
                path.fail(std::make_error_code(std::errc::no_such_device));
            return !path.dead();
        case device_state::init_wait: path.drop_queues(); return reconnect(until_stopped);
        default: return true;
        }
    }

    /// Of a disk in use nothing changes but its size; what else the back end writes meanwhile is not believed.
    void read_size(const wait_limit& limit) {
        if (!path.connected())
            return;
        const auto now = block_handshake{*device_, options_}.read_sectors(path.info.sector_size, limit);
        if (!now) {
            if (now.error().code() == std::errc::bad_message)
                path.fail(now.error().code());
            return;
        }
        path.info.sectors = *now;
        if (path.agreed.discard)
            path.info.longest_discard = *now;
    }

    /// Answers what is under way, then lets go of the rings. Nothing new goes in meanwhile.
    result<void> leave() {
        const auto limit = fiber::within(options_.patience);
        path.settle(limit);
        if (auto done = device_->close(limit); !done)
            return done;
        path.drop_queues();
        return {};
    }

    bool reconnect(const wait_limit& until_stopped) {
        const wait_limit limit{fiber::within(options_.patience).deadline, until_stopped.stop};
        if (auto connected = connect(limit); !connected) {
            path.drop_queues();
            if (connected.error().code() == std::errc::operation_canceled)
                return false;
            // It closes when we have, and may be tried again then.
            if (connected.error().code() == std::errc::connection_refused)
                static_cast<void>(device_->set_state(device_state::closed, until_stopped));
            // Else its state will say when; a disk that is none any more has failed for good.
            if (connected.error().code() == std::errc::bad_message)
                path.fail(connected.error().code());
            return !path.dead();
        }
        ++path.statistics.reconnects;
        return true;
    }

    xenstore_connection& store_;
    blkfront_options options_;
    std::optional<front_device> device_;
    bool was_connected_ = false;
    std::stop_source stopping_;
    fiber::handle<void> life_;
};

}  // namespace halvm::xen
