// SPDX-License-Identifier: BSD-3-Clause
#include "store.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace halvm::sim {
namespace {

using xen::permission;

std::vector<std::string_view> names_of(std::string_view path) {
    std::vector<std::string_view> names;
    while (!path.empty()) {
        path.remove_prefix(path.front() == '/' ? 1 : 0);
        const auto name = path.substr(0, path.find('/'));
        if (!name.empty())
            names.push_back(name);
        path.remove_prefix(name.size());
    }
    return names;
}

bool is_below(std::string_view path, std::string_view top) {
    return top == "/" || (path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/'));
}

std::vector<std::string_view> texts_of(std::string_view text) {
    std::vector<std::string_view> texts;
    for (std::size_t end; (end = text.find('\0')) != std::string_view::npos; text.remove_prefix(end + 1))
        texts.push_back(text.substr(0, end));
    return texts;
}

std::string with_zero(std::string_view text) { return std::string{text} + '\0'; }

std::uint32_t load(XENSTORE_RING_IDX& index) { return std::atomic_ref{index}.load(); }

}  // namespace

store_daemon::store_daemon(event_world& dom0) : dom0_{dom0} {
    root_.permissions = {{xen::dom0, permission::access::none}};
}

store_daemon::~store_daemon() {
    for (connection& one : connections_) {
        one.closing = true;
        one.work.set();
        if (one.service.joinable())
            one.service.join();
        one.port.close();
        one.world->domain.store = {};
        one.world->domain.free_pages(one.ring, 1);
    }
}

void store_daemon::introduce(event_world& guest) {
    auto& one = connections_.emplace_back();
    one.id = guest.domain.id();
    one.world = &guest;
    one.ring = static_cast<xenstore_domain_interface*>(guest.domain.allocate_pages(1));
    evtchn_alloc_unbound_t request{DOMID_SELF, xen::raw(dom0_.domain.id()), 0};
    xen::call(guest.domain, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &request);
    guest.domain.store = {one.ring, xen::port{request.port}};
    one.port = dom0_.channels.bind_interdomain(one.id, xen::port{request.port}).value();
    introduced_.insert(one.id);
    const auto home = "/local/domain/" + std::to_string(xen::raw(one.id));
    write(home, "");
    set_permissions(home, {{one.id, permission::access::none}});
    write(home + "/domid", std::to_string(xen::raw(one.id)));
    set_permissions(home + "/domid", {{xen::dom0, permission::access::none}, {one.id, permission::access::read}});
    one.service = fiber::spawn([this, &one] { serve(one); }, {.name = "xenstored", .service = true});
}

void store_daemon::abandon(const event_world& guest) {
    connection& one = of(guest.domain.id());
    one.closing = true;
    one.work.set();
    one.service.join();
    one.port.close();
}

store_daemon::connection& store_daemon::of(xen::domid who) {
    return *std::ranges::find(connections_, who, &connection::id);
}
const store_daemon::connection& store_daemon::of(xen::domid who) const {
    return *std::ranges::find(connections_, who, &connection::id);
}

std::size_t store_daemon::open_transactions(xen::domid who) const { return of(who).transactions.size(); }
std::size_t store_daemon::watches(xen::domid who) const { return of(who).watches.size(); }
xenstore_domain_interface& store_daemon::ring_of(xen::domid who) { return *of(who).ring; }
void store_daemon::go_on(xen::domid with) { of(with).work.set(); }
void store_daemon::send(xen::domid to, std::string text) {
    of(to).out += text;
    of(to).work.set();
}

std::string store_daemon::message(std::uint32_t type, std::uint32_t id, std::string_view text,
                                  std::uint32_t transaction) {
    const xsd_sockmsg header{type, id, transaction, static_cast<std::uint32_t>(text.size())};
    return std::string{reinterpret_cast<const char*>(&header), sizeof header}.append(text);
}

// The tree.

const store_node* store_daemon::find(const store_node& tree, std::string_view path) {
    const store_node* node = &tree;
    for (const auto name : names_of(path)) {
        const auto child = node->children.find(name);
        if (child == node->children.end())
            return nullptr;
        node = &child->second;
    }
    return node;
}

void store_daemon::write(std::string_view path, std::string_view value) {
    store_node* node = &root_;
    for (const auto name : names_of(path)) {
        auto [child, made] = node->children.try_emplace(std::string{name});
        if (made) {
            child->second.permissions = node->permissions;
            child->second.generation = node->generation = ++generation_;
        }
        node = &child->second;
    }
    node->value = value;
    node->generation = ++generation_;
    fire({{std::string{path}, false}});
}

void store_daemon::remove(std::string_view path) {
    const auto parent = path.substr(0, path.rfind('/'));
    if (auto* const node = const_cast<store_node*>(find(root_, parent)); node != nullptr) {
        const auto child = node->children.find(path.substr(path.rfind('/') + 1));
        if (child == node->children.end())
            return;
        node->children.erase(child);
        node->generation = ++generation_;
        fire({{std::string{path}, true}});
    }
}

std::optional<std::string> store_daemon::read(std::string_view path) const {
    const auto* const node = find(root_, path);
    return node == nullptr ? std::nullopt : std::optional{node->value};
}

void store_daemon::set_permissions(std::string_view path, std::vector<permission> permissions) {
    auto& node = const_cast<store_node&>(*find(root_, path));
    node.permissions = std::move(permissions);
    node.generation = ++generation_;
}

std::vector<std::string> store_daemon::listing(std::string_view path) const {
    std::vector<std::string> lines;
    const auto visit = [&](const auto& self, const std::string& at, const store_node& node) -> void {
        lines.push_back(at + "=" + node.value);
        for (const auto& [name, child] : node.children)
            self(self, at + "/" + name, child);
    };
    if (const auto* const node = find(root_, path); node != nullptr)
        visit(visit, std::string{path}, *node);
    return lines;
}

std::size_t store_daemon::count_nodes(const store_node& node, xen::domid owner) {
    std::size_t count = node.permissions.front().who == owner ? 1 : 0;
    for (const auto& [name, child] : node.children)
        count += count_nodes(child, owner);
    return count;
}

// Serving.

void store_daemon::serve(connection& one) {
    while (!one.closing) {
        one.work.reset();
        const bool took = !stalled && take_requests(one);
        const bool put = put_answers(one);
        if (took || put)
            static_cast<void>(one.port.send());
        if (chunk != 0 && put) {
            fiber::sleep(fiber::within(std::chrono::microseconds{1}));
            continue;
        }
        const auto which = fiber::select({}, fiber::happening(one.work), xen::signalled(one.port));
        if (which && *which == 1)
            ++notifications_received;
    }
}

bool store_daemon::take_requests(connection& one) {
    bool took = false;
    for (;;) {
        const auto at = one.ring->req_cons;
        const auto size = load(one.ring->req_prod) - at;
        if (size > XENSTORE_RING_SIZE)
            throw std::logic_error{"the client's index is impossible"};
        for (std::uint32_t i = 0; i < size; ++i)
            one.in += one.ring->req[MASK_XENSTORE_IDX(at + i)];
        std::atomic_ref{one.ring->req_cons}.store(at + size);
        took |= size != 0;
        xsd_sockmsg header;
        if (one.in.size() < sizeof header)
            return took;
        std::memcpy(&header, one.in.data(), sizeof header);
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            dom0_.domain.host().violation("a request is longer than one may be");
            return took;
        }
        if (one.in.size() < sizeof header + header.len)
            return took;
        const auto text = one.in.substr(sizeof header, header.len);
        one.in.erase(0, sizeof header + header.len);
        ++requests;
        if (!silent)
            handle(one, header, text);
    }
}

