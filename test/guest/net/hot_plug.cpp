// SPDX-License-Identifier: BSD-3-Clause
// Network interfaces that come and go while frames go out and come back. hot_plug_test.py does that in dom0, each step
// when this program has said its word.
#include "peer.hpp"

#include <halvm/fiber.hpp>

namespace {

using namespace peer_test;

void say(const char* word) {
    std::puts(word);
    std::fflush(stdout);
}

/// Sends frames to the peer, a window of them at a time, until it is stopped or the interface has gone. What was under
/// way is lost when the link is.
class load {
public:
    explicit load(xen::netfront& nic)
        : nic_{nic},
          sender_{fiber::spawn([this](std::stop_token stop) { send(stop); })},
          receiver_{fiber::spawn([this](std::stop_token stop) { receive(stop); })} {}

    /// Blocks until some more frames have come back, or the interface has gone.
    void go_round() {
        for (const auto enough = received_ + 200; received_ < enough && !gone_;) {
            turned_.reset();
            turned_.wait();
        }
    }
    void stop() {
        sender_.request_stop();
        receiver_.request_stop();
        wait();
    }
    void wait() {
        sender_.join();
        receiver_.join();
    }
    [[nodiscard]] bool gone() const { return gone_; }

private:
    void send(const std::stop_token& stop) {
        for (std::uint32_t number = 0; !stop.stop_requested(); ++number) {
            const auto size = 60 + number % 1400;
            auto frame = nic_.allocate(size);
            if (frame) {
                frame->copy_in(0, make_frame(nic_.info().mac, size, 0x88b5, number));
                if (!nic_.transmit({&*frame, 1}, stop))
                    return;
            }
            // Sent without a link, a frame is lost at once.
            fiber::sleep(fiber::within(std::chrono::microseconds{200}));
        }
    }
    void receive(const std::stop_token& stop) {
        for (std::array<packet, 16> some;;) {
            const auto got = nic_.receive(some, stop);
            if (!got) {
                gone_ = got.error().code() == std::errc::no_such_device;
                turned_.set();
                return;
            }
            received_ += *got;
            turned_.set();
        }
    }

    xen::netfront& nic_;
    std::uint64_t received_ = 0;
    bool gone_ = false;
    fiber::event turned_;
    fiber::handle<void> sender_;
    fiber::handle<void> receiver_;
};

/// Waits for the toolstack to attach it.
xen::netfront await_nic(const char* name) {
    auto changes = xen::store().watch_path("device/vif").value();
    for (;;) {
        if (auto nic = xen::open_nic(name))
            return std::move(*nic);
        static_cast<void>(changes.next());
    }
}

/// A back end needs many answers from here to come back, so that neither state can be missed.
void await_link(const xen::netfront& nic, bool up) {
    while (nic.info().link_up != up)
        fiber::sleep(fiber::within(std::chrono::microseconds{200}));
}

}  // namespace

int halvm_main() {
    auto& grants = xen::grants();
    const auto at_first = grants.statistics().in_use;
    {
        auto first = xen::open_nic("0", {.queues = 2}).value();
        load always{first};
        always.go_round();
        say("busy");
        // The back end goes away under the load, and comes back.
        await_link(first, false);
        await_link(first, true);
        always.go_round();
        say("served again");
        for (int time = 0; time < 2; ++time) {
            auto second = await_nic("00:16:3e:00:88:02");
            load more{second};
            more.go_round();
            always.go_round();
            say(time == 0 ? "attached" : "attached again");
            more.wait();
            HALVM_CHECK(more.gone());
            always.go_round();
            say(time == 0 ? "detached" : "detached again");
        }
        always.stop();
        HALVM_CHECK(!always.gone());
        HALVM_CHECK(first.statistics().received.lost() == 0);
    }
    HALVM_CHECK(grants.collect() == 0);
    HALVM_CHECK(grants.statistics().in_use == at_first);
    HALVM_CHECK(grants.statistics().parked_pages == 0);
    std::printf("%u references in use, %u parked\n", grants.statistics().in_use, grants.statistics().parked);
    return report::verdict("hot_plug");
}
