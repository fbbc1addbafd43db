// SPDX-License-Identifier: BSD-3-Clause
// What nic.cpp does, in a Linux guest: frames go out by a packet socket, 32 a system call, or from pktgen in the
// kernel, which has one frame's memory for all of them and looks for room in the ring without a pause; recvmmsg(2) on
// a UDP socket receives; joined segments go out by a packet socket.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static unsigned char own[6];
static const unsigned char peer[6] = {2, 0, 0, 0, 0x88, 0xb5};
static int line;
static int interface;

static void need(int good, const char* what) {
    if (good)
        return;
    perror(what);
    printf("error\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
}

static void load_module(const char* path) { need(syscall(SYS_finit_module, open(path, O_RDONLY), "", 0) == 0, path); }

static void say(const char* text) {
    printf("%s\n", text);
    fflush(stdout);
    usleep(300000);
}

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void put(unsigned char* at, uint64_t value, int size) {
    for (; size-- != 0; value >>= 8)
        at[size] = (unsigned char)value;
}

static void make_headers(unsigned char* frame, unsigned type, size_t size, unsigned protocol, uint32_t from,
                         uint32_t to) {
    put(frame + 12, type, 2);
    if (type != 0x0800)
        return;
    put(frame + 14, 0x4500, 2);
    put(frame + 16, size - 14, 2);
    put(frame + 22, 0x4000 | protocol, 2);
    put(frame + 26, from, 4);
    put(frame + 30, to, 4);
    uint32_t sum = 0;
    for (int i = 14; i < 34; i += 2)
        sum += (uint32_t)frame[i] << 8 | frame[i + 1];
    sum = (sum & 0xffff) + (sum >> 16);
    put(frame + 24, ~(sum + (sum >> 16)) & 0xffff, 2);
}

static struct sockaddr_ll to_peer(void) {
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = interface, .sll_halen = 6};
    memcpy(to.sll_addr, peer, 6);
    return to;
}

static void tell(const char* file, const char* text) {
    char path[64];
    snprintf(path, sizeof path, "/proc/net/pktgen/%s", file);
    const int there = open(path, O_WRONLY);
    need(there >= 0 && write(there, text, strlen(text)) == (ssize_t)strlen(text), text);
    close(there);
}

static void generate(size_t size, long count) {
    char text[64];
    tell("kpktgend_0", "rem_device_all\n");
    tell("kpktgend_0", "add_device eth0\n");
    tell("eth0", "clone_skb 100000\n");
    tell("eth0", "delay 0\n");
    tell("eth0", "dst_mac 02:00:00:00:88:b5\n");
    tell("eth0", "dst 10.0.0.1\n");
    snprintf(text, sizeof text, "pkt_size %zu\n", size);
    tell("eth0", text);
    snprintf(text, sizeof text, "count %ld\n", count);
    tell("eth0", text);
    tell("pgctrl", "start\n");
}

static void send_plain(size_t size, long count) {
    enum { batch = 32 };
    static unsigned char frame[sizeof(struct virtio_net_hdr) + 2048];
    unsigned char* const start = frame + sizeof(struct virtio_net_hdr);
    memcpy(start, peer, 6);
    memcpy(start + 6, own, 6);
    make_headers(start, 0x88b5, size, 0, 0, 0);
    struct sockaddr_ll to = to_peer();
    struct iovec data = {frame, sizeof(struct virtio_net_hdr) + size};
    struct mmsghdr all[batch];
    for (int i = 0; i != batch; ++i)
        all[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &data, .msg_iovlen = 1};
    while (count > 0) {
        const int sent = sendmmsg(line, all, (unsigned)(count < batch ? count : batch), 0);
        need(sent > 0, "sendmmsg");
        count -= sent;
    }
}

static void send_joined(size_t size, long count) {
    static unsigned char frame[65536];
    struct virtio_net_hdr about = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                   .hdr_len = 54,
                                   .gso_size = 1446,
                                   .csum_start = 34,
                                   .csum_offset = 16};
    memset(frame, 7, sizeof frame);
    memset(frame, 0, 60);
    memcpy(frame, peer, 6);
    memcpy(frame + 6, own, 6);
    make_headers(frame, 0x0800, size, 6, 0x0a000002, 0x0a000001);
    put(frame + 46, 0x5010, 2);
    struct sockaddr_ll to = to_peer();
    struct iovec parts[2] = {{&about, sizeof about}, {frame, size}};
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = parts, .msg_iovlen = 2};
    for (; count != 0; --count)
        need(sendmsg(line, &message, 0) > 0, "sendmsg");
}

