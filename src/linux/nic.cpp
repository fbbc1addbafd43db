// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/errors.hpp>
#include <halvm/linux/kernel_nic.hpp>
#include <halvm/linux/readiness.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <new>
#include <random>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace halvm::process {
namespace {

class descriptor {
public:
    explicit descriptor(int number = -1) noexcept : number_{number} {}
    descriptor(descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() {
        if (number_ >= 0)
            close(number_);
    }
    [[nodiscard]] int get() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }

private:
    int number_;
};

failure failed(const char* attempted, std::string_view name) noexcept {
    return failure{error{std::error_code{errno, std::generic_category()}, attempted, name}};
}
failure gone(const char* attempted) noexcept {
    return failure{error{std::make_error_code(std::errc::no_such_device), attempted}};
}

// A datagram of IP has at most 65535 bytes, whatever is joined.
constexpr std::uint32_t longest_frame = 65535 + ethernet::header_size + ethernet::tag_size;
constexpr std::size_t most_pieces = 64;
constexpr std::size_t batch = 32;

/// struct virtio_net_hdr, whose header is not C++. [linux/virtio_net.h]
struct offload_header {
    static constexpr std::uint8_t needs_checksum = 1, data_valid = 2;
    static constexpr std::uint8_t none = 0, tcp_ipv4 = 1, tcp_ipv6 = 4, congestion = 0x80;

    std::uint8_t flags = 0;
    std::uint8_t segmentation = none;
    std::uint16_t header_length = 0;
    std::uint16_t segment_size = 0;
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_at = 0;
};
static_assert(sizeof(offload_header) == 10);

mac_address random_mac() {
    std::random_device random;
    std::array<std::uint8_t, 6> octets{};
    std::ranges::generate(octets, [&] { return static_cast<std::uint8_t>(random()); });
    // Of one station, and given by nobody. [ieee802 8.2.2]
    octets[0] = static_cast<std::uint8_t>((octets[0] & 0xfc) | 2);
    return mac_address{octets};
}

/// What the kernel is told of a frame.
offload_header header_of(const packet& frame) noexcept {
    const packet_metadata& about = frame.metadata();
    offload_header header{};
    if (about.checksum == packet_checksum::blank) {
        header.flags = offload_header::needs_checksum;
        header.checksum_start = about.checksum_start;
        header.checksum_at = about.checksum_at;
    }
    if (about.segmentation != packet_segmentation::none) {
        header.segmentation =
            about.segmentation == packet_segmentation::tcp_ipv4 ? offload_header::tcp_ipv4 : offload_header::tcp_ipv6;
        header.segment_size = about.segment_size;
        header.header_length = about.header_length;
    }
    return header;
}

/// What the kernel says of a frame. False when that cannot be.
bool take_header(const offload_header& header, packet& frame) noexcept {
    packet_metadata& about = frame.metadata();
    if ((header.flags & offload_header::needs_checksum) != 0) {
        if (std::size_t{header.checksum_start} + header.checksum_at + 2 > frame.size())
            return false;
        about.checksum = packet_checksum::blank;
        about.checksum_start = header.checksum_start;
        about.checksum_at = header.checksum_at;
    } else if ((header.flags & offload_header::data_valid) != 0) {
        about.checksum = packet_checksum::verified;
    }
    const unsigned kind = header.segmentation & ~static_cast<unsigned>(offload_header::congestion);
    if (kind == offload_header::none)
        return true;
    if ((kind != offload_header::tcp_ipv4 && kind != offload_header::tcp_ipv6) || header.segment_size == 0 ||
        about.checksum != packet_checksum::blank)
        return false;
    // Its own word for the length of the headers is what lay in one piece in the kernel, payload and all.
    constexpr std::size_t tcp_size = 20, tcp_length_at = 12;
    if (std::size_t{about.checksum_start} + tcp_size > frame.size())
        return false;
    std::byte length{};
    frame.copy_out(about.checksum_start + tcp_length_at, {&length, 1});
    about.header_length = static_cast<std::uint16_t>(about.checksum_start + (static_cast<unsigned>(length) >> 4) * 4);
    about.segment_size = header.segment_size;
    about.segmentation =
        kind == offload_header::tcp_ipv4 ? packet_segmentation::tcp_ipv4 : packet_segmentation::tcp_ipv6;
    return true;
}

}  // namespace