bool store_daemon::put_answers(connection& one) {
    const auto at = one.ring->rsp_prod;
    const auto room = XENSTORE_RING_SIZE - (at - load(one.ring->rsp_cons));
    if (room > XENSTORE_RING_SIZE)
        throw std::logic_error{"the client's index is impossible"};
    const auto size = std::min<std::size_t>({room, one.out.size(), chunk == 0 ? one.out.size() : chunk});
    for (std::uint32_t i = 0; i < size; ++i)
        one.ring->rsp[MASK_XENSTORE_IDX(at + i)] = one.out[i];
    std::atomic_ref{one.ring->rsp_prod}.store(at + static_cast<std::uint32_t>(size));
    one.out.erase(0, size);
    return size != 0;
}

void store_daemon::queue(connection& to, std::string text) {
    if (forge)
        forge(text);
    to.out += text;
    to.work.set();
}

void store_daemon::handle(connection& one, const xsd_sockmsg& header, std::string_view text) {
    std::vector<change> changes;
    std::uint32_t type = header.type;
    std::string answer;
    try {
        answer = carry_out(one, header, text, changes);
    } catch (const failed& error) {
        type = XS_ERROR;
        answer = with_zero(error.name);
        changes.clear();
    }
    auto whole = message(type, header.req_id, answer, header.tx_id);
    if (delay) {
        dom0_.domain.host().after(delay(), [this, &one, whole] {
            if (!one.closing)
                queue(one, whole);
        });
    } else {
        queue(one, std::move(whole));
    }
    // A new watch fires at once.
    if (type == XS_WATCH)
        queue(one, message(XS_WATCH_EVENT, 0, text));
    fire(changes);
}

