// SPDX-License-Identifier: BSD-3-Clause
// The other end of guests' network tests, in dom0: sends back each frame that comes from a guest's interface for the
// address 02:00:00:00:88:b5, with both addresses exchanged and all that is said of its checksum and its segments.
// A frame of type 88b6 asks how many there were, and of how many bytes, since it was last asked; both are 8 bytes, the
// most significant one first. [linux: packet(7), PACKET_VNET_HDR]

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const unsigned char own[6] = {2, 0, 0, 0, 0x88, 0xb5};

static void put(unsigned char *at, uint64_t value) {
    for (int i = 8; i-- != 0; value >>= 8)
        at[i] = (unsigned char)value;
}

int main(void) {
    static unsigned char buffer[sizeof(struct virtio_net_hdr) + 70000];
    unsigned char *const frame = buffer + sizeof(struct virtio_net_hdr);
    const int line = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
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
        const ssize_t got = recvfrom(line, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &from_size);
        const ssize_t size = got - (ssize_t)sizeof(struct virtio_net_hdr);
        char name[IF_NAMESIZE] = "";
        if (size < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING || memcmp(frame, own, 6) != 0)
            continue;
        if (if_indextoname((unsigned)from.sll_ifindex, name) == NULL || strncmp(name, "vif", 3) != 0)
            continue;
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
        struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = from.sll_ifindex, .sll_halen = 6};
        memcpy(to.sll_addr, frame, 6);
        sendto(line, buffer, (size_t)got, 0, (struct sockaddr *)&to, sizeof to);
    }
}
