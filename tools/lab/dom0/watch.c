// SPDX-License-Identifier: BSD-3-Clause
//
// Runs in dom0, once for each guest: unpauses the domain, carries its console
// both ways, and says how and when it ended.
//
//   watch DOMID LOGFILE [--asked | --times]
//   watch DOMID --cpu-time       only prints the CPU time it has used, in nanoseconds
//
// Out, one event a line:
//   s TSC               unpaused at this time stamp
//   f TSC NANOSECONDS   first console output seen, and the domain's CPU time then
//   o LENGTH            console output; LENGTH bytes follow
//   t NANOSECONDS       with --times, after each output: the domain's CPU time
//   c RIP RSP           with --asked: it crashed, or its watchdog ended it, with
//                       these registers; waits for requests of its memory, until
//                       one is empty
//   m LENGTH            memory that was asked for, up to the first byte that is
//                       not mapped; LENGTH bytes follow
//   e REASON NANOSECONDS  it shut down (Xen's number), with the CPU time it used
//   g                   it is gone: something else destroyed it
// In:
//   i LENGTH            LENGTH bytes follow, to be typed at the guest's console
//   r ADDRESS LENGTH    asks for memory of a crashed guest; LENGTH 0 is the last request
//   n                   raises a non-maskable interrupt, as `xl trigger` does
//   q, or the end of the input: enough, exit
//
// Output is read from xenconsoled's log, which holds every byte from the first
// instruction on; a terminal would have to be attached in time.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenstore.h>
#include <xen/io/console.h>

// How soon a domain's end is seen. A XenStore watch would tell at once, but
// libxenstore's thread for it does not run in a static program.
static const int look_again_ms = 50;

static xc_interface *xc;
static struct xs_handle *store;
static xenforeignmemory_handle *memory;
static uint32_t domain;
static int log_file = -1;
static off_t log_offset;
static bool seen_output;
static bool with_times;
static int terminal = -1;
static char *typed;
static size_t typed_size;

static void fail(const char *what)
{
    fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t done = write(STDOUT_FILENO, at, size);
        if (done < 0 && errno != EINTR)
            exit(1);
        if (done > 0) {
            at += done;
            size -= done;
        }
    }
}

static void send_line(const char *format, ...)
{
    char line[128];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    send_all(line, size);
}

static bool domain_info(xc_dominfo_t *info)
{
    return xc_domain_getinfo(xc, domain, 1, info) == 1 && info->domid == domain;
}

// The log may grow for as long as the guest lives, in dom0's memory: what was
// sent is punched out of the file.
static void send_output(void)
{
    static char buffer[65536];
    for (;;) {
        ssize_t size = pread(log_file, buffer, sizeof buffer, log_offset);
        if (size <= 0)
            return;
        if (!seen_output) {
            uint64_t now = __rdtsc();
            xc_dominfo_t info;
            if (domain_info(&info))
                send_line("f %" PRIu64 " %" PRIu64 "\n", now, info.cpu_time);
            seen_output = true;
        }
        send_line("o %zd\n", size);
        send_all(buffer, size);
        log_offset += size;
        xc_dominfo_t now;
        if (with_times && domain_info(&now))
            send_line("t %" PRIu64 "\n", now.cpu_time);
        fallocate(log_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, log_offset);
    }
}

static char *domain_node(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/local/domain/%u/%s", domain, name);
    return xs_read(store, XBT_NULL, path, NULL);
}

// Whether xenconsoled has taken everything out of the console ring.
static bool ring_is_drained(void)
{
    char *reference = domain_node("console/ring-ref");
    if (reference == NULL)
        return true;
    xen_pfn_t frame = strtoul(reference, NULL, 10);
    free(reference);
    struct xencons_interface *ring =
        xenforeignmemory_map(memory, domain, PROT_READ, 1, &frame, NULL);
    if (ring == NULL)
        return true;
    bool drained = ring->out_cons == ring->out_prod;
    xenforeignmemory_unmap(memory, ring, 1);
    return drained;
}

// One page of the guest at a time, as the crashed vCPU's page tables map it.
static char *map_guest(uint64_t address)
{
    xen_pfn_t frame = xc_translate_foreign_address(xc, domain, 0, address);
    return frame == 0 ? NULL : xenforeignmemory_map(memory, domain, PROT_READ, 1, &frame, NULL);
}

static void send_memory(uint64_t address, uint64_t size)
{
    static char data[1 << 20];
    uint64_t taken = 0;
    if (size > sizeof data)
        size = sizeof data;
    while (taken < size) {
        uint64_t offset = (address + taken) & (XC_PAGE_SIZE - 1);
        uint64_t here = XC_PAGE_SIZE - offset;
        if (here > size - taken)
            here = size - taken;
        char *page = map_guest(address + taken);
        if (page == NULL)
            break;
        memcpy(data + taken, page + offset, here);
        xenforeignmemory_unmap(memory, page, 1);
        taken += here;
    }
    send_line("m %" PRIu64 "\n", taken);
    send_all(data, taken);
}

// The terminal appears when xenconsoled has met the domain, and stays open: when
// its last user closes it, xenconsoled drops what was typed and makes another.
static bool open_terminal(void)
{
    if (terminal >= 0)
        return true;
    char *name = domain_node("console/tty");
    if (name == NULL)
        return false;
    terminal = open(name, O_WRONLY | O_NOCTTY);
    free(name);
    return terminal >= 0;
}

