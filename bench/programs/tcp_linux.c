// SPDX-License-Identifier: BSD-3-Clause
// Linux's own sockets, at either end of bench/tcp.py: the client of all servers there, and the server that the kernel's
// own stack is measured by.
//
//   tcp_linux serve
//   tcp_linux echo|request|send|receive ADDRESS CONNECTIONS SECONDS
//
// The client says: operations or bytes, nanoseconds, nanoseconds of processor time. The services are at the ports of
// tcp_services.h.
#define _GNU_SOURCE
#include "tcp_services.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char room[BULK];

static void fail(const char* attempted) {
    fprintf(stderr, "tcp_linux: %s: %s\n", attempted, strerror(errno));
    exit(1);
}

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void watch(int in, int what, uint32_t events, uint64_t as) {
    struct epoll_event wanted = {.events = events, .data.u64 = as};
    if (epoll_ctl(in, EPOLL_CTL_ADD, what, &wanted) != 0)
        fail("watch a socket");
}

static void no_delay(int one) {
    const int yes = 1;
    setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

// --- the server

static int listen_at(uint16_t port) {
    const int one = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int yes = 1;
    setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (bind(one, (const struct sockaddr*)&at, sizeof at) != 0 || listen(one, 1024) != 0)
        fail("listen");
    return one;
}

/// What a connection's service does when its socket is ready. False when it is to be closed.
static bool serve_one(uint16_t service, int one) {
    if (service == SOURCE)
        return send(one, room, sizeof room, MSG_NOSIGNAL) > 0 || errno == EAGAIN;
    const ssize_t got = recv(one, room, sizeof room, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    if (service == DISCARD)
        return true;
    return send(one, room, (size_t)got, MSG_NOSIGNAL) == got && service == ECHO;
}

static void serve(void) {
    static const uint16_t services[] = {ECHO, DISCARD, SOURCE, REQUEST};
    const int all = epoll_create1(0);
    for (size_t i = 0; i != sizeof services / sizeof *services; ++i) {
        const int one = listen_at(services[i]);
        watch(all, one, EPOLLIN, (uint64_t)services[i] << 32 | (uint64_t)one);
    }
    puts("serves");
    fflush(stdout);
    for (;;) {
        struct epoll_event ready[64];
        const int count = epoll_wait(all, ready, 64, -1);
        for (int i = 0; i < count; ++i) {
            const uint16_t service = (uint16_t)(ready[i].data.u64 >> 32);
            const int one = (int)(ready[i].data.u64 & 0x7fffffff);
            if (!(ready[i].data.u64 & IS_CONNECTION)) {
                const int made = accept4(one, NULL, NULL, SOCK_NONBLOCK);
                if (made < 0)
                    continue;
                no_delay(made);
                watch(all, made, service == SOURCE ? EPOLLOUT : EPOLLIN,
                      (uint64_t)service << 32 | IS_CONNECTION | (uint64_t)made);
            } else if (!serve_one(service, one)) {
                close(one);
            }
        }
    }
}

// --- the client

static struct sockaddr_in server;

static void start(int one, uint16_t port) {
    server.sin_port = htons(port);
    no_delay(one);
    if (connect(one, (const struct sockaddr*)&server, sizeof server) != 0 && errno != EINPROGRESS)
        fail("connect");
}

static int connect_to(uint16_t port) {
    const int one = socket(AF_INET, SOCK_STREAM, 0);
    const struct timeval patience = {.tv_sec = 2};
    setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(one, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    start(one, port);
    return one;
}

/// Each sends a message, waits until it is back, and sends the next.
static uint64_t echo(unsigned connections, int64_t until) {
    const int all = epoll_create1(0);
    unsigned missing[MOST_CONNECTIONS] = {0};
    int sockets[MOST_CONNECTIONS];
    for (unsigned i = 0; i < connections; ++i) {
        sockets[i] = connect_to(ECHO);
        watch(all, sockets[i], EPOLLIN, i);
    }
    for (unsigned i = 0; i < connections; ++i) {
        if (send(sockets[i], room, MESSAGE, 0) != MESSAGE)
            fail("send");
        missing[i] = MESSAGE;
    }
    uint64_t done = 0;
    while (now(CLOCK_MONOTONIC) < until) {
        struct epoll_event ready[MOST_CONNECTIONS];
        const int count = epoll_wait(all, ready, MOST_CONNECTIONS, 1000);
        if (count == 0)
            fail("wait for an echo: a second has passed");
        for (int i = 0; i < count; ++i) {
            const unsigned one = (unsigned)ready[i].data.u64;
            const ssize_t got = recv(sockets[one], room, MESSAGE, 0);
            if (got <= 0 || (size_t)got > missing[one])
                fail("receive an echo");
            missing[one] -= (unsigned)got;
            if (missing[one] != 0)
                continue;
            ++done;
            missing[one] = MESSAGE;
            if (send(sockets[one], room, MESSAGE, 0) != MESSAGE)
                fail("send");
        }
    }
    return done;
}

/// Each from another port than all before it: lwIP does not let one be used again for minutes.
static int next_request(void) {
    static uint16_t port = 10000;
    const int one = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in own = {.sin_family = AF_INET};
    do
        own.sin_port = htons(++port);
    while (bind(one, (const struct sockaddr*)&own, sizeof own) != 0 && errno == EADDRINUSE);
    start(one, REQUEST);
    return one;
}

/// A connection each: a message, its echo, and the server's end.
static uint64_t request(unsigned connections, int64_t until) {
    uint64_t done = 0;
    const int all = epoll_create1(0);
    for (unsigned i = 0; i < connections; ++i) {
        const int one = next_request();
        watch(all, one, EPOLLOUT, (uint64_t)one);
    }
    while (now(CLOCK_MONOTONIC) < until) {
        struct epoll_event ready[MOST_CONNECTIONS];
        const int count = epoll_wait(all, ready, MOST_CONNECTIONS, 1000);
        if (count == 0)
            fail("wait for a response: a second has passed");
        for (int i = 0; i < count; ++i) {
            const int one = (int)ready[i].data.u64;
            if (ready[i].events & EPOLLOUT) {
                struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = (uint64_t)one};
                if (send(one, room, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
                    fail("send a request");
                epoll_ctl(all, EPOLL_CTL_MOD, one, &wanted);
                continue;
            }
            const ssize_t got = recv(one, room, sizeof room, 0);
            if (got < 0)
                fail("receive a response");
            if (got > 0)
                continue;
            close(one);
            ++done;
            const int next = next_request();
            watch(all, next, EPOLLOUT, (uint64_t)next);
        }
    }
    return done;
}

static uint64_t bulk(bool sends, int64_t until) {
    const int one = connect_to(sends ? DISCARD : SOURCE);
    uint64_t done = 0;
    while (now(CLOCK_MONOTONIC) < until) {
        const ssize_t size = sends ? send(one, room, sizeof room, 0) : recv(one, room, sizeof room, 0);
        if (size <= 0)
            fail(sends ? "send" : "receive");
        done += (uint64_t)size;
    }
    return done;
}

int main(int count, char** words) {
    if (count == 2 && strcmp(words[1], "serve") == 0)
        serve();
    if (count != 5)
        return 2;
    server.sin_family = AF_INET;
    inet_pton(AF_INET, words[2], &server.sin_addr);
    const unsigned connections = (unsigned)atoi(words[3]);
    const int64_t begin = now(CLOCK_MONOTONIC);
    const int64_t until = begin + (int64_t)(atof(words[4]) * 1e9);
    const char* const what = words[1];
    const uint64_t done = strcmp(what, "echo") == 0      ? echo(connections, until)
                          : strcmp(what, "request") == 0 ? request(connections, until)
                                                         : bulk(strcmp(what, "send") == 0, until);
    printf("%llu %lld %lld\n", (unsigned long long)done, (long long)(now(CLOCK_MONOTONIC) - begin),
           (long long)now(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}
