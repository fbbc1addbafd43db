// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/contract.hpp>
#include <halvm/http/router.hpp>

#include <algorithm>

namespace halvm::http {
namespace {

/// The next part of a path, between slashes. Pre: it begins with one.
std::string_view take_part(std::string_view& path) {
    path.remove_prefix(1);
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(part.size());
    return part;
}

bool decode(std::string_view part, std::string& into) {
    into = part;
    const auto size = percent_decode(into, into);
    if (size)
        into.resize(*size);
    return size.has_value();
}

bool fits(std::string_view pattern, request& ask) {
    std::string_view path = ask.path();
    if (pattern == path)
        return true;
    if (!path.starts_with('/'))
        return false;
    std::string decoded;
    while (!pattern.empty() && !path.empty()) {
        const std::string_view wanted = take_part(pattern);
        const bool is_name = wanted.starts_with('{') && wanted.ends_with('}');
        const bool is_rest = wanted.ends_with("...}");
        const std::string_view part = is_rest ? path.substr(1) : take_part(path);
        if (!decode(part, decoded))
            return false;
        if (is_name && (is_rest || !part.empty()))
            ask.add_parameter(std::string{wanted.substr(1, wanted.size() - (is_rest ? 5 : 2))}, decoded);
        else if (decoded != wanted)
            return false;
        if (is_rest)
            return true;
    }
    return pattern.empty() && path.empty();
}

}  // namespace

router& router::add(method by, std::string pattern, handler call) {
    Expects(pattern.starts_with('/'));
    Expects(pattern.find("...}") == std::string::npos || pattern.find("...}") + 4 == pattern.size());
    routes_.push_back({by, std::move(pattern), std::move(call)});
    return *this;
}

response router::operator()(request& ask) const {
    std::string allowed;
    const auto allow = [&](std::string_view name) {
        if (allowed.find(name) == std::string::npos)
            allowed.append(allowed.empty() ? "" : ", ").append(name);
    };
    for (const route& one : routes_) {
        ask.clear_parameters();
        if (!fits(one.pattern, ask))
            continue;
        if (one.by == ask.method() || (one.by == method::get && ask.method() == method::head))
            return one.call(ask);
        allow(name_of(one.by));
        if (one.by == method::get)
            allow(name_of(method::head));
    }
    ask.clear_parameters();
    if (!allowed.empty()) {
        allow(name_of(method::options));
        return method_not_allowed(ask.method(), allowed);
    }
    return otherwise_ ? otherwise_(ask) : response{status::not_found};
}

response method_not_allowed(method asked, std::string_view allowed) {
    response answer{asked == method::options ? status::no_content
                    : asked == method::other ? status::not_implemented
                                             : status::method_not_allowed};
    return std::move(answer.set("Allow", allowed));
}

}  // namespace halvm::http
