// SPDX-License-Identifier: BSD-3-Clause
#include "pages.hpp"

#include <halvm/http/metrics.hpp>
#include <halvm/memory.hpp>

#include <cstdint>
#include <string_view>

namespace {

using namespace halvm;

std::uint64_t fibers() {
    std::uint64_t count = 0;
    fiber::this_scheduler().for_each([&](const fiber::task&) { ++count; });
    return count;
}

std::uint64_t seconds_since(fiber::instant begun) {
    return (fiber::this_scheduler().now() - begun) / std::uint64_t{1'000'000'000};
}

std::string in_mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20) + "." + std::to_string((bytes >> 10) % 1024 * 10 / 1024) + " MiB";
}

std::string duration(std::uint64_t seconds) {
    std::string made;
    if (seconds >= 86'400)
        made += std::to_string(seconds / 86'400) + " d ";
    if (seconds >= 3600)
        made += std::to_string(seconds / 3600 % 24) + " h ";
    if (seconds >= 60)
        made += std::to_string(seconds / 60 % 60) + " min ";
    return made + std::to_string(seconds % 60) + " s";
}

constexpr std::string_view head = R"(<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="5"><title>halvm</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100%; margin-bottom: 1.5rem }
caption { text-align: left; font-weight: 600; padding: .3rem 0 }
td { border-top: 1px solid #ddd; padding: .2rem 0 }
td + td { text-align: right; font-variant-numeric: tabular-nums }
</style>
<h1>halvm says hello!</h1>
)";

/// Each NIC's own figures; the first is "0".
void nic_metrics(http::metrics& all, net::stack& stack) {
    const auto each = [&](auto figure) {
        for (std::size_t number = 1; number < stack.interfaces(); ++number)
            all.value("nic", std::to_string(number - 1), figure(stack.at(number)));
    };
    const auto traffic = [&](const std::string& which, nic_traffic nic_statistics::*way) {
        all.counter("nic_" + which + "_frames_total", "Frames.");
        each([&](const net::interface& one) { return (one.statistics().*way).packets; });
        all.counter("nic_" + which + "_bytes_total", "Bytes of them.");
        each([&](const net::interface& one) { return (one.statistics().*way).bytes; });
        all.counter("nic_" + which + "_lost_frames_total", "Frames that were lost on the way.");
        each([&](const net::interface& one) { return (one.statistics().*way).lost(); });
    };
    all.gauge("nic_up", "Whether it has a link.");
    each([](const net::interface& one) { return std::uint64_t{one.is_up()}; });
    traffic("received", &nic_statistics::received);
    traffic("transmitted", &nic_statistics::transmitted);
}

/// A table of names and values.
class table {
public:
    table(std::string& page, std::string_view title) : page_{page} {
        page_.append("<table><caption>").append(title).append("</caption>\n");
    }
    table(const table&) = delete;
    table& operator=(const table&) = delete;
    ~table() { page_ += "</table>\n"; }
    table& row(std::string_view name, std::string_view value) {
        page_.append("<tr><td>").append(name).append("</td><td>").append(value).append("</td></tr>\n");
        return *this;
    }
    table& row(std::string_view name, std::uint64_t value) { return row(name, std::to_string(value)); }

private:
    std::string& page_;
};

}  // namespace

http::response status_page(const subject& about) {
    std::string page{head};
    const auto& web = about.web;
    const auto& net = about.stack.statistics();
    const auto memory = memory_in_use();
    table{page, "This machine"}
        .row("address", about.address)
        .row("up", duration(seconds_since(about.begun)))
        .row("memory in use", in_mebibytes(memory.used) + " of " + in_mebibytes(memory.total))
        .row("fibers", fibers());
    table{page, "The web"}
        .row("requests", web.requests)
        .row("connections", std::to_string(web.open) + " open, " + std::to_string(web.accepted) + " in all")
        .row("workers", web.workers)
        .row("bytes sent", web.sent)
        .row("requests that could not be read", web.malformed)
        .row("requests that came too slowly", web.timed_out);
    table{page, "The network"}
        .row("frames received", net.link.received)
        .row("frames sent", net.link.transmitted)
        .row("TCP segments received", net.tcp.received)
        .row("TCP segments sent",
             std::to_string(net.tcp.sent) + ", " + std::to_string(net.tcp.retransmitted) + " of them again");
    page += "<p>The same for programs: <a href=\"/metrics\">/metrics</a>.</p></html>\n";
    return std::move(http::response{}.html(std::move(page)).set("Cache-Control", "no-store"));
}

http::response metrics_page(const subject& about) {
    http::metrics all;
    const auto& web = about.web;
    const auto& net = about.stack.statistics();
    const auto memory = memory_in_use();
    all.gauge("halvm_uptime_seconds", "Since the program began.").value(seconds_since(about.begun));
    all.gauge("halvm_fibers", "Fibers that there are.").value(fibers());
    all.gauge("halvm_memory_bytes", "Memory that the machine has.").value(memory.total);
    all.gauge("halvm_memory_used_bytes", "Memory that is somebody's.").value(memory.used);
    all.counter("http_connections_total", "Connections that were accepted.").value(web.accepted);
    all.gauge("http_connections_open", "Connections now.").value(web.open);
    all.gauge("http_workers", "Fibers that handle requests.").value(web.workers);
    all.counter("http_requests_total", "Requests that were handled.").value(web.requests);
    all.counter("http_responses_total", "Responses, by the class of their status.");
    for (std::size_t digit = 0; digit < web.responses.size(); ++digit)
        all.value("code", std::to_string(digit + 1) + "xx", web.responses[digit]);
    all.counter("http_received_bytes_total", "Bytes of request bodies.").value(web.received);
    all.counter("http_sent_bytes_total", "Bytes of responses.").value(web.sent);
    all.counter("http_malformed_total", "Requests that could not be read.").value(web.malformed);
    all.counter("http_timeouts_total", "Connections that were too slow.").value(web.timed_out);
    all.counter("http_evicted_total", "Idle connections that made place for others.").value(web.evicted);
    all.counter("http_broken_total", "Connections that broke off.").value(web.broken);
    all.counter("http_no_memory_total", "Times that memory ran out.").value(web.no_memory);
    nic_metrics(all, about.stack);
    all.counter("link_received_frames_total", "Frames that the stack has looked at.").value(net.link.received);
    all.counter("link_transmitted_frames_total", "Frames that the stack has sent.").value(net.link.transmitted);
    all.counter("link_dropped_frames_total", "Frames that the stack has dropped, by reason.")
        .value("reason", "queue full", net.link.queue_full)
        .value("reason", "no link", net.link.no_link)
        .value("reason", "malformed", net.link.bad_frame);
    all.counter("ip_delivered_total", "Packets to us.").value(net.ip.delivered);
    all.counter("ip_sent_total", "Packets from us.").value(net.ip.sent);
    all.counter("tcp_accepted_total", "Connections from others.").value(net.tcp.accepted);
    all.counter("tcp_received_segments_total", "Segments.").value(net.tcp.received);
    all.counter("tcp_sent_segments_total", "Segments.").value(net.tcp.sent);
    all.counter("tcp_retransmitted_segments_total", "Segments that were sent again.").value(net.tcp.retransmitted);
    all.counter("tcp_resets_sent_total", "Resets.").value(net.tcp.resets_sent);
    all.counter("tcp_no_memory_total", "Segments that were not sent because memory had run out.")
        .value(net.tcp.no_memory);
    return std::move(http::response{}.type(http::metrics::media_type).body(all.text()));
}
