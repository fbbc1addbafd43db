// SPDX-License-Identifier: BSD-3-Clause
// The front half of a split device, as the XenStore tells of it: where it is, where its back end is, and the states by
// which the two find each other. What a driver does in each state is its own; when it comes is here, once for all.
// [xen/io/xenbus.h]
//
//   front end                              back end
//   Initialising                           Initialising, then InitWait with its features
//   Initialised, with its rings and ports  Connected, with what the device is
//   Connected                              ... until it is Closing
//   Closing, Closed                        Closed; InitWait again, and all begins anew; or its node goes
#pragma once

#include <halvm/contract.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/xen/event_channel.hpp>
#include <halvm/xen/grant_table.hpp>
#include <halvm/xen/xenstore_connection.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm::xen {

/// What a driver is made of; all of it outlives the driver.
template <Platform Domain>
struct basic_mechanisms {
    Domain& domain;
    basic_event_channels<Domain>& channels;
    basic_grant_table<Domain>& grants;
    xenstore_connection& store;
};

/// The numbers of this domain's devices of one kind, such as "vbd" or "vif", as the toolstack counts them.
/// Empty when there are none.
inline result<std::vector<std::string>> list_devices(xenstore_connection& store, std::string_view kind,
                                                     const wait_limit& limit = {}) {
    auto names = store.directory("device/" + std::string{kind}, limit);
    if (!names && names.error().code() == std::errc::no_such_file_or_directory)
        return std::vector<std::string>{};
    return names;
}

/// One device, and what goes on with its back end. Blocks and fails as the XenStore does.
class front_device {
public:
    /// Finds the device `number` of a kind, and watches its back end.
    /// Errors: std::errc::no_such_device when this domain has none of that number; bad_message when the toolstack wrote
    /// something that is no path or no domain.
    static result<front_device> open(xenstore_connection& store, std::string_view kind, std::string_view number,
                                     const wait_limit& limit = {}) {
        front_device made{store, "device/" + std::string{kind} + "/" + std::string{number}};
        auto found = made.find_backend(limit);
        if (!found && found.error().code() == std::errc::no_such_file_or_directory)
            return failure(error{std::make_error_code(std::errc::no_such_device), "open", made.path_});
        if (!found)
            return failure(found.error());
        return made;
    }

    /// "device/vbd/51712".
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// "/local/domain/0/backend/vbd/1/51712".
    [[nodiscard]] const std::string& backend() const noexcept { return backend_; }
    [[nodiscard]] domid peer() const noexcept { return peer_; }
    [[nodiscard]] xenstore_connection& store() const noexcept { return *store_; }

    /// Reads again where the back end is: it may have moved to another domain.
    result<void> find_backend(const wait_limit& limit = {}) {
        auto where = store_->read_path(path_ + "/backend", limit);
        if (!where)
            return failure(where.error());
        auto who = store_->read_number<domid_t>(path_ + "/backend-id", limit);
        if (!who)
            return failure(who.error());
        if (*where != backend_ || !watch_) {
            watch_.reset();
            auto watching = store_->watch_path(*where + "/state", limit);
            if (!watching)
                return failure(watching.error());
            watch_ = std::move(*watching);
        }
        backend_ = std::move(*where);
        peer_ = domid{*who};
        return {};
    }

    /// A number that the back end offers, `otherwise` when it says nothing of it. Errors: std::errc::bad_message when
    /// it says something that is no such number.
    template <std::integral Number>
    result<Number> offered(std::string_view what, Number otherwise, const wait_limit& limit = {}) {
        auto number = store_->read_number<Number>(backend_ + "/" + std::string{what}, limit);
        if (!number && number.error().code() == std::errc::no_such_file_or_directory)
            return otherwise;
        if (!number && (number.error().code() == std::errc::invalid_argument ||
                        number.error().code() == std::errc::result_out_of_range))
            return failure(error{std::make_error_code(std::errc::bad_message), "XenStore: read as a number", what});
        return number;
    }

    /// Where the front end stands, for the back end to see.
    result<void> set_state(device_state state, const wait_limit& limit = {}) {
        return store_->write(path_ + "/state", static_cast<unsigned>(state), limit);
    }

    /// Blocks until the back end's state was written, and returns it: at first at once, then also when it is the same
    /// again, which says that something else has changed. device_state::unknown when its node is gone.
    result<device_state> next_state(const wait_limit& limit = {}) {
        if (auto event = watch_->next(limit); !event)
            return failure(event.error());
        return state(limit);
    }
    result<device_state> state(const wait_limit& limit = {}) {
        auto now = store_->read_state(backend_ + "/state", limit);
        // Of a node that has gone the store says no more than that it is not for us.
        if (!now && now.error().code() == std::errc::permission_denied)
            return device_state::unknown;
        return now;
    }

