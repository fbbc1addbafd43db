// SPDX-License-Identifier: BSD-3-Clause
// A network interface whose back end writes anything into both rings, the pages that it was given and the XenStore, at
// any time, while frames go out and what came in goes out again: every wait ends, at the latest when the interface is
// taken away, what is received is whole, and nothing is leaked.
#define DOCTEST_CONFIG_IMPLEMENT
#include "net_world.hpp"

#include "fuzz.hpp"
#include "xen/script.hpp"

#include <array>
#include <span>
#include <stop_token>

namespace {

using namespace halvm;
using fuzz::must;
using fuzz::script;

class hostile {
public:
    explicit hostile(script& what) : what_{what} {
        const unsigned offers = what.byte();
        back_.behave.answers = false;
        static constexpr std::array names{"feature-sg",
                                          "feature-gso-tcpv4",
                                          "feature-gso-tcpv6",
                                          "feature-ipv6-csum-offload",
                                          "feature-multicast-control",
                                          "feature-split-event-channels",
                                          "feature-no-csum-offload"};
        for (std::size_t i = 0; i < names.size(); ++i)
            back_.behave.offers[names[i]] = (offers >> i & 1) != 0 ? "0" : "1";
        back_.behave.offers["multi-queue-max-queues"] = (offers >> 7) != 0 ? "2" : "1";
        back_.attach();
    }

    void run() {
        const std::size_t before = world_.guest.domain.pages_in_use();
        if (auto nic = back_.open({.queues = 2,
                                   .receive_pages = 48,
                                   .receive_ring = 32,
                                   .transmit_pages = 24,
                                   .transmit_halves = 16,
                                   .multicast_control = true,
                                   .patience = std::chrono::seconds{1}})) {
            auto receiver = fiber::spawn([&] { receive(*nic); });
            auto sender = fiber::spawn([&] { send(*nic); });
            for (unsigned steps = 0; !what_.over() && steps < 200; ++steps)
                step(*nic);
            stop_.request_stop();
            held_.clear();
            back_.detach();
            receiver.join();
            sender.join();
        }
        held_.clear();
        back_.detach();
        packets_.clear();
        must(world_.left.grants.collect() == 0, "no page stays with a back end that is gone");
        must(world_.left.grants.statistics().in_use == 0, "every reference is given back");
        must(world_.guest.channels.in_use() == 1, "every port but the XenStore's is closed");
        must(world_.guest.domain.pages_in_use() == before, "all memory is given back");
        must(world_.host.take_violations().empty(), "the domain does nothing that would hurt it");
    }

private:
    // What the program does.

    /// Keeps some frames for a while, and sends all of them again.
    void receive(sim::sim_netfront& nic) {
        std::size_t next = 0;
        for (std::array<packet, 4> some;;) {
            const auto got = nic.receive(some, stop_.get_token());
            if (!got)
                return;
            for (packet& one : std::span{some}.first(*got)) {
                check_received(one);
                std::swap(packets_[next++ % packets_.size()], one);
                if (one)
                    static_cast<void>(nic.try_transmit({&one, 1}));
            }
        }
    }
    static void check_received(const packet& frame) {
        must(frame.size() >= ethernet::header_size, "a frame that is received has a header");
        must(frame.size() <= 0xffff + ethernet::header_size + ethernet::tag_size, "a frame is no longer than any is");
        std::size_t sum = 0;
        for (const const_bytes piece : frame.pieces())
            for (const std::byte one : piece)
                sum += std::to_integer<unsigned>(one);
        must(sum <= frame.size() * 255, "all of a frame can be read");
        const packet_metadata& about = frame.metadata();
        if (about.checksum == packet_checksum::blank)
            must(std::size_t{about.checksum_start} + about.checksum_at + 2 <= frame.size(),
                 "a blank checksum lies in its frame");
        if (about.segmentation != packet_segmentation::none)
            must(about.checksum == packet_checksum::blank && about.segment_size != 0 &&
                     about.header_length > about.checksum_start && about.header_length <= frame.size(),
                 "joined segments can be told apart");
    }