static void receive(size_t size, long count) {
    enum { batch = 32 };
    static unsigned char data[batch][2048];
    struct mmsghdr all[batch];
    struct iovec places[batch];
    const int room = 64 << 20;
    const int in = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(9000), .sin_addr = {htonl(0x0a000002)}};
    struct timeval patience = {2, 0};
    need(bind(in, (struct sockaddr*)&at, sizeof at) == 0, "bind");
    setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

    unsigned char request[sizeof(struct virtio_net_hdr) + 14 + 16 + 60] = {0};
    unsigned char* const ask = request + sizeof(struct virtio_net_hdr);
    unsigned char* const frame = ask + 30;
    memcpy(ask, peer, 6);
    memcpy(ask + 6, own, 6);
    put(ask + 12, 0x88b7, 2);
    put(ask + 14, (uint64_t)count, 8);
    put(ask + 22, size, 8);
    memcpy(frame, own, 6);
    memcpy(frame + 6, peer, 6);
    make_headers(frame, 0x0800, size, 17, 0x0a000001, 0x0a000002);
    put(frame + 34, 9001, 2);
    put(frame + 36, 9000, 2);
    put(frame + 38, size - 34, 2);
    struct sockaddr_ll to = to_peer();
    need(sendto(line, request, sizeof request, 0, (struct sockaddr*)&to, sizeof to) > 0, "sendto");

    for (int i = 0; i != batch; ++i) {
        places[i] = (struct iovec){data[i], sizeof data[i]};
        all[i].msg_hdr = (struct msghdr){.msg_iov = &places[i], .msg_iovlen = 1};
    }
    for (long left = count; left > 0;) {
        const int got = recvmmsg(in, all, batch, MSG_WAITFORONE, NULL);
        need(got > 0, "recvmmsg");
        left -= got;
    }
    close(in);
}

static void run(const char* what, size_t size, long count) {
    if (strcmp(what, "receive") == 0)
        receive(size, count);
    else if (strcmp(what, "joined") == 0)
        send_joined(size, count);
    else if (strcmp(what, "generate") == 0)
        generate(size, count);
    else
        send_plain(size, count);
}

static void open_interface(void) {
    const int any = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq name = {.ifr_name = "eth0"};
    struct sockaddr_in* const address = (struct sockaddr_in*)&name.ifr_addr;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(0x0a000002)}};
    int tries = 0;
    while (ioctl(any, SIOCSIFADDR, &name) != 0 && ++tries < 500)
        usleep(10000);
    name.ifr_flags = IFF_UP | IFF_RUNNING;
    need(ioctl(any, SIOCSIFFLAGS, &name) == 0, "SIOCSIFFLAGS");
    for (tries = 0; tries < 500; ++tries, usleep(10000))
        if (ioctl(any, SIOCGIFFLAGS, &name) == 0 && (name.ifr_flags & IFF_RUNNING) != 0)
            break;
    need(ioctl(any, SIOCGIFHWADDR, &name) == 0, "SIOCGIFHWADDR");
    memcpy(own, name.ifr_hwaddr.sa_data, 6);
    interface = (int)if_nametoindex("eth0");
    const int yes = 1;
    line = socket(AF_PACKET, SOCK_RAW, 0);
    need(setsockopt(line, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) == 0, "PACKET_VNET_HDR");
}

int main(int count, char** words) {
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, 0);
    load_module("/xen-netfront.ko");
    load_module("/pktgen.ko");
    open_interface();
    for (int i = 1; i < count; ++i) {
        char what[16], text[200];
        size_t size;
        long frames;
        if (sscanf(words[i], "%15[^:]:%zu:%ld", what, &size, &frames) != 3)
            continue;
        run(what, size, 128);
        say("begin");
        const long long begin = now();
        run(what, size, frames);
        snprintf(text, sizeof text, "%s %lld ns", words[i], now() - begin);
        say(text);
    }
    reboot(RB_POWER_OFF);
}