    /// Whether the toolstack still has this device in the domain.
    result<bool> exists(const wait_limit& limit = {}) { return store_->exists(path_ + "/backend", limit); }

    /// Blocks until the back end is in one of the `wanted` states.
    /// Errors: std::errc::timed_out, with the state that it is in and its path; no_such_device when its node is gone
    /// for good, which is known by the front end's own node being gone too.
    result<device_state> wait_for(std::span<const device_state> wanted, const wait_limit& limit) {
        auto now = state(limit);
        while (now && std::ranges::find(wanted, *now) == wanted.end()) {
            if (*now == device_state::unknown)
                if (const auto there = exists(limit); there && !*there)
                    return failure(error{std::make_error_code(std::errc::no_such_device), "connect", path_});
            auto next = next_state(limit);
            if (!next && next.error().code() == std::errc::timed_out)
                return failure(error{next.error().code(), waiting_in(*now), backend_});
            now = std::move(next);
        }
        return now;
    }

    /// Blocks until the back end has answered what it was told of the rings.
    /// Errors: std::errc::connection_refused when it closes instead; those of wait_for().
    result<void> await_connected(const wait_limit& limit) {
        constexpr std::array answers{device_state::connected, device_state::closing, device_state::closed};
        const auto there = wait_for(answers, limit);
        if (!there)
            return failure(there.error());
        if (*there != device_state::connected) {
            ++refusals_;
            return failure(error{std::make_error_code(std::errc::connection_refused), "connect", backend_});
        }
        refusals_ = 0;
        return {};
    }

    /// Closes, as the two ends agree on it. A back end lets go of the rings no sooner than that we are closed, which is
    /// waited for; what it has not let go of then is parked.
    result<void> close(const wait_limit& limit) {
        constexpr std::array heard{device_state::closing, device_state::closed, device_state::unknown,
                                   device_state::init_wait};
        constexpr std::array over{device_state::closed, device_state::unknown, device_state::init_wait};
        if (auto done = set_state(device_state::closing, limit); !done)
            return done;
        static_cast<void>(wait_for(heard, limit));
        if (auto done = set_state(device_state::closed, limit); !done)
            return done;
        static_cast<void>(wait_for(over, limit));
        return {};
    }

    /// Waits while a back end that was restarted finds its way to the rings that are there: Linux's goes on with them,
    /// what it has not answered in them included, when it finds us connected. False when it did not in this time, and
    /// wants new ones, or went away.
    bool await_attached(std::stop_token stop) {
        constexpr std::array over{device_state::connected, device_state::closing, device_state::closed,
                                  device_state::unknown};
        const auto there = wait_for(over, {fiber::within(attach_patience).deadline, std::move(stop)});
        return there && *there == device_state::connected;
    }

    /// After the back end has closed, or its node has gone: false when the toolstack has taken the device away, too.
    /// Else it may come back, and is asked to if the toolstack wants it there and it has not refused too often.
    bool may_return(device_state state, const wait_limit& limit) {
        if (const auto there = exists(limit); !there || !*there)
            return false;
        if (state == device_state::closed) {
            const auto online = offered("online", 0u, limit);
            const bool again = online && *online != 0 && refusals_ < most_refusals;
            static_cast<void>(set_state(again ? device_state::initialising : device_state::closed, limit));
        }
        return true;
    }

private:
    static constexpr unsigned most_refusals = 5;
    static constexpr std::chrono::seconds attach_patience{5};

    front_device(xenstore_connection& store, std::string path) : store_{&store}, path_{std::move(path)} {}

    static const char* waiting_in(device_state state) noexcept {
        static constexpr std::array texts{
            "wait for the back end, which is not there,",     "wait for the back end, which is initialising,",
            "wait for the back end, which waits for us,",     "wait for the back end, which is initialised,",
            "wait for the back end, which is connected,",     "wait for the back end, which is closing,",
            "wait for the back end, which is closed,",        "wait for the back end, which is reconfiguring,",
            "wait for the back end, which was reconfigured,",
        };
        return texts[static_cast<std::size_t>(state)];
    }

    xenstore_connection* store_;
    std::string path_;
    std::string backend_;
    domid peer_{};
    unsigned refusals_ = 0;  // one after the other
    std::optional<watch> watch_;
};

}  // namespace halvm::xen
