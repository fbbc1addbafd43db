// SPDX-License-Identifier: BSD-3-Clause
// What the web server has to say: a site in its image, a page about itself for people, and figures for Prometheus.
#pragma once

#include <halvm/fiber.hpp>
#include <halvm/http/request.hpp>
#include <halvm/http/server.hpp>
#include <halvm/net/stack.hpp>

#include <string>

/// What the pages are about. All of it outlives the server that gives them.
struct subject {
    halvm::net::stack& stack;
    const halvm::http::server_statistics& web;
    std::string address;
    halvm::fiber::instant begun;
};

/// The site that was built into the image; empty when none was.
halvm::const_bytes built_in_site();

halvm::http::response status_page(const subject& about);
halvm::http::response metrics_page(const subject& about);
