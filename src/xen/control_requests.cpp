// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/domain_control.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace halvm::xen {
namespace {

constexpr std::string_view shutdown_node = "control/shutdown";
constexpr std::string_view sysrq_node = "control/sysrq";

constexpr std::array<std::pair<std::string_view, shutdown_kind>, 4> kinds{{
    {"poweroff", shutdown_kind::poweroff},
    {"reboot", shutdown_kind::reboot},
    {"halt", shutdown_kind::halt},
    {"crash", shutdown_kind::crash},
}};

/// Takes what is in a node and empties it, when `wanted` of it is. Nothing when the node is empty or not there.
template <class Wanted>
result<std::string> take(xenstore_connection& store, std::string_view node, Wanted wanted, const wait_limit& limit) {
    auto taken = store.transact(
        [&](transaction& all) -> result<std::string> {
            auto text = all.read(node, limit);
            if (text && !text->empty() && wanted(*text))
                if (const auto emptied = all.write(node, "", limit); !emptied)
                    return failure(emptied.error());
            return text;
        },
        limit);
    if (!taken && taken.error().code() == std::errc::no_such_file_or_directory)
        return std::string{};
    return taken;
}

}  // namespace

std::optional<shutdown_kind> parse_shutdown(std::string_view text) noexcept {
    const auto known = std::ranges::find(kinds, text, &std::pair<std::string_view, shutdown_kind>::first);
    return known == kinds.end() ? std::nullopt : std::optional{known->second};
}

result<void> control_requests::serve(xenstore_connection& store, std::stop_token stop) {
    const wait_limit limit{std::move(stop)};
    // A toolstack that made no such node does not want to know.
    for (const auto* const node :
         {"control/feature-poweroff", "control/feature-reboot", "control/feature-halt", "control/feature-sysrq"})
        static_cast<void>(store.write(node, "1", limit));
    auto changes = store.watch_path("control", limit);
    if (!changes)
        return failure(changes.error());
    for (;;) {
        const auto event = changes->next(limit);
        if (!event)
            return failure(event.error());
        // The first event, and one that stands for several, are about all that is watched.
        const bool all = event->path == changes->path();
        if (all || event->path == shutdown_node)
            if (const auto done = take_shutdown(store, limit); !done && store.broken())
                return done;
        if (all || event->path == sysrq_node)
            if (const auto done = take_sysrq(store, limit); !done && store.broken())
                return done;
    }
}

result<void> control_requests::take_shutdown(xenstore_connection& store, const wait_limit& limit) {
    const auto text = take(store, shutdown_node, parse_shutdown, limit);
    if (!text)
        return failure(text.error());
    if (const auto kind = parse_shutdown(*text); kind && shutdown)
        shutdown(*kind);
    return {};
}

result<void> control_requests::take_sysrq(xenstore_connection& store, const wait_limit& limit) {
    const auto text = take(
        store, sysrq_node, [](std::string_view) { return true; }, limit);
    if (!text)
        return failure(text.error());
    if (!text->empty() && sysrq)
        sysrq(text->front());
    return {};
}

}  // namespace halvm::xen
