/* SPDX-License-Identifier: BSD-3-Clause */
/* What each server of bench/tcp.py serves, and its client asks for. */
#ifndef TCP_SERVICES_H
#define TCP_SERVICES_H

enum {
    ECHO = 7,
    DISCARD = 9,
    SOURCE = 19,  /* sends without an end */
    REQUEST = 80, /* sends a message back, and closes */

    MESSAGE = 64,
    BULK = 1 << 18,
    MOST_CONNECTIONS = 256,
};
#define IS_CONNECTION 0x80000000ULL

#endif
