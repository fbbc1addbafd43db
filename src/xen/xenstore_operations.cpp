// SPDX-License-Identifier: BSD-3-Clause
// What each operation says and how its answer is read. [docs: misc/xenstore.txt]
#include <halvm/contract.hpp>
#include <halvm/xen/xenstore_connection.hpp>

#include <algorithm>

namespace halvm::xen {
namespace {

/// The end of a text, which is a part of its own.
constexpr std::string_view zero{"", 1};

constexpr std::size_t most_names = std::size_t{1} << 20;  // bytes of a listing
constexpr unsigned most_restarts = 16;

std::errc check_path(std::string_view path) noexcept {
    if (path.empty() || path.find('\0') != std::string_view::npos)
        return std::errc::invalid_argument;
    const std::size_t most = path.front() == '/' ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX;
    return path.size() > most ? std::errc::filename_too_long : std::errc{};
}

/// A number as a text that ends in a zero.
class number_text {
public:
    template <class Number>
    explicit number_text(Number number) noexcept {
        size_ = static_cast<std::size_t>(std::to_chars(text_.data(), text_.data() + text_.size() - 1, number).ptr -
                                         text_.data());
        text_[size_++] = '\0';
    }
    operator std::string_view() const noexcept { return {text_.data(), size_}; }

private:
    std::array<char, 24> text_;
    std::size_t size_;
};

template <class Value>
result<Value> nonsense(const char* attempted, std::string_view subject) {
    return failure(error{store_errc::bad_text, attempted, subject});
}

result<void> without_text(const result<std::string>& answer) {
    if (!answer)
        return failure(answer.error());
    return {};
}

}  // namespace

result<std::string> store_operations::ask(const char* attempted, std::string_view subject, std::uint32_t type,
                                          std::initializer_list<std::string_view> parts, const wait_limit& limit) {
    Expects(connection_ != nullptr);
    detail::store_request request{type, transaction_, parts};
    if (request.header.len > XENSTORE_PAYLOAD_MAX)
        return failure(error{std::make_error_code(std::errc::argument_list_too_long), attempted, subject});
    connection_->call(request, limit);
    if (request.failure)
        return failure(error{request.failure, attempted, subject});
    return std::move(request.answer);
}

result<std::string> store_operations::ask_path(const char* attempted, std::uint32_t type, std::string_view path,
                                               std::initializer_list<std::string_view> more, const wait_limit& limit) {
    if (const std::errc wrong = check_path(path); wrong != std::errc{})
        return failure(error{std::make_error_code(wrong), attempted, path});
    Expects(more.size() <= 2);
    const auto part = [&](std::size_t index) { return index < more.size() ? more.begin()[index] : std::string_view{}; };
    return ask(attempted, path, type, {path, zero, part(0), part(1)}, limit);
}

result<std::string> store_operations::read(std::string_view path, const wait_limit& limit) {
    return ask_path("XenStore: read", XS_READ, path, {}, limit);
}

result<std::string> store_operations::read_path(std::string_view path, const wait_limit& limit) {
    auto text = read(path, limit);
    if (text && !is_path(*text))
        return failure(error{std::make_error_code(std::errc::invalid_argument), "XenStore: read as a path", path});
    return text;
}

result<device_state> store_operations::read_state(std::string_view path, const wait_limit& limit) {
    const auto text = read(path, limit);
    device_state state{};
    if (!text) {
        if (text.error().code() == std::errc::no_such_file_or_directory)
            return device_state::unknown;
        return failure(text.error());
    }
    if (const std::errc wrong = parse_state(*text, state); wrong != std::errc{})
        return failure(error{std::make_error_code(wrong), "XenStore: read as a device's state", path});
    return state;
}

result<bool> store_operations::exists(std::string_view path, const wait_limit& limit) {
    const auto answer = ask_path("XenStore: look for", XS_READ, path, {}, limit);
    if (answer)
        return true;
    if (answer.error().code() == std::errc::no_such_file_or_directory)
        return false;
    return failure(answer.error());
}

result<void> store_operations::write(std::string_view path, std::string_view value, const wait_limit& limit) {
    return without_text(ask_path("XenStore: write", XS_WRITE, path, {value}, limit));
}

result<void> store_operations::mkdir(std::string_view path, const wait_limit& limit) {
    return without_text(ask_path("XenStore: mkdir", XS_MKDIR, path, {}, limit));
}

result<void> store_operations::remove(std::string_view path, const wait_limit& limit) {
    return without_text(ask_path("XenStore: remove", XS_RM, path, {}, limit));
}

result<std::vector<std::string>> store_operations::directory(std::string_view path, const wait_limit& limit) {
    constexpr auto attempted = "XenStore: list";
    const auto text = ask_path(attempted, XS_DIRECTORY, path, {}, limit);
    if (!text) {
        if (text.error().code() == std::errc::argument_list_too_long)
            return directory_in_parts(path, limit);
        return failure(text.error());
    }
    std::vector<std::string> names;
    if (!parse_texts(*text, names))
        return nonsense<std::vector<std::string>>(attempted, path);
    return names;
}

/// Each part begins with the node's generation, which is another once its names have changed; then all begins anew.
/// After the last name of all stands an empty one.
result<std::vector<std::string>> store_operations::directory_in_parts(std::string_view path, const wait_limit& limit) {
    constexpr auto attempted = "XenStore: list in parts";
    std::string generation;
    std::string all;
    for (unsigned restarts = 0; restarts <= most_restarts;) {
        const auto part = ask_path(attempted, XS_DIRECTORY_PART, path, {number_text{all.size()}}, limit);
        if (!part) {
            // A store without listings in parts has said that the whole is too long.
            const bool cannot = part.error().code() == std::errc::function_not_supported;
            return failure(cannot ? error{std::make_error_code(std::errc::argument_list_too_long), attempted, path}
                                  : part.error());
        }
        const auto end = part->find('\0');
        if (end == std::string::npos || end + 1 == part->size())
            return nonsense<std::vector<std::string>>(attempted, path);
        const std::string_view now = std::string_view{*part}.substr(0, end);
        if (all.empty()) {
            generation = now;
        } else if (generation != now) {
            all.clear();
            ++restarts;
            continue;
        }
        all += std::string_view{*part}.substr(end + 1);
        if (all == zero || all.ends_with(std::string_view{"\0\0", 2})) {
            all.pop_back();
            std::vector<std::string> names;
            if (!parse_texts(all, names))
                return nonsense<std::vector<std::string>>(attempted, path);
            return names;
        }
        if (all.size() > most_names)
            return failure(error{std::make_error_code(std::errc::value_too_large), attempted, path});
    }
    return failure(error{std::make_error_code(std::errc::resource_unavailable_try_again), attempted, path});
}

result<std::vector<permission>> store_operations::permissions(std::string_view path, const wait_limit& limit) {
    constexpr auto attempted = "XenStore: read the permissions of";
    const auto text = ask_path(attempted, XS_GET_PERMS, path, {}, limit);
    if (!text)
        return failure(text.error());
    std::vector<permission> all;
    if (!parse_permissions(*text, all))
        return nonsense<std::vector<permission>>(attempted, path);
    return all;
}

result<void> store_operations::set_permissions(std::string_view path, std::span<const permission> permissions,
                                               const wait_limit& limit) {
    Expects(!permissions.empty());
    std::string text;
    for (const permission& one : permissions)
        text.append(1, static_cast<char>(one.may)).append(number_text{raw(one.who)});
    return without_text(ask_path("XenStore: set the permissions of", XS_SET_PERMS, path, {text}, limit));
}

result<std::string> xenstore_connection::domain_path(domid who, const wait_limit& limit) {
    constexpr auto attempted = "XenStore: ask for the path of domain";
    const number_text number{raw(who)};
    auto text = ask(attempted, number, XS_GET_DOMAIN_PATH, {number}, limit);
    if (!text)
        return text;
    if (text->empty() || text->back() != '\0' || !is_path(std::string_view{*text}.substr(0, text->size() - 1)))
        return nonsense<std::string>(attempted, number);
    text->pop_back();
    return text;
}

result<void> xenstore_connection::introduce(domid who, gfn ring, port remote, const wait_limit& limit) {
    const number_text number{raw(who)};
    return without_text(ask("XenStore: introduce domain", number, XS_INTRODUCE,
                            {number, number_text{raw(ring)}, number_text{raw(remote)}}, limit));
}

result<void> xenstore_connection::release(domid who, const wait_limit& limit) {
    const number_text number{raw(who)};
    return without_text(ask("XenStore: release domain", number, XS_RELEASE, {number}, limit));
}

result<bool> xenstore_connection::is_introduced(domid who, const wait_limit& limit) {
    constexpr auto attempted = "XenStore: ask whether it knows domain";
    const number_text number{raw(who)};
    const auto text = ask(attempted, number, XS_IS_DOMAIN_INTRODUCED, {number}, limit);
    if (!text)
        return failure(text.error());
    if (*text == std::string_view{"T", 2})
        return true;
    if (*text == std::string_view{"F", 2})
        return false;
    return nonsense<bool>(attempted, number);
}

result<void> xenstore_connection::resume(domid who, const wait_limit& limit) {
    const number_text number{raw(who)};
    return without_text(ask("XenStore: resume domain", number, XS_RESUME, {number}, limit));
}

result<void> xenstore_connection::set_target(domid who, domid target, const wait_limit& limit) {
    const number_text number{raw(who)};
    return without_text(
        ask("XenStore: set the target of domain", number, XS_SET_TARGET, {number, number_text{raw(target)}}, limit));
}

result<std::string> xenstore_connection::control(std::initializer_list<std::string_view> words,
                                                 const wait_limit& limit) {
    Expects(words.size() >= 1);
    std::string text;
    for (const auto word : words)
        text.append(word).append(zero);
    auto answer = ask("XenStore: control", *words.begin(), XS_CONTROL, {text}, limit);
    if (answer && !answer->empty() && answer->back() == '\0')
        answer->pop_back();
    return answer;
}

}  // namespace halvm::xen
