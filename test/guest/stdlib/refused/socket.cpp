// SPDX-License-Identifier: BSD-3-Clause
// feature: sockets: `socket`, `connect`, `accept`, `getaddrinfo`
// status: fails to link
// detail: accept, connect, getaddrinfo, socket
#include <netdb.h>
#include <sys/socket.h>

int halvm_main() {
    addrinfo* found = nullptr;
    const int error = getaddrinfo("localhost", "http", nullptr, &found);
    const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    return error + connect(descriptor, found->ai_addr, found->ai_addrlen) + accept(descriptor, nullptr, nullptr);
}