std::string store_daemon::carry_out(connection& one, const xsd_sockmsg& header, std::string_view text,
                                    std::vector<change>& changes) {
    constexpr std::string_view ok{"OK", 3};
    const auto texts = texts_of(text);
    if (texts.empty() && header.type != XS_WRITE)
        throw failed{"EINVAL"};
    if (refuse)
        if (const auto* const name = [&] {
                static std::string kept;
                kept = refuse(header.type, texts.empty() ? std::string_view{} : texts.front());
                return kept.empty() ? nullptr : kept.c_str();
            }())
            throw failed{name};
    const bool privileged = one.id == xen::dom0;
    const auto domain_named = [&] {
        domid_t id = 0;
        if (xen::parse_number(texts.front(), id) != std::errc{})
            throw failed{"EINVAL"};
        return xen::domid{id};
    };
    switch (header.type) {
    case XS_TRANSACTION_START: {
        if (!privileged && one.transactions.size() >= most_transactions)
            throw failed{"ENOSPC"};
        const auto id = one.next_transaction++;
        one.transactions[id].tree = root_;
        return with_zero(std::to_string(id));
    }
    case XS_TRANSACTION_END: return end_transaction(one, header.tx_id, texts.front() == "T", changes);
    case XS_WATCH: {
        if (texts.size() != 2)
            throw failed{"EINVAL"};
        if (!privileged && one.watches.size() >= most_watches)
            throw failed{"E2BIG"};
        const auto path = absolute(one, texts[0]);
        for (const auto& watch : one.watches)
            if (watch.path == path && watch.token == texts[1])
                throw failed{"EEXIST"};
        one.watches.push_back({path, std::string{texts[1]}, texts[0].front() != '/' && texts[0].front() != '@'});
        return std::string{ok};
    }
    case XS_UNWATCH: {
        if (texts.size() != 2)
            throw failed{"EINVAL"};
        const auto path = absolute(one, texts[0]);
        if (std::erase_if(one.watches,
                          [&](const auto& watch) { return watch.path == path && watch.token == texts[1]; }) == 0)
            throw failed{"ENOENT"};
        return std::string{ok};
    }
    case XS_RESET_WATCHES:
        one.watches.clear();
        one.transactions.clear();
        return std::string{ok};
    case XS_GET_DOMAIN_PATH: return with_zero("/local/domain/" + std::to_string(xen::raw(domain_named())));
    case XS_IS_DOMAIN_INTRODUCED:
    case XS_INTRODUCE:
    case XS_RELEASE:
    case XS_RESUME:
    case XS_SET_TARGET:
    case XS_CONTROL:
        if (!privileged)
            throw failed{"EACCES"};
        if (header.type == XS_CONTROL)
            return with_zero(texts.front() == "help" ? "Supported commands:" : "OK");
        if (header.type == XS_IS_DOMAIN_INTRODUCED)
            return with_zero(introduced_.contains(domain_named()) ? "T" : "F");
        if (header.type == XS_INTRODUCE) {
            introduced_.insert(domain_named());
        } else if (!introduced_.contains(domain_named())) {
            throw failed{"ENOENT"};
        } else if (header.type == XS_RELEASE) {
            introduced_.erase(domain_named());
        }
        return std::string{ok};
    default: break;
    }
    if (header.tx_id == 0)
        return on_tree(one, {root_, nullptr}, header.type, text, changes);
    const auto inside = one.transactions.find(header.tx_id);
    if (inside == one.transactions.end())
        throw failed{"ENOENT"};
    std::vector<change> later;
    auto answer = on_tree(one, {inside->second.tree, &inside->second}, header.type, text, later);
    if (!later.empty())
        inside->second.writes.emplace_back(header.type, text);
    return answer;
}