// Types what waits to be typed, as far as the terminal is there to take it.
static void type_pending(void)
{
    while (typed_size > 0 && open_terminal()) {
        ssize_t done = write(terminal, typed, typed_size);
        if (done <= 0)
            return;
        typed_size -= done;
        memmove(typed, typed + done, typed_size);
    }
}

static void read_exactly(char *into, size_t size)
{
    while (size > 0) {
        ssize_t done = read(STDIN_FILENO, into, size);
        if (done <= 0)
            exit(0);
        into += done;
        size -= done;
    }
}

static void read_line(char *line, size_t room)
{
    size_t size = 0;
    do
        read_exactly(line + size, 1);
    while (line[size++] != '\n' && size < room - 1);
    line[size] = '\0';
}

static void obey_one_line(void)
{
    char line[64];
    read_line(line, sizeof line);
    size_t length;
    if (line[0] == 'q')
        exit(0);
    if (line[0] == 'n')
        xc_domain_send_trigger(xc, domain, XEN_DOMCTL_SENDTRIGGER_NMI, 0);
    if (sscanf(line, "i %zu", &length) == 1) {
        typed = realloc(typed, typed_size + length);
        if (typed == NULL)
            fail("out of memory");
        read_exactly(typed + typed_size, length);
        typed_size += length;
    }
}

// Input that was typed at a guest that has crashed goes nowhere.
static void answer_requests(void)
{
    vcpu_guest_context_any_t context;
    if (xc_vcpu_getcontext(xc, domain, 0, &context) != 0)
        return;
    send_line("c %" PRIu64 " %" PRIu64 "\n", context.x64.user_regs.rip, context.x64.user_regs.rsp);
    for (;;) {
        char line[64];
        read_line(line, sizeof line);
        uint64_t address, size, length;
        if (line[0] == 'q')
            exit(0);
        if (sscanf(line, "i %" SCNu64, &length) == 1) {
            char typed_late;
            for (; length > 0; --length)
                read_exactly(&typed_late, 1);
        } else if (sscanf(line, "r %" SCNu64 " %" SCNu64, &address, &size) == 2) {
            if (size == 0)
                return;
            send_memory(address, size);
        }
    }
}

static bool ended(bool asked)
{
    xc_dominfo_t info;
    if (!domain_info(&info)) {
        send_output();
        send_line("g\n");
        return true;
    }
    // libxenctrl counts a crash as something other than a shutdown.
    if (!info.shutdown && !info.crashed)
        return false;
    // xenconsoled copies the ring's last bytes when it next runs, and writes
    // the log just after: wait for the ring (at most 5 s), then for the log.
    for (int tries = 0; tries < 500 && !ring_is_drained(); ++tries)
        usleep(10000);
    for (int still = 0; still < 3; ++still) {
        off_t before = log_offset;
        usleep(10000);
        send_output();
        if (log_offset != before)
            still = 0;
    }
    if (asked && (info.shutdown_reason == SHUTDOWN_crash || info.shutdown_reason == SHUTDOWN_watchdog))
        answer_requests();
    send_line("e %u %" PRIu64 "\n", info.shutdown_reason, info.cpu_time);
    return true;
}

int main(int count, char **words)
{
    if (count < 3) {
        fprintf(stderr, "usage: watch DOMID LOGFILE [--asked | --times]\n");
        return 2;
    }
    domain = strtoul(words[1], NULL, 10);
    xc = xc_interface_open(NULL, NULL, 0);
    store = xs_open(0);
    memory = xenforeignmemory_open(NULL, 0);
    if (xc == NULL || store == NULL || memory == NULL)
        fail("cannot reach Xen or XenStore");
    if (strcmp(words[2], "--cpu-time") == 0) {
        xc_dominfo_t info;
        if (!domain_info(&info))
            fail("no such domain");
        send_line("%" PRIu64 "\n", info.cpu_time);
        return 0;
    }
    bool asked = count > 3 && strcmp(words[3], "--asked") == 0;
    with_times = count > 3 && strcmp(words[3], "--times") == 0;
    log_file = open(words[2], O_RDWR | O_CREAT, 0644);
    int changes = inotify_init1(IN_NONBLOCK);
    if (log_file < 0 || changes < 0 || inotify_add_watch(changes, words[2], IN_MODIFY) < 0)
        fail(words[2]);

    uint64_t begin = __rdtsc();
    if (xc_domain_unpause(xc, domain) != 0)
        fail("cannot unpause the domain");
    send_line("s %" PRIu64 "\n", begin);

    struct pollfd waits[] = {
        {.fd = changes, .events = POLLIN},
        {.fd = STDIN_FILENO, .events = POLLIN},
    };
    for (;;) {
        send_output();
        if (ended(asked))
            return 0;
        type_pending();
        if (poll(waits, 2, look_again_ms) < 0 && errno != EINTR)
            fail("poll");
        if (waits[0].revents) {
            char events[4096];
            while (read(changes, events, sizeof events) > 0)
                ;
        }
        if (waits[1].revents)
            obey_one_line();
    }
}
