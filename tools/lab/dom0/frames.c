// SPDX-License-Identifier: BSD-3-Clause
// The other end of guests' network tests, in dom0: sends back each frame that comes from a guest's interface for the
// address 02:00:00:00:88:b5, with both addresses exchanged and all that is said of its checksum and its segments.
// A frame of type 88b6 asks how many there were, and of how many bytes, since it was last asked; both are 8 bytes, the
// most significant one first. One of type 88b7 asks for as many frames as its first 8 bytes say, each as long as the
// next 8 say; the frame itself, or its beginning, stands behind. [linux: packet(7), PACKET_VNET_HDR]
//
//   lab-frames          all of this
//   lab-frames source   frames that are asked for, and nothing else, so that others cost dom0 little

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const unsigned char own[6] = {2, 0, 0, 0, 0x88, 0xb5};

static void put(unsigned char* at, uint64_t value) {
    for (int i = 8; i-- != 0; value >>= 8)
        at[i] = (unsigned char)value;
}

static uint64_t get(const unsigned char* at) {
    uint64_t value = 0;
    for (int i = 0; i != 8; ++i)
        value = value << 8 | at[i];
    return value;
}

/// Waits for room, so that none of them is lost on the way.
static void send_many(int line, struct sockaddr_ll* to, const unsigned char* asked, size_t known) {
    enum { most = 64 };
    static unsigned char frame[sizeof(struct virtio_net_hdr) + 70000];
    uint64_t left = get(asked), size = get(asked + 8);
    known -= 16;
    size = size < known ? known : size;
    if (size > sizeof frame - sizeof(struct virtio_net_hdr))
        return;
    memset(frame, 0, sizeof frame);
    memcpy(frame + sizeof(struct virtio_net_hdr), asked + 16, known);
    struct iovec data = {frame, sizeof(struct virtio_net_hdr) + size};
    struct mmsghdr all[most];
    for (int i = 0; i != most; ++i)
        all[i].msg_hdr = (struct msghdr){.msg_name = to, .msg_namelen = sizeof *to, .msg_iov = &data, .msg_iovlen = 1};
    while (left != 0) {
        const int sent = sendmmsg(line, all, (unsigned)(left < most ? left : most), 0);
        if (sent < 0)
            return;
        left -= (uint64_t)sent;
    }
}

int main(int count, char** words) {
    static unsigned char buffer[sizeof(struct virtio_net_hdr) + 70000];
    unsigned char* const frame = buffer + sizeof(struct virtio_net_hdr);
    // A bridge's interface shows its frames to sockets for all types only.
    const int line = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sock_filter asks[] = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88b7, 0, 1), BPF_STMT(BPF_RET | BPF_K, 4096),
                                 BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog asks_only = {sizeof asks / sizeof *asks, asks};
    if (count > 1 && strcmp(words[1], "source") == 0)
        setsockopt(line, SOL_SOCKET, SO_ATTACH_FILTER, &asks_only, sizeof asks_only);
    const int yes = 1, room = 16 << 20;
    if (line < 0 || setsockopt(line, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) != 0 ||
        setsockopt(line, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0) {
        perror("lab-frames");
        return 1;
    }
    uint64_t frames = 0, bytes = 0;
    for (;;) {
        struct sockaddr_ll from;
        socklen_t from_size = sizeof from;
        const ssize_t got = recvfrom(line, buffer, sizeof buffer, 0, (struct sockaddr*)&from, &from_size);
        const ssize_t size = got - (ssize_t)sizeof(struct virtio_net_hdr);
        char name[IF_NAMESIZE] = "";
        if (size < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING || memcmp(frame, own, 6) != 0)
            continue;
        if (if_indextoname((unsigned)from.sll_ifindex, name) == NULL || strncmp(name, "vif", 3) != 0)
            continue;
        struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = from.sll_ifindex, .sll_halen = 6};
        memcpy(to.sll_addr, frame + 6, 6);
        if (frame[12] == 0x88 && frame[13] == 0xb7) {
            if (size >= ETH_HLEN + 16 + ETH_HLEN)
                send_many(line, &to, frame + ETH_HLEN, (size_t)size - ETH_HLEN);
            continue;
        }
        memcpy(frame, frame + 6, 6);
        memcpy(frame + 6, own, 6);
        if (frame[12] == 0x88 && frame[13] == 0xb6 && size >= ETH_HLEN + 16) {
            put(frame + ETH_HLEN, frames);
            put(frame + ETH_HLEN + 8, bytes);
            frames = bytes = 0;
        } else {
            ++frames;
            bytes += (uint64_t)size;
        }
        sendto(line, buffer, (size_t)got, 0, (struct sockaddr*)&to, sizeof to);
    }
}
