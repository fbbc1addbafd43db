// SPDX-License-Identifier: BSD-3-Clause
// Figures in the text format that Prometheus reads.
//
//   http::metrics all;
//   all.counter("http_requests_total", "Requests that were answered.").value(web.statistics().requests);
//   return http::response{}.type(http::metrics::media_type).body(all.text());
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace halvm::http {

class metrics {
public:
    static constexpr std::string_view media_type = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a metric; its values follow. A counter only grows, and its name ends in _total.
    metrics& counter(std::string_view name, std::string_view help) { return begin(name, help, "counter"); }
    metrics& gauge(std::string_view name, std::string_view help) { return begin(name, help, "gauge"); }
    metrics& value(std::uint64_t number) { return line({}, number); }
    /// With a label: `code="2xx"`.
    metrics& value(std::string_view label, std::string_view text, std::uint64_t number) {
        return line("{" + std::string{label} + "=\"" + escaped(text) + "\"}", number);
    }

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    metrics& begin(std::string_view name, std::string_view help, std::string_view type) {
        name_ = name;
        text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
        text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
        return *this;
    }
    metrics& line(std::string_view labels, std::uint64_t number) {
        text_.append(name_).append(labels).append(" ").append(std::to_string(number)).append("\n");
        return *this;
    }
    static std::string escaped(std::string_view text) {
        std::string made;
        for (const char one : text) {
            if (one == '\\' || one == '"')
                made += '\\';
            made += one;
        }
        return made;
    }

    std::string name_;
    std::string text_;
};

}  // namespace halvm::http