std::string store_daemon::end_transaction(connection& one, std::uint32_t id, bool commit,
                                          std::vector<change>& changes) {
    const auto found = one.transactions.extract(id);
    if (found.empty())
        throw failed{"ENOENT"};
    if (commit) {
        if (conflicts != 0) {
            --conflicts;
            throw failed{"EAGAIN"};
        }
        for (const auto& [path, generation] : found.mapped().used) {
            const auto* const now = find(root_, path);
            if ((now == nullptr ? 0 : now->generation) != generation)
                throw failed{"EAGAIN"};
        }
        for (const auto& [type, text] : found.mapped().writes)
            on_tree(one, {root_, nullptr}, type, text, changes);
    }
    return with_zero("OK");
}

std::string store_daemon::on_tree(connection& one, place where, std::uint32_t type, std::string_view text,
                                  std::vector<change>& changes) {
    constexpr std::string_view ok{"OK", 3};
    const auto name = text.substr(0, text.find('\0'));
    const auto rest = text.substr(std::min(name.size() + 1, text.size()));
    const auto path = absolute(one, name);
    if (!xen::is_path(path))
        throw failed{"EINVAL"};
    bool made = false;
    switch (type) {
    case XS_READ: return readable(one, where, path).value;
    case XS_DIRECTORY: {
        std::string all;
        for (const auto& [child, node] : readable(one, where, path).children)
            all += with_zero(child);
        if (all.size() > XENSTORE_PAYLOAD_MAX)
            throw failed{"E2BIG"};
        return all;
    }
    case XS_DIRECTORY_PART:
        if (!listings_in_parts)
            throw failed{"ENOSYS"};
        return list_part(readable(one, where, path), texts_of(rest).at(0));
    case XS_GET_PERMS: {
        std::string all;
        for (const auto& one_permission : readable(one, where, path).permissions)
            all += with_zero(static_cast<char>(one_permission.may) + std::to_string(xen::raw(one_permission.who)));
        return all;
    }
    case XS_WRITE: {
        if (one.id != xen::dom0 && rest.size() > most_value)
            throw failed{"E2BIG"};
        auto& node = writable(one, where, path, made);
        node.value = rest;
        node.generation = ++generation_;
        changes.push_back({path, false});
        return std::string{ok};
    }
    case XS_MKDIR:
        if (find(where.tree, path) == nullptr || !may(one, *find(where.tree, path), true)) {
            writable(one, where, path, made);
            changes.push_back({path, false});
        } else {
            use(where, path);
        }
        return std::string{ok};
    case XS_RM: {
        const auto parent = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
        use(where, path);
        use(where, parent);
        if (find(where.tree, path) == nullptr) {
            if (find(where.tree, parent) == nullptr)
                throw failed{may(one, nearest(where.tree, path), true) ? "ENOENT" : "EACCES"};
            return std::string{ok};
        }
        if (path == "/")
            throw failed{"EINVAL"};
        if (!may(one, *find(where.tree, path), true))
            throw failed{"EACCES"};
        auto& above = const_cast<store_node&>(*find(where.tree, parent));
        above.children.erase(path.substr(path.rfind('/') + 1));
        above.generation = ++generation_;
        changes.push_back({path, true});
        return std::string{ok};
    }
    case XS_SET_PERMS: {
        std::vector<permission> wanted;
        if (!xen::parse_permissions(rest, wanted))
            throw failed{"EINVAL"};
        if (find(where.tree, path) == nullptr)
            throw failed{"ENOENT"};
        auto& node = writable(one, where, path, made);
        const auto owner = node.permissions.front().who;
        if (one.id != xen::dom0 && (owner != one.id || wanted.front().who != owner))
            throw failed{owner == one.id ? "EPERM" : "EACCES"};
        node.permissions = wanted;
        node.generation = ++generation_;
        changes.push_back({path, false});
        return std::string{ok};
    }
    default: throw failed{"ENOSYS"};
    }
}

