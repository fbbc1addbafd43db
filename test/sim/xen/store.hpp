// SPDX-License-Identifier: BSD-3-Clause
// A XenStore daemon in the simulation: the tree with its permissions, watches, transactions and quotas, as dom0's
// xenstored keeps them, for domains that reach it by ring and event channel. [docs: misc/xenstore.txt]
//
// It can misbehave: answer late, in another order, byte by byte, not at all, or with something else.
#pragma once

#include "event_world.hpp"

#include <halvm/xen/xenstore_values.hpp>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace halvm::sim {

/// One node, and all below it.
struct store_node {
    std::string value;
    std::vector<xen::permission> permissions;
    std::map<std::string, store_node, std::less<>> children;
    std::uint64_t generation = 0;  ///< of its value, permissions and names of children
};

class store_daemon {
public:
    /// Lives in dom0's world.
    explicit store_daemon(event_world& dom0);
    ~store_daemon();

    /// What the toolstack does for a new domain: its ring and channel, its place in the tree, and its domid there.
    void introduce(event_world& guest);
    /// The connection of a domain that was introduced is not served any more, as when the daemon has died.
    void abandon(const event_world& guest);

    // What dom0's own programs do, at once.
    void write(std::string_view path, std::string_view value);
    void remove(std::string_view path);
    [[nodiscard]] std::optional<std::string> read(std::string_view path) const;
    void set_permissions(std::string_view path, std::vector<xen::permission> permissions);
    /// The tree as "path=value" lines below a path, in order.
    [[nodiscard]] std::vector<std::string> listing(std::string_view path) const;

    // Quotas of domains other than dom0; what is beyond is ENOSPC, or E2BIG for a value.
    std::size_t most_nodes = 1000;
    std::size_t most_value = 2048;
    std::size_t most_watches = 128;
    std::size_t most_transactions = 10;
    bool listings_in_parts = true;

    // Faults.
    std::function<fiber::instant()> delay;  ///< before each answer; answers may overtake each other
    std::size_t chunk = 0;                  ///< bytes that are written at a time, with time between; 0 is all that fit
    bool stalled = false;                   ///< takes no requests
    bool silent = false;                    ///< takes requests, and answers none
    unsigned conflicts = 0;                 ///< so many of the next commits fail with EAGAIN
    /// Called with each message, its header first, before it goes out; may change it at will.
    std::function<void(std::string& message)> forge;
    /// The name of an error that is answered instead of doing what was asked; empty does it.
    std::function<std::string(std::uint32_t type, std::string_view path)> refuse;

    // What has happened.
    std::uint64_t requests = 0;
    std::uint64_t notifications_received = 0;
    [[nodiscard]] std::size_t open_transactions(xen::domid who) const;
    [[nodiscard]] std::size_t watches(xen::domid who) const;
    /// A message of the daemon's own, to a domain.
    void send(xen::domid to, std::string message);
    /// Looks again at a domain's ring, after a fault is over.
    void go_on(xen::domid with);
    /// The ring of a domain, as the daemon sees it.
    [[nodiscard]] xenstore_domain_interface& ring_of(xen::domid who);

    static std::string message(std::uint32_t type, std::uint32_t id, std::string_view text,
                               std::uint32_t transaction = 0);

private:
    struct watch_entry {
        std::string path;  // absolute
        std::string token;
        bool relative;
    };
    struct change {
        std::string path;
        bool recursive;  // everything below it has gone too
    };
    /// Works on a copy of the tree. What it wrote is written again, to the tree, when nobody changed what it used.
    struct running_transaction {
        store_node tree;
        std::map<std::string, std::uint64_t, std::less<>> used;  // generations as they were; 0 for what was not there
        std::vector<std::pair<std::uint32_t, std::string>> writes;
    };
    struct connection {
        xen::domid id{};
        event_world* world = nullptr;
        xenstore_domain_interface* ring = nullptr;
        sim_port port;
        std::string in;
        std::string out;
        fiber::event work;
        std::vector<watch_entry> watches;
        std::map<std::uint32_t, running_transaction> transactions;
        std::uint32_t next_transaction = 1;
        bool closing = false;
        fiber::handle<void> service;
    };
    struct failed {
        const char* name;
    };
    /// Where one request works: the tree, or a transaction's.
    struct place {
        store_node& tree;
        running_transaction* inside;
    };

    void serve(connection& one);
    bool take_requests(connection& one);
    bool put_answers(connection& one);
    void handle(connection& one, const xsd_sockmsg& header, std::string_view text);
    std::string carry_out(connection& one, const xsd_sockmsg& header, std::string_view text,
                          std::vector<change>& changes);
    std::string on_tree(connection& one, place where, std::uint32_t type, std::string_view text,
                        std::vector<change>& changes);
    std::string end_transaction(connection& one, std::uint32_t id, bool commit, std::vector<change>& changes);
    std::string list_part(const store_node& node, std::string_view offset) const;
    void fire(const std::vector<change>& changes);
    void queue(connection& to, std::string message);
    [[nodiscard]] static std::string absolute(const connection& one, std::string_view path);
    void use(place where, const std::string& path) const;
    const store_node& readable(const connection& one, place where, const std::string& path) const;
    store_node& writable(const connection& one, place where, const std::string& path, bool& made);
    static bool may(const connection& one, const store_node& node, bool write);
    static std::size_t count_nodes(const store_node& node, xen::domid owner);
    static const store_node* find(const store_node& tree, std::string_view path);
    static const store_node& nearest(const store_node& tree, std::string_view path);
    connection& of(xen::domid who);
    [[nodiscard]] const connection& of(xen::domid who) const;

    event_world& dom0_;
    store_node root_;
    std::uint64_t generation_ = 0;
    std::list<connection> connections_;
    std::set<xen::domid> introduced_;
};

}  // namespace halvm::sim
