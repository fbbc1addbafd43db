// SPDX-License-Identifier: BSD-3-Clause
// A decorator that tells what goes through a NIC, and two of what can be done with that: a line of text, and a capture
// for tcpdump and Wireshark.
#pragma once

#include <halvm/device/nic.hpp>
#include <halvm/net/pcap.hpp>
#include <halvm/net/wire/frame.hpp>
#include <halvm/text_sink.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm::model {

enum class nic_direction : std::uint8_t { received, transmitted };

/// A frame is told of when the inner NIC has given or taken it; one that it refuses is, too. What is told of a frame
/// to be sent is a clone of it: with no memory left for that it is sent and not told.
template <NIC Inner>
class traced_nic {
public:
    using teller = std::function<void(nic_direction, const packet&)>;

    traced_nic(Inner inner, teller tell) : state_{std::make_shared<state>(std::move(inner), std::move(tell))} {}
    traced_nic(traced_nic&&) noexcept = default;
    traced_nic& operator=(traced_nic&& other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    /// Ends the inner NIC first: what waits in it goes on, and still finds the rest.
    ~traced_nic() {
        if (state_ != nullptr)
            state_->inner.reset();
    }

    [[nodiscard]] nic_info info() const noexcept { return state_->inner->info(); }
    [[nodiscard]] nic_statistics statistics() const noexcept { return state_->inner->statistics(); }
    result<packet> allocate(std::size_t size) { return state_->inner->allocate(size); }

    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        const auto kept = state_;
        auto got = kept->inner->receive(frames, std::move(stop));
        for (std::size_t i = 0; got && i < *got; ++i)
            kept->tell(nic_direction::received, frames[i]);
        return got;
    }
    std::size_t try_transmit(std::span<packet> frames) {
        auto copies = clones_of(frames);
        const std::size_t taken = state_->inner->try_transmit(frames);
        copies.resize(taken);
        tell_of(*state_, copies);
        return taken;
    }
    result<void> transmit(std::span<packet> frames, std::stop_token stop) {
        const auto kept = state_;
        auto copies = clones_of(frames);
        auto how = kept->inner->transmit(frames, std::move(stop));
        for (std::size_t i = 0; i < frames.size(); ++i)
            if (frames[i])
                copies[i] = {};
        tell_of(*kept, copies);
        return how;
    }

    [[nodiscard]] Inner& inner() noexcept { return *state_->inner; }

private:
    struct state {
        state(Inner of, teller to) : inner{std::move(of)}, tell{std::move(to)} {}
        std::optional<Inner> inner;
        teller tell;
    };

    static std::vector<packet> clones_of(std::span<const packet> frames) {
        std::vector<packet> copies(frames.size());
        for (std::size_t i = 0; i < frames.size(); ++i)
            if (auto copy = frames[i].clone())
                copies[i] = std::move(*copy);
        return copies;
    }
    static void tell_of(state& own, const std::vector<packet>& copies) {
        for (const packet& one : copies)
            if (one)
                own.tell(nic_direction::transmitted, one);
    }

    std::shared_ptr<state> state_;
};

inline std::vector<std::byte> bytes_of(const packet& frame) {
    std::vector<std::byte> all(frame.size());
    frame.copy_out(0, all);
    return all;
}

/// "> 02:00:00:00:00:0a > 02:00:00:00:00:0b, IPv4, length 75; ..."; "<" for what is received. Behind it, what is left
/// to a device: "; checksum blank", "; segments of 1460".
inline void describe(nic_direction direction, const packet& frame, text_sink& out) {
    out.text(direction == nic_direction::transmitted ? "> " : "< ");
    net::wire::describe_frame(bytes_of(frame), out);
    if (frame.metadata().checksum == packet_checksum::blank)
        out.text("; checksum blank");
    if (frame.metadata().segmentation != packet_segmentation::none) {
        out.text("; segments of ");
        out.decimal(frame.metadata().segment_size);
    }
}

/// A teller that writes every frame into a capture. `writer` outlives it; `now()` gives a net::capture_time. The first
/// error of the writer ends the capture, and is kept in `failed` if that is given.
template <class Writer, class Now>
auto capture_with(Writer& writer, Now now, std::optional<error>* failed = nullptr) {
    return [&writer, now, failed, going = true](nic_direction, const packet& frame) mutable {
        if (!going)
            return;
        if (auto written = writer.write(now(), bytes_of(frame)); !written) {
            going = false;
            if (failed != nullptr)
                *failed = written.error();
        }
    };
}

}  // namespace halvm::model