std::string store_daemon::list_part(const store_node& node, std::string_view offset_text) const {
    std::size_t offset = 0;
    if (xen::parse_number(offset_text, offset) != std::errc{})
        throw failed{"EINVAL"};
    std::string all;
    for (const auto& [child, below] : node.children)
        all += with_zero(child);
    auto answer = with_zero(std::to_string(node.generation));
    // Whole names only, and an empty one behind the last.
    while (offset < all.size()) {
        const auto name = with_zero(texts_of(std::string_view{all}.substr(offset)).front());
        if (answer.size() + name.size() >= XENSTORE_PAYLOAD_MAX)
            return answer;
        answer += name;
        offset += name.size();
    }
    return answer + '\0';
}

std::string store_daemon::absolute(const connection& one, std::string_view path) {
    if (path.starts_with('/') || path.starts_with('@'))
        return std::string{path};
    return ("/local/domain/" + std::to_string(xen::raw(one.id)) + "/").append(path);
}

void store_daemon::use(place where, const std::string& path) const {
    if (where.inside == nullptr)
        return;
    const auto* const node = find(where.inside->tree, path);
    where.inside->used.try_emplace(path, node == nullptr ? 0 : node->generation);
}

const store_node& store_daemon::nearest(const store_node& tree, std::string_view path) {
    while (find(tree, path) == nullptr)
        path = path.substr(0, path.rfind('/'));
    return *find(tree, path);
}

bool store_daemon::may(const connection& one, const store_node& node, bool write) {
    const auto& all = node.permissions;
    if (one.id == xen::dom0 || all.front().who == one.id)
        return true;
    const auto named = std::find_if(all.begin() + 1, all.end(), [&](const auto& entry) { return entry.who == one.id; });
    const auto access = named == all.end() ? all.front().may : named->may;
    return access == permission::access::both ||
           access == (write ? permission::access::write : permission::access::read);
}

const store_node& store_daemon::readable(const connection& one, place where, const std::string& path) const {
    use(where, path);
    const auto* const node = find(where.tree, path);
    if (node == nullptr)
        throw failed{may(one, nearest(where.tree, path), false) ? "ENOENT" : "EACCES"};
    if (!may(one, *node, false))
        throw failed{"EACCES"};
    return *node;
}

store_node& store_daemon::writable(const connection& one, place where, const std::string& path, bool& made) {
    use(where, path);
    if (!may(one, nearest(where.tree, path), true))
        throw failed{"EACCES"};
    if (find(where.tree, path) == nullptr && one.id != xen::dom0 && count_nodes(where.tree, one.id) >= most_nodes)
        throw failed{"ENOSPC"};
    store_node* node = &where.tree;
    std::string at;
    for (const auto name : names_of(path)) {
        if (const auto below = node->children.find(name); below == node->children.end()) {
            if (!made)
                use(where, at.empty() ? "/" : at);
            use(where, std::string{at}.append("/").append(name));
            const auto child = node->children.try_emplace(std::string{name}).first;
            child->second.permissions = node->permissions;
            if (one.id != xen::dom0)
                child->second.permissions.front().who = one.id;
            child->second.generation = node->generation = ++generation_;
            made = true;
        }
        node = &node->children.find(name)->second;
        at.append("/").append(name);
    }
    return *node;
}

void store_daemon::fire(const std::vector<change>& changes) {
    for (const auto& changed : changes)
        for (connection& one : connections_)
            for (const auto& watch : one.watches) {
                const bool above = is_below(changed.path, watch.path);
                if (!above && !(changed.recursive && is_below(watch.path, changed.path)))
                    continue;
                std::string_view path = above ? changed.path : watch.path;
                if (watch.relative)
                    path.remove_prefix(absolute(one, "").size());
                queue(one, message(XS_WATCH_EVENT, 0, with_zero(path) + with_zero(watch.token)));
            }
}

}  // namespace halvm::sim