    /// Waits for room, as long as it takes.
    void send(sim::sim_netfront& nic) {
        for (std::uint32_t number = 0;; ++number) {
            if (auto frame = nic.allocate(60 + number * 97 % 9000)) {
                fill(*frame, number);
                if (number % 3 == 0)
                    set_segmentation(*frame, (number / 3) % 2 != 0);
                if (!nic.transmit({&*frame, 1}, stop_.get_token()))
                    return;
            }
            if (!fiber::sleep(fiber::wait_limit{world_.host.now() + 50'000, stop_.get_token()}))
                return;
        }
    }
    static void set_segmentation(packet& frame, bool ipv6) {
        frame.metadata() = {.checksum_start = static_cast<std::uint16_t>(ipv6 ? 54 : 34),
                            .checksum_at = 16,
                            .segment_size = 500,
                            .header_length = static_cast<std::uint16_t>(ipv6 ? 74 : 54),
                            .checksum = packet_checksum::blank,
                            .segmentation = ipv6 ? packet_segmentation::tcp_ipv6 : packet_segmentation::tcp_ipv4};
    }
    /// TCP or UDP over IPv4 or IPv6, as `kind` says.
    static std::array<std::byte, 60> headers(unsigned kind) {
        std::array<std::byte, 60> made{};
        const bool ipv6 = (kind & 1) != 0;
        const auto set = [&](std::size_t at, unsigned value) { made[at] = static_cast<std::byte>(value); };
        set(12, ipv6 ? 0x86 : 0x08);
        set(13, ipv6 ? 0xdd : 0x00);
        set(14, ipv6 ? 0x60 : 0x45);
        set(ipv6 ? 20 : 23, (kind & 2) != 0 ? 17 : 6);
        set(ipv6 ? 54 + 4 : 34 + 12, 0x50);
        return made;
    }
    static void fill(packet& frame, unsigned kind) {
        const auto start = headers(kind);
        frame.copy_in(0, const_bytes{start}.first(std::min(start.size(), frame.size())));
    }

    // What the back end does.

    void step(sim::sim_netfront& nic) {
        switch (what_.byte() % 12) {
        case 0:
        case 1: put_frame(); break;
        case 2: put_slot(); break;
        case 3: {  // answers as they should be, to some requests
            for (unsigned count = 1 + what_.byte() % 8; count != 0; --count) {
                const netif_tx_response_t answer{.id = static_cast<std::uint16_t>(what_.byte()),
                                                 .status = static_cast<std::int16_t>(what_.byte() % 4 - 2)};
                poke(tx, 64 + std::size_t{answered_++ % 256} * sizeof(netif_tx_request_t), &answer, sizeof answer);
            }
            poke(tx, 8, &answered_, sizeof answered_);
            break;
        }
        case 4: {  // any word anywhere but where only the front end writes
            const std::uint32_t value = what_.word();
            poke(what_.byte() % 2 != 0 ? tx : rx, 4 + what_.word() % (4096 - 8), &value, sizeof value);
            break;
        }
        case 5: {
            const bool sent = what_.byte() % 2 != 0;
            std::uint32_t& index = sent ? answered_ : given_;
            index = what_.byte() % 2 != 0 ? what_.word() : index + what_.byte() % 40;
            poke(sent ? tx : rx, 8, &index, sizeof index);
            break;
        }
        case 6: notify(); break;
        case 7: {
            static constexpr std::array names{"state",
                                              "carrier",
                                              "feature-rx-copy",
                                              "feature-sg",
                                              "feature-gso-tcpv4",
                                              "feature-ipv6-csum-offload",
                                              "multi-queue-max-queues",
                                              "online"};
            world_.daemon.write(back_.back + "/" + names[what_.byte() % names.size()], value());
            break;
        }
        case 8: {
            static constexpr std::array names{"mac", "mtu", "trusted", "backend-id", "state"};
            world_.daemon.write(back_.front + "/" + names[what_.byte() % names.size()], value());
            break;
        }
        case 9: {
            const mac_address group{{1, 0, 0x5e, 0, 0, static_cast<std::uint8_t>(what_.byte() % 4)}};
            static_cast<void>(what_.byte() % 2 != 0 ? nic.join(group) : nic.leave(group));
            break;
        }
        case 10:
            if (what_.byte() % 4 == 0) {
                // Another one takes over, and knows nothing of this one's rings.
                held_.clear();
                back_.stop();
                back_.start();
                given_ = answered_ = 0;
            }
            break;
        default: fiber::sleep(fiber::wait_limit{world_.host.now() + what_.byte() * 10'000'000LL}); break;
        }
        fiber::yield();
    }
    const char* value() {
        static constexpr std::array values{"0", "1", "2", "3", "4", "5", "6", "7", "9000", "", "-1", "99999999999"};
        return values[what_.byte() % values.size()];
    }

    /// A frame as it should be, or nearly: its data in pages that it was given for it.
    void put_frame() {
        const unsigned kind = what_.byte();
        const unsigned parts = 1 + what_.byte() % 20;
        const std::uint16_t offset = (kind & 4) != 0 ? what_.byte() : 0;
        for (unsigned i = 0; i != parts; ++i) {
            netif_rx_request_t asked{};
            peek(rx, 64 + std::size_t{given_ % 256} * sizeof asked, &asked, sizeof asked);
            const auto start = headers(kind);
            const std::size_t size = i == 0 ? 20 + what_.byte() * 4U : what_.byte() * 16U;
            if (auto page = map(asked.gref)) {
                std::copy(start.begin(), start.end(), page->bytes().begin() + offset);
                if ((kind & 0x40) != 0 && held_.size() < 8)
                    held_.push_back(std::move(*page));
            }
            const bool joined = (kind & 8) != 0 && i == 0;
            put(netif_rx_response_t{
                .id = asked.id,
                .offset = offset,
                .flags = static_cast<std::uint16_t>((i + 1 != parts ? NETRXF_more_data : 0) |
                                                    (joined ? NETRXF_extra_info : 0) |
                                                    ((kind & 16) != 0 ? NETRXF_csum_blank : 0)),
                .status = static_cast<std::int16_t>((kind & 32) != 0 && i == 1 ? -1 : static_cast<int>(size))});
            if (!joined)
                continue;
            netif_extra_info_t extra{};
            extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
            extra.u.gso.size = static_cast<std::uint16_t>(what_.byte() * 8);
            extra.u.gso.type = (kind & 1) != 0 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
            netif_rx_response_t slot{};
            std::memcpy(&slot, &extra, sizeof slot);
            put(slot);
        }
        poke(rx, 8, &given_, sizeof given_);
        notify();
    }
    /// A slot of any content.
    void put_slot() {
        std::array<std::uint32_t, 2> raw{what_.word(), what_.word()};
        netif_rx_response_t slot{};
        static_assert(sizeof raw == sizeof slot);
        std::memcpy(&slot, raw.data(), sizeof slot);
        if (what_.byte() % 4 != 0)
            slot.id = static_cast<std::uint16_t>(given_ % 256);
        put(slot);
        poke(rx, 8, &given_, sizeof given_);
        notify();
    }
    void put(const netif_rx_response_t& slot) {
        poke(rx, 64 + std::size_t{given_++ % 256} * sizeof slot, &slot, sizeof slot);
    }

    static constexpr const char* rx = "/rx-ring-ref";
    static constexpr const char* tx = "/tx-ring-ref";

    std::optional<xen::basic_mapping<sim::domain>> map(std::uint32_t ref) {
        const xen::grant_ref refs[]{xen::grant_ref{ref}};
        auto page = xen::map_grants(world_.back_grants, world_.guest.domain.id(), refs, xen::access::read_write);
        return page ? std::optional{std::move(*page)} : std::nullopt;
    }
    /// The page of the first queue's ring, when there is one.
    std::optional<xen::basic_mapping<sim::domain>> ring(const char* which) {
        for (const char* const queue : {"/queue-0", ""})
            if (const auto ref = world_.back_store->read_number<std::uint32_t>(back_.front + queue + which))
                return map(*ref);
        return std::nullopt;
    }
    void poke(const char* which, std::size_t at, const void* data, std::size_t size) {
        if (auto page = ring(which))
            std::memcpy(page->data() + at, data, size);
    }
    void peek(const char* which, std::size_t at, void* data, std::size_t size) {
        if (auto page = ring(which))
            std::memcpy(data, page->data() + at, size);
    }
    void notify() { back_.notify(); }

    script& what_;
    sim::net_world world_;
    sim::sim_netback back_{world_, world_.left};
    std::uint32_t given_ = 0;
    std::uint32_t answered_ = 0;
    std::vector<xen::basic_mapping<sim::domain>> held_;
    std::vector<packet> packets_{8};
    std::stop_source stop_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    script what{{reinterpret_cast<const std::byte*>(data), size}};
    hostile{what}.run();
    return 0;
}

std::vector<fuzz::input> fuzz::seeds() {
    return {
        // Frames, and answers to what was sent.
        from_hex("00 0b01 00 00 00 10 00 01 00 20 00 02 02 30 10 10 0b01 03 02 00 01 01 01 02 01 06 0b01 0b01"),
        // Joined segments and blank checksums, over both protocols, at an offset.
        from_hex("00 0b01 00 18 02 ff 40 10 10 0b01 00 1d 01 80 ff 30 80 00 5c 00 04 20 80 0b02"),
        // Every feature off; slots of any content.
        from_hex("7f 0b01 02 00000000 00000040 01 02 00000008 00001001 01 02 ffffffff ffffffff 00 0b01"),
        // Two queues; pages that stay mapped; errors among the parts.
        from_hex("80 0b01 00 40 03 10 10 10 10 00 60 02 10 10 10 0b01 03 01 00 01 00 02 0b01 00 40 00 ff 0b01"),
        // Indices out of any range, and words anywhere.
        from_hex("00 0b01 05 00 01 80000000 06 0b01"),
        from_hex("00 0b01 05 01 00 05 06 04 00000000 01 00000040 0b01 04 ffffffff 00 00000044 06 0b01"),
        // Features and what the toolstack says change while it is connected; it closes; another one takes over.
        from_hex("00 0b01 07 03 00 07 00 05 0b10 07 00 06 0b01 07 00 02 0b10 00 00 00 10 0b01"),
        from_hex("00 0b01 0a 00 0b20 00 00 00 10 0b01 07 01 00 07 00 04 08 01 08 0b01 0a 00 0b20 08 00 0a 0a 00 0bff"),
        from_hex("00 0b01 09 01 01 09 02 01 09 01 00 07 00 07 0b01 07 00 05 0bff 0bff"),
    };
}
