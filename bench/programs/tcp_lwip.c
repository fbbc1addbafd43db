/* SPDX-License-Identifier: BSD-3-Clause */
/* The server of bench/tcp.py over lwIP as Debian builds it, by its raw interface: nothing runs between a frame and the
 * callback that it belongs to. lwIP's own driver hands each frame to another thread; this one gives it to lwIP in the
 * thread that has read it, which is faster, and reads until there are no more.
 *
 *   tcp_lwip TAP ADDRESS NETMASK */
#include "tcp_services.h"

#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

static int tap;
static char data[BULK];

static err_t output(struct netif* of, struct pbuf* frame) {
    struct iovec pieces[16];
    int count = 0;
    (void)of;
    for (struct pbuf* at = frame; at != NULL && count != 16; at = at->next)
        pieces[count++] = (struct iovec){at->payload, at->len};
    return writev(tap, pieces, count) < 0 ? ERR_IF : ERR_OK;
}

static err_t begin(struct netif* one) {
    one->name[0] = 't';
    one->name[1] = 'p';
    one->mtu = 1500;
    one->hwaddr_len = 6;
    memcpy(one->hwaddr, "\x02\0\0\0\0\x08", 6);
    one->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    one->output = etharp_output;
    one->linkoutput = output;
    return ERR_OK;
}

static void end(struct tcp_pcb* one) {
    tcp_recv(one, NULL);
    tcp_sent(one, NULL);
    if (tcp_close(one) != ERR_OK)
        tcp_abort(one);
}

/* ECHO and REQUEST. */
static err_t answer(void* service, struct tcp_pcb* one, struct pbuf* got, err_t error) {
    (void)error;
    if (got == NULL) {
        end(one);
        return ERR_OK;
    }
    for (struct pbuf* at = got; at != NULL; at = at->next)
        tcp_write(one, at->payload, at->len, TCP_WRITE_FLAG_COPY);
    tcp_recved(one, got->tot_len);
    pbuf_free(got);
    if ((intptr_t)service == REQUEST)
        end(one);
    else
        tcp_output(one);
    return ERR_OK;
}

static err_t discard(void* service, struct tcp_pcb* one, struct pbuf* got, err_t error) {
    (void)service, (void)error;
    if (got == NULL) {
        end(one);
        return ERR_OK;
    }
    tcp_recved(one, got->tot_len);
    pbuf_free(got);
    return ERR_OK;
}

/* By reference: nothing is copied here. */
static err_t fill(void* service, struct tcp_pcb* one, u16_t acknowledged) {
    (void)service, (void)acknowledged;
    for (;;) {
        const u16_t room = tcp_sndbuf(one) / TCP_MSS * TCP_MSS;
        if (room == 0 || tcp_write(one, data, room, 0) != ERR_OK)
            break;
    }
    tcp_output(one);
    return ERR_OK;
}

static err_t come(void* service, struct tcp_pcb* one, err_t error) {
    if (error != ERR_OK || one == NULL)
        return ERR_VAL;
    tcp_nagle_disable(one);
    tcp_arg(one, service);
    switch ((intptr_t)service) {
    case DISCARD: tcp_recv(one, discard); break;
    case SOURCE:
        tcp_recv(one, discard);
        tcp_sent(one, fill);
        return fill(service, one, 0);
    default: tcp_recv(one, answer); break;
    }
    return ERR_OK;
}

static void serve(intptr_t port) {
    struct tcp_pcb* one = tcp_new();
    if (one == NULL || tcp_bind(one, IP_ANY_TYPE, (u16_t)port) != ERR_OK ||
        (one = tcp_listen_with_backlog(one, 255)) == NULL) {
        fprintf(stderr, "tcp_lwip: cannot listen\n");
        exit(1);
    }
    tcp_arg(one, (void*)port);
    tcp_accept(one, come);
}

int main(int count, char** words) {
    static struct netif own;
    static char frame[2048];
    ip4_addr_t address, mask, gateway = {0};
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (count != 4)
        return 2;
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    strncpy(request.ifr_name, words[1], IFNAMSIZ - 1);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) {
        perror("tcp_lwip: open the TAP device");
        return 1;
    }
    ip4addr_aton(words[2], &address);
    ip4addr_aton(words[3], &mask);
    tcpip_init(NULL, NULL);
    LOCK_TCPIP_CORE();
    netif_add(&own, &address, &mask, &gateway, NULL, begin, ethernet_input);
    netif_set_default(&own);
    netif_set_up(&own);
    serve(ECHO);
    serve(DISCARD);
    serve(SOURCE);
    serve(REQUEST);
    UNLOCK_TCPIP_CORE();
    printf("serves, lwIP %s, MSS %d, window %d << %d, send buffer %d, queue %d\n", LWIP_VERSION_STRING, TCP_MSS,
           TCP_WND, TCP_RCV_SCALE, TCP_SND_BUF, TCP_SND_QUEUELEN);
    fflush(stdout);
    for (;;) {
        struct pollfd ready = {.fd = tap, .events = POLLIN};
        poll(&ready, 1, -1);
        LOCK_TCPIP_CORE();
        for (ssize_t size; (size = read(tap, frame, sizeof frame)) > 0;) {
            /* Of the pool they are too small for a frame, and nobody notices. */
            struct pbuf* in = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);
            if (in == NULL)
                continue;
            pbuf_take(in, frame, (u16_t)size);
            if (own.input(in, &own) != ERR_OK)
                pbuf_free(in);
        }
        UNLOCK_TCPIP_CORE();
    }
}