class kernel_nic::device {
public:
    device(bool is_tap, const kernel_nic_options& options, packet_pool memory)
        : is_tap_{is_tap}, pool{std::move(memory)} {
        info.queues = is_tap ? options.queues : std::uint16_t{1};
        info.most_pieces = most_pieces;
        const nic_offloads all{.checksum_ipv4 = true,
                               .checksum_ipv6 = true,
                               .longest_tcp_ipv4 = longest_frame,
                               .longest_tcp_ipv6 = longest_frame};
        info.transmit = all;
        if (!is_tap || options.receive_offloads)
            info.receive = all;
    }

    result<void> open_tap(std::string_view wanted, const kernel_nic_options& options) {
        constexpr const char* attempted = "open the TAP device";
        ifreq request = request_for(wanted);
        request.ifr_flags =
            static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (options.queues > 1 ? IFF_MULTI_QUEUE : 0));
        for (unsigned i = 0; i < options.queues; ++i) {
            descriptor one{::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)};
            if (!one || ioctl(one.get(), TUNSETIFF, &request) != 0)
                return failed(attempted, wanted);
            const unsigned offloads =
                options.receive_offloads ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0U;
            if (ioctl(one.get(), TUNSETOFFLOAD, offloads) != 0)
                return failed(attempted, wanted);
            queues_.push_back(std::move(one));
        }
        name = request.ifr_name;
        info.mac = options.mac.is_unspecified() ? random_mac() : options.mac;
        return begin(attempted);
    }

    result<void> open_interface(std::string_view wanted) {
        constexpr const char* attempted = "open the interface";
        name = wanted;
        descriptor one{socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
        const int yes = 1;
        if (!one || setsockopt(one.get(), SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) != 0 ||
            setsockopt(one.get(), SOL_PACKET, PACKET_AUXDATA, &yes, sizeof yes) != 0 ||
            setsockopt(one.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0)
            return failed(attempted, wanted);
        sockaddr_ll where{};
        where.sll_family = AF_PACKET;
        where.sll_protocol = htons(ETH_P_ALL);
        where.sll_ifindex = static_cast<int>(if_nametoindex(name.c_str()));
        if (where.sll_ifindex == 0)
            errno = ENODEV;
        if (where.sll_ifindex == 0 || bind(one.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0)
            return failed(attempted, wanted);
        queues_.push_back(std::move(one));
        return begin(attempted);
    }

    void end() noexcept {
        open = false;
        // Whoever waits holds on to this.
        fiber::this_scheduler().signal_all(readers_);
        fiber::this_scheduler().signal_all(writers_);
    }

    result<std::size_t> receive(std::span<packet> frames, std::stop_token stop) {
        constexpr const char* attempted = "receive from a NIC";
        const std::uint64_t seen = changes;
        for (;;) {
            if (!open)
                return gone(attempted);
            if (told != changes || seen != changes) {
                told = changes;
                return 0;
            }
            if (std::exchange(link_news_, false)) {
                look_at_link();
                continue;
            }
            // Behind the last frame there was none any more, unless somebody has told us of one since.
            if (more_) {
                const auto got = read_frames(frames);
                if (!got || *got != 0)
                    return got;
            }
            const auto how = fiber::this_scheduler().wait(readers_, fiber::wait_limit{stop});
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, attempted);
        }
    }

    std::size_t try_transmit(std::span<packet> frames) {
        std::size_t taken = 0;
        while (open && taken != frames.size()) {
            const std::size_t count = is_tap_ ? write_one(frames[taken]) : send_some(frames.subspan(taken));
            if (count == 0)
                break;
            taken += count;
        }
        return taken;
    }

    result<void> transmit(std::span<packet> frames, std::stop_token stop) {
        constexpr const char* attempted = "transmit through a NIC";
        for (;;) {
            if (!open)
                return gone(attempted);
            frames = frames.subspan(try_transmit(frames));
            if (frames.empty())
                return {};
            for (std::size_t i = 1; i < signals_.size(); ++i)
                signals_[i].await_writable(writers_);
            const auto how = fiber::this_scheduler().wait(writers_, fiber::wait_limit{stop});
            if (how != fiber::wake::signalled)
                return fiber::detail::gave_up(how, attempted);
        }
    }

    std::string name;
    nic_info info;
    nic_statistics statistics;
    bool open = true;
    std::uint64_t changes = 0;
    std::uint64_t told = 0;

private:
    bool is_tap_;

public:
    packet_pool pool;

private:
    [[nodiscard]] static ifreq request_for(std::string_view name) noexcept {
        ifreq request{};
        name.copy(request.ifr_name, IFNAMSIZ - 1);
        return request;
    }

    result<void> begin(const char* attempted) {
        control_ = descriptor{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        news_ = descriptor{socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)};
        sockaddr_nl links{};
        links.nl_family = AF_NETLINK;
        links.nl_groups = RTMGRP_LINK;
        if (!control_ || !news_ || bind(news_.get(), reinterpret_cast<const sockaddr*>(&links), sizeof links) != 0)
            return failed(attempted, name);
        signals_ = std::vector<ready_signal>(queues_.size() + 1);
        auto watched = signals_[0].begin(news_.get(), readers_, link_news_);
        for (std::size_t i = 0; watched && i < queues_.size(); ++i)
            watched = signals_[i + 1].begin(queues_[i].get(), readers_, more_);
        if (!watched)
            return watched;
        if (is_tap_)
            set_up();
        if (!read_link())
            return failed(attempted, name);
        changes = 0;
        return {};
    }

    void set_up() noexcept {
        ifreq request = request_for(name);
        if (ioctl(control_.get(), SIOCGIFFLAGS, &request) != 0)
            return;
        request.ifr_flags |= IFF_UP;
        ioctl(control_.get(), SIOCSIFFLAGS, &request);
    }

    /// `otherwise` of a driver that does not say: the kernel comes to know some time after the carrier has come.
    bool has_carrier(bool otherwise) noexcept {
        ethtool_value link{.cmd = ETHTOOL_GLINK, .data = 0};
        ifreq request = request_for(name);
        request.ifr_data = reinterpret_cast<char*>(&link);
        return ioctl(control_.get(), SIOCETHTOOL, &request) == 0 ? link.data != 0 : otherwise;
    }

    /// False when there is no such interface any more.
    bool read_link() noexcept {
        nic_info now = info;
        ifreq request = request_for(name);
        if (ioctl(control_.get(), SIOCGIFFLAGS, &request) != 0)
            return false;
        now.link_up = (request.ifr_flags & IFF_UP) != 0 && has_carrier((request.ifr_flags & IFF_RUNNING) != 0);
        request = request_for(name);
        if (ioctl(control_.get(), SIOCGIFMTU, &request) != 0)
            return false;
        now.mtu = static_cast<std::uint32_t>(request.ifr_mtu);
        if (!is_tap_) {
            request = request_for(name);
            if (ioctl(control_.get(), SIOCGIFHWADDR, &request) != 0)
                return false;
            std::array<std::uint8_t, mac_address::size> octets{};
            std::memcpy(octets.data(), request.ifr_hwaddr.sa_data, octets.size());
            now.mac = mac_address{octets};
        }
        changes += now == info ? 0 : 1;
        info = now;
        return true;
    }

    void look_at_link() noexcept {
        bool any = false;
        std::array<std::byte, 4096> message;
        // One that did not fit, or was lost for want of room, says as much: that something has changed.
        while (recv(news_.get(), message.data(), message.size(), 0) >= 0 || errno == ENOBUFS)
            any = true;
        if (any && !read_link())
            open = false;
    }

    // Receiving. What the next frame is read into is kept ready: a piece that holds all but joined frames, and more
    // for those. Only what a frame has filled is replaced.

    void prepare() noexcept {
        const std::size_t count = joined_ ? slots_.size() : 1;
        for (std::size_t i = 0; i < count; ++i) {
            if (slots_[i])
                continue;
            const std::size_t headroom = i == 0 ? pool.shape().headroom : 0;
            if (auto one = pool.allocate(pool.shape().large - headroom, headroom))
                slots_[i] = std::move(*one);
        }
    }

    result<std::size_t> read_frames(std::span<packet> frames) {
        more_ = queues_.size() > 1;
        std::size_t count = 0;
        // Where frames come one at a time, to ask for a second one costs as much as the first. Now and then it is done.
        constexpr unsigned times_alone = 8;
        if (alone_ != 0)
            frames = frames.first(1);
        const auto now = fiber::clock::now().time_since_epoch();
        for (std::size_t tried = 0; tried < queues_.size() && count != frames.size(); ++tried) {
            const std::size_t queue = next_queue_;
            next_queue_ = (next_queue_ + 1) % queues_.size();
            while (count != frames.size()) {
                packet frame;
                const auto more = read_one(queue, frame);
                if (!more)
                    return count != 0 ? result<std::size_t>{count} : failure(more.error());
                if (!*more)
                    break;
                if (frame) {
                    statistics.received.count(frame);
                    frame.set_arrival(now);
                    frames[count++] = std::move(frame);
                }
            }
        }
        if (!more_)
            joined_ = std::exchange(seen_joined_, false);
        if (alone_ != 0) {
            --alone_;
            return count;
        }
        more_ = more_ || count == frames.size();
        alone_ = count == 1 && !more_ ? times_alone : 0;
        return count;
    }

    /// False when there is nothing to read now. A frame that is lost is not there.
    result<bool> read_one(std::size_t queue, packet& into) {
        prepare();
        offload_header header{};
        std::byte scrap{};
        bytes behind{&scrap, 1};  // what does not fit
        if (!joined_ && info.receive.longest_tcp_ipv4 != 0) {
            rest_.resize(longest_frame);
            behind = rest_;
        }
        std::array<iovec, 2 + slot_count> pieces{iovec{&header, sizeof header}};
        std::size_t used = 1;
        std::size_t room = 0;
        for (packet& slot : slots_) {
            if (!slot)
                break;
            const bytes memory = slot.front();
            pieces[used++] = {memory.data(), memory.size()};
            room += memory.size();
        }
        pieces[used++] = {behind.data(), behind.size()};
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(tpacket_auxdata))> extra{};
        msghdr message{};
        message.msg_iov = pieces.data();
        message.msg_iovlen = used;
        message.msg_control = extra.data();
        message.msg_controllen = extra.size();
        const int from = queues_[queue].get();
        const ssize_t got = is_tap_ ? readv(from, pieces.data(), static_cast<int>(used)) : recvmsg(from, &message, 0);
        if (got < 0)
            return nothing_read();
        const std::size_t size = std::max(static_cast<std::size_t>(got), sizeof header) - sizeof header;
        if (size > room && behind.size() > 1 && room != 0) {
            // There are joined frames. The next ones are read to where they stay.
            joined_ = true;
            prepare();
            for (std::size_t i = 1, at = 0; i < slots_.size() && slots_[i] && at < size - room; ++i) {
                const std::size_t here = std::min(slots_[i].size(), size - room - at);
                slots_[i].copy_in(0, behind.subspan(at, here));
                at += here;
            }
            room = 0;
            for (std::size_t i = 0; i < slots_.size() && slots_[i]; ++i)
                room += slots_[i].size();
        }
        if (size > slots_[0].size())
            seen_joined_ = true;
        if (size > room) {
            statistics.received.count(frame_loss::no_memory);
            return true;
        }
        if (size < ethernet::header_size) {
            statistics.received.count(frame_loss::too_short);
            return true;
        }
        packet frame = take_slots(size);
        if (!is_tap_ && !put_tag_back(message, frame, header)) {
            statistics.received.count(frame_loss::no_memory);
            return true;
        }
        if (!take_header(header, frame)) {
            statistics.received.count(frame_loss::bad_offload);
            return true;
        }
        frame.metadata().queue = static_cast<std::uint16_t>(queue);
        into = std::move(frame);
        return true;
    }

    result<bool> nothing_read() noexcept {
        if (errno == EAGAIN || errno == EINTR)
            return false;
        // Said once when the interface is set down, and of it nobody has to know but by info().
        if (errno == ENETDOWN) {
            if (!read_link())
                open = false;
            return false;
        }
        open = false;
        constexpr const char* attempted = "receive from the interface";
        // A TAP whose device was taken away, or an interface.
        if (errno == EBADFD || errno == ENODEV || errno == ENXIO)
            return gone(attempted);
        return failed(attempted, name);
    }

    packet take_slots(std::size_t size) noexcept {
        packet frame;
        // A short frame does not keep a large piece of memory.
        if (size + pool.shape().headroom <= pool.shape().small) {
            if (auto copy = pool.allocate(size)) {
                copy->copy_in(0, slots_[0].front().first(size));
                return std::move(*copy);
            }
        }
        for (packet& slot : slots_) {
            if (size == 0)
                break;
            const std::size_t here = std::min(size, slot.size());
            slot.trim_back(slot.size() - here);
            frame.append(std::move(slot));
            size -= here;
        }
        return frame;
    }

    /// The kernel takes the outermost tag out of a frame and says it beside. False without memory.
    static bool put_tag_back(msghdr& message, packet& frame, offload_header& header) noexcept {
        for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
            if (at->cmsg_level != SOL_PACKET || at->cmsg_type != PACKET_AUXDATA)
                continue;
            tpacket_auxdata beside{};
            std::memcpy(&beside, CMSG_DATA(at), sizeof beside);
            if ((beside.tp_status & TP_STATUS_VLAN_VALID) == 0)
                return true;
            const std::uint16_t kind =
                (beside.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? beside.tp_vlan_tpid : ethernet::tagged;
            std::array<std::byte, 12> addresses{};
            frame.copy_out(0, addresses);
            if (!frame.prepend(ethernet::tag_size))
                return false;
            const std::array tag{static_cast<std::byte>(kind >> 8), static_cast<std::byte>(kind),
                                 static_cast<std::byte>(beside.tp_vlan_tci >> 8),
                                 static_cast<std::byte>(beside.tp_vlan_tci)};
            frame.copy_in(0, addresses);
            frame.copy_in(addresses.size(), tag);
            header.checksum_start = static_cast<std::uint16_t>(header.checksum_start + ethernet::tag_size);
            return true;
        }
        return true;
    }

    // Sending.

    struct outgoing {
        offload_header header;
        std::array<iovec, most_pieces + 1> pieces;
        std::size_t count;

        explicit outgoing(packet& frame) noexcept : header{header_of(frame)}, count{1} {
            pieces[0] = {&header, sizeof header};
            for (const bytes piece : frame.pieces())
                pieces[count++] = {piece.data(), piece.size()};
        }
    };

    /// True when it was, and the frame is gone.
    bool refuses(packet& frame) noexcept {
        Expects(static_cast<bool>(frame));
        const auto why = check(frame, info);
        if (!why)
            return false;
        statistics.transmitted.count(*why);
        frame = {};
        return true;
    }

    /// What became of a frame for which the kernel returned `status`; false when it is to be tried again later.
    bool settle(packet& frame, ssize_t status) noexcept {
        if (status < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        if (status >= 0)
            statistics.transmitted.count(frame);
        else if (errno == ENETDOWN || errno == EIO)
            statistics.transmitted.count(frame_loss::no_link);
        else
            statistics.transmitted.count(errno == ENOBUFS || errno == ENOMEM ? frame_loss::no_memory
                                                                             : frame_loss::device_error);
        frame = {};
        return true;
    }

    std::size_t write_one(packet& frame) noexcept {
        if (refuses(frame))
            return 1;
        outgoing one{frame};
        const std::size_t queue = frame.metadata().flow_hash % queues_.size();
        const ssize_t status = writev(queues_[queue].get(), one.pieces.data(), static_cast<int>(one.count));
        return settle(frame, status) ? 1 : 0;
    }

    /// Up to `batch` frames in one call.
    std::size_t send_some(std::span<packet> frames) {
        if (refuses(frames.front()))
            return 1;
        std::size_t count = 0;
        messages_.clear();
        outgoing_frames_.clear();
        for (; count != std::min(frames.size(), batch) && frames[count] && !check(frames[count], info); ++count)
            outgoing_frames_.emplace_back(frames[count]);
        for (outgoing& one : outgoing_frames_) {
            // It has moved since it was made.
            one.pieces[0].iov_base = &one.header;
            mmsghdr& message = messages_.emplace_back();
            message.msg_hdr.msg_iov = one.pieces.data();
            message.msg_hdr.msg_iovlen = one.count;
        }
        const int sent = sendmmsg(queues_[0].get(), messages_.data(), static_cast<unsigned>(count), 0);
        if (sent <= 0)
            return settle(frames.front(), -1) ? 1 : 0;
        for (packet& frame : frames.first(static_cast<std::size_t>(sent)))
            settle(frame, 0);
        return static_cast<std::size_t>(sent);
    }

    static constexpr std::size_t slot_count = longest_frame / 4096 + 2;

    std::vector<descriptor> queues_;
    descriptor control_;
    descriptor news_;
    fiber::wait_queue readers_{"frames from a NIC", true};
    fiber::wait_queue writers_{"room in a NIC", true};
    std::vector<ready_signal> signals_;
    std::array<packet, slot_count> slots_;
    std::vector<outgoing> outgoing_frames_;
    std::vector<mmsghdr> messages_;
    std::size_t next_queue_ = 0;
    // As long as no joined frames come, there is one place for what does not fit into a piece.
    bool joined_ = false;
    bool seen_joined_ = false;
    std::vector<std::byte> rest_;
    bool link_news_ = false;
    bool more_ = true;    // there may be something to read
    unsigned alone_ = 0;  // so often one frame is read at a time
};

result<kernel_nic> kernel_nic::open_tap(std::string_view name, const kernel_nic_options& options) {
    Expects(options.queues != 0);
    if (name.size() >= IFNAMSIZ)
        return failure{error{std::make_error_code(std::errc::invalid_argument), "open the TAP device", name}};
    auto pool = packet_pool::make(options.memory);
    if (!pool)
        return failure(pool.error());
    auto made = std::make_shared<device>(true, options, std::move(*pool));
    if (auto opened = made->open_tap(name, options); !opened)
        return failure(opened.error());
    return kernel_nic{std::move(made)};
}

result<kernel_nic> kernel_nic::open_interface(std::string_view name, const kernel_nic_options& options) {
    if (name.size() >= IFNAMSIZ)
        return failure{error{std::make_error_code(std::errc::invalid_argument), "open the interface", name}};
    auto pool = packet_pool::make(options.memory);
    if (!pool)
        return failure(pool.error());
    auto made = std::make_shared<device>(false, options, std::move(*pool));
    if (auto opened = made->open_interface(name); !opened)
        return failure(opened.error());
    return kernel_nic{std::move(made)};
}

kernel_nic::kernel_nic(std::shared_ptr<device> made) noexcept : device_{std::move(made)} {}
kernel_nic::kernel_nic(kernel_nic&&) noexcept = default;
kernel_nic& kernel_nic::operator=(kernel_nic&& other) noexcept {
    std::swap(device_, other.device_);
    return *this;
}
kernel_nic::~kernel_nic() {
    if (device_ != nullptr)
        device_->end();
}

const std::string& kernel_nic::name() const noexcept { return device_->name; }
nic_info kernel_nic::info() const noexcept { return device_->info; }
nic_statistics kernel_nic::statistics() const noexcept { return device_->statistics; }
result<packet> kernel_nic::allocate(std::size_t size) noexcept { return device_->pool.allocate(size); }

result<std::size_t> kernel_nic::receive(std::span<packet> frames, std::stop_token stop) {
    Expects(!frames.empty());
    const auto kept = device_;
    return kept->receive(frames, std::move(stop));
}
std::size_t kernel_nic::try_transmit(std::span<packet> frames) { return device_->try_transmit(frames); }
result<void> kernel_nic::transmit(std::span<packet> frames, std::stop_token stop) {
    const auto kept = device_;
    return kept->transmit(frames, std::move(stop));
}

}  // namespace halvm::process
