// SPDX-License-Identifier: BSD-3-Clause
// Which handler answers which method and path.
//
//   http::router routes;
//   routes.get("/hello/{name}", hello);     // and HEAD
//   routes.add(http::method::put, "/files/{path...}", store);
//   http::server server{routes};
#pragma once

#include <halvm/http/request.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halvm::http {

/// A route's path is compared part by part, decoded; `{name}` stands for any one part that is not empty, `{name...}`,
/// as the last, for all that follows. The first route that fits is taken.
class router {
public:
    /// Pre: the pattern begins with a slash; `{name...}` is its last part.
    router& add(method by, std::string pattern, handler call);
    /// Also answers HEAD.
    router& get(std::string pattern, handler call) { return add(method::get, std::move(pattern), std::move(call)); }
    router& post(std::string pattern, handler call) { return add(method::post, std::move(pattern), std::move(call)); }
    /// Takes what no route's path fits, whatever its method; a 404 without it.
    router& otherwise(handler call) {
        otherwise_ = std::move(call);
        return *this;
    }

    /// A path without a route is a 404. A method that the path does not have is a 405 with Allow, one that nobody
    /// knows a 501; OPTIONS is answered with Allow.
    response operator()(request& ask) const;

private:
    struct route {
        method by;
        std::string pattern;
        handler call;
    };
    std::vector<route> routes_{};
    handler otherwise_{};
};

/// 405, or for OPTIONS 204, with Allow; 501 for a method that nobody knows. [rfc9110 9.3.7, 15.5.6, 15.6.2]
[[nodiscard]] response method_not_allowed(method asked, std::string_view allowed);

}  // namespace halvm::http
