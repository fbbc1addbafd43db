// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/linux/nics.hpp>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

namespace halvm::process {
namespace {

std::optional<nic_entry> parse_nic(std::string_view text) {
    constexpr std::string_view tap = "tap:";
    constexpr std::string_view interface = "interface:";
    nic_entry one;
    one.is_tap = text.starts_with(tap);
    if (!one.is_tap && !text.starts_with(interface))
        return std::nullopt;
    text.remove_prefix(one.is_tap ? tap.size() : interface.size());
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        const auto mac = mac_address::parse(text.substr(slash + 1));
        if (!one.is_tap || !mac || !mac->is_unicast())
            return std::nullopt;
        one.mac = *mac;
    }
    one.interface = text.substr(0, slash);
    return one.interface.empty() ? std::nullopt : std::optional{std::move(one)};
}

result<std::vector<nic_entry>> own_nics() {
    const char* const text = std::getenv("HALVM_NICS");
    return parse_nics(text == nullptr ? "" : text);
}

}  // namespace

result<std::vector<nic_entry>> parse_nics(std::string_view text) {
    std::vector<nic_entry> entries;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(part.size() + 1, text.size()));
        if (part.empty())
            continue;
        auto one = parse_nic(part);
        if (!one)
            return failure{error{std::make_error_code(std::errc::invalid_argument),
                                 "read HALVM_NICS: tap:NAME[/MAC] or interface:NAME is wanted, not", part}};
        entries.push_back(std::move(*one));
    }
    return entries;
}

result<std::vector<std::string>> nics() {
    const auto entries = own_nics();
    if (!entries)
        return failure(entries.error());
    std::vector<std::string> names;
    for (std::size_t i = 0; i < entries->size(); ++i)
        names.push_back(std::to_string(i));
    return names;
}

result<kernel_nic> open_nic(std::string_view name) {
    const auto entries = own_nics();
    if (!entries)
        return failure(entries.error());
    for (std::size_t i = 0; i < entries->size(); ++i) {
        const nic_entry& one = (*entries)[i];
        if (name == std::to_string(i) || name == one.interface)
            return one.is_tap ? kernel_nic::open_tap(one.interface, {.mac = one.mac})
                              : kernel_nic::open_interface(one.interface);
    }
    return failure{error{std::make_error_code(std::errc::no_such_device),
                         entries->empty() ? "open a NIC: HALVM_NICS gives this process none; there is no"
                                          : "open a NIC: HALVM_NICS gives this process others than",
                         name}};
}

}  // namespace halvm::process
