// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/xenstore_values.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace halvm::xen {
namespace {

class store_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "xenstore"; }
    std::string message(int value) const override {
        switch (store_errc{value}) {
        case store_errc::absent: return "this domain has no XenStore";
        case store_errc::bad_index: return "the XenStore's ring has an impossible index; the connection is given up";
        case store_errc::bad_length: return "the XenStore sent too long a message; the connection is given up";
        case store_errc::bad_type: return "the XenStore sent a message of a wrong kind; the connection is given up";
        case store_errc::bad_request: return "the XenStore answered what nobody asked; the connection is given up";
        case store_errc::bad_text: return "the XenStore's answer makes no sense";
        case store_errc::given_up: return "the XenStore gave the connection up";
        case store_errc::closed: return "the connection to the XenStore is closed";
        case store_errc::no_memory: return "there was no memory for a connection to the XenStore";
        case store_errc::reset: return "all watches were taken away";
        }
        return "unknown";
    }
    std::error_condition default_error_condition(int value) const noexcept override {
        switch (store_errc{value}) {
        case store_errc::absent: return std::errc::not_connected;
        case store_errc::closed: return std::errc::broken_pipe;
        case store_errc::no_memory: return std::errc::not_enough_memory;
        case store_errc::bad_text: return std::errc::bad_message;
        case store_errc::reset: return std::errc::operation_canceled;
        default: return std::errc::protocol_error;
        }
    }
};

// [xen/io/xs_wire.h: xsd_errors]
constexpr std::array<std::pair<std::string_view, std::errc>, 16> names{{
    {"ENOENT", std::errc::no_such_file_or_directory},
    {"EACCES", std::errc::permission_denied},
    {"EAGAIN", std::errc::resource_unavailable_try_again},
    {"EINVAL", std::errc::invalid_argument},
    {"EEXIST", std::errc::file_exists},
    {"E2BIG", std::errc::argument_list_too_long},
    {"ENOSPC", std::errc::no_space_on_device},
    {"ENOMEM", std::errc::not_enough_memory},
    {"EISDIR", std::errc::is_a_directory},
    {"EIO", std::errc::io_error},
    {"ENOTEMPTY", std::errc::directory_not_empty},
    {"ENOSYS", std::errc::function_not_supported},
    {"EROFS", std::errc::read_only_file_system},
    {"EBUSY", std::errc::device_or_resource_busy},
    {"EISCONN", std::errc::already_connected},
    {"EPERM", std::errc::operation_not_permitted},
}};

constexpr bool is_name_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '@';
}

/// Takes the next text off `rest`, without its zero; false when it has none.
bool next_text(std::string_view& rest, std::string_view& text) noexcept {
    const auto end = rest.find('\0');
    if (end == std::string_view::npos)
        return false;
    text = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return true;
}

}  // namespace

const std::error_category& store_category() noexcept {
    static const store_errors category;
    return category;
}

std::error_code store_error(std::string_view name) noexcept {
    const auto known = std::ranges::find(names, name, &std::pair<std::string_view, std::errc>::first);
    return std::make_error_code(known == names.end() ? std::errc::io_error : known->second);
}

bool is_path(std::string_view text) noexcept {
    if (text.empty() || text.front() != '/' || text.size() > XENSTORE_ABS_PATH_MAX)
        return false;
    if (text == "/")
        return true;
    char before = '\0';
    for (const char c : text) {
        if (c == '/' ? before == '/' : !is_name_character(c))
            return false;
        before = c;
    }
    return before != '/';
}

std::errc parse_state(std::string_view text, device_state& state) noexcept {
    unsigned number = 0;
    if (const std::errc error = parse_number(text, number); error != std::errc{})
        return error;
    if (number > XenbusStateReconfigured)
        return std::errc::result_out_of_range;
    state = static_cast<device_state>(number);
    return {};
}

bool parse_texts(std::string_view text, std::vector<std::string>& texts) {
    for (std::string_view one; !text.empty(); texts.emplace_back(one))
        if (!next_text(text, one) || one.empty())
            return false;
    return true;
}

bool parse_permissions(std::string_view text, std::vector<permission>& permissions) {
    for (std::string_view one; !text.empty();) {
        domid_t who = 0;
        if (!next_text(text, one) || one.empty() ||
            std::string_view{"nrwb"}.find(one.front()) == std::string_view::npos ||
            parse_number(one.substr(1), who) != std::errc{})
            return false;
        permissions.push_back({domid{who}, permission::access{one.front()}});
    }
    return !permissions.empty();
}

}  // namespace halvm::xen
