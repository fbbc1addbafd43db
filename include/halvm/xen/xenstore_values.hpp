// SPDX-License-Identifier: BSD-3-Clause
// What stands in the XenStore: texts that anyone may have written, read as numbers, paths, states and permissions;
// and what it answers when it cannot do what it was asked.
#pragma once

#include <halvm/result.hpp>
#include <halvm/xen/numbers.hpp>

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace halvm::xen {

/// Why there is no connection to the XenStore, or none any more. All but `absent` are final: each later call fails in
/// the same way. All equal std::errc::protocol_error, but absent: std::errc::not_connected, closed:
/// std::errc::broken_pipe, no_memory: std::errc::not_enough_memory, bad_text: std::errc::bad_message, reset:
/// std::errc::operation_canceled.
/// What the store itself refuses is a std::errc by the name that it answers: no_such_file_or_directory (ENOENT),
/// permission_denied (EACCES), file_exists, resource_unavailable_try_again (EAGAIN), no_space_on_device (a quota),
/// argument_list_too_long, invalid_argument, ...; io_error for a name that nobody knows.
enum class store_errc {
    absent = 1,   ///< the toolstack gave this domain none, as in dom0
    bad_index,    ///< an index of the ring is out of its range
    bad_length,   ///< a message is longer than one may be
    bad_type,     ///< a message is of no known kind, or answers something else than what was asked
    bad_request,  ///< a message answers what nobody asked
    bad_text,     ///< a message is not made as its kind is; ends only the call that it answers
    given_up,     ///< the store says so itself, in the ring's page
    closed,       ///< the ring's event channel is closed
    no_memory,    ///< there was none to begin with
    reset,        ///< reset_watches() took this watch away; ends only the watch
};
const std::error_category& store_category() noexcept;
inline std::error_code make_error_code(store_errc code) noexcept { return {static_cast<int>(code), store_category()}; }

/// The error in a name that the store answered, such as "ENOENT".
std::error_code store_error(std::string_view name) noexcept;

/// What one domain may do with a node. The first permission of a node names its owner, who may do everything, and what
/// all domains may that no later permission names.
struct permission {
    enum class access : char { none = 'n', read = 'r', write = 'w', both = 'b' };

    domid who;
    access may;

    friend bool operator==(const permission&, const permission&) = default;
};

/// Where one half of a split device stands; the other half reads it in the node `state`. [xen/io/xenbus.h]
enum class device_state : std::uint8_t {
    unknown = XenbusStateUnknown,
    initialising = XenbusStateInitialising,
    init_wait = XenbusStateInitWait,
    initialised = XenbusStateInitialised,
    connected = XenbusStateConnected,
    closing = XenbusStateClosing,
    closed = XenbusStateClosed,
    reconfiguring = XenbusStateReconfiguring,
    reconfigured = XenbusStateReconfigured,
};

// Each of these takes the whole text, or fails: nothing is skipped, before, within or after.

/// Errors: std::errc::invalid_argument when it is no number of the base, result_out_of_range when it does not fit.
template <std::integral Number>
requires(!std::same_as<Number, bool>) std::errc parse_number(std::string_view text, Number& number, int base = 10)
noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc{})
        return error;
    return end == text.data() + text.size() ? std::errc{} : std::errc::invalid_argument;
}

/// An absolute path as the store takes them: not too long, of its characters only, no empty name in it.
[[nodiscard]] bool is_path(std::string_view text) noexcept;

/// One of the numbers of device_state. Errors: as parse_number().
std::errc parse_state(std::string_view text, device_state& state) noexcept;

/// Texts that each end in a zero. False when the last one does not, or one of them is empty.
bool parse_texts(std::string_view text, std::vector<std::string>& texts);

/// As "n0", "r12". False when one of them is not; or there is none.
bool parse_permissions(std::string_view text, std::vector<permission>& permissions);

}  // namespace halvm::xen

template <>
struct std::is_error_code_enum<halvm::xen::store_errc> : std::true_type {};
