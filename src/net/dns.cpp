// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/dns.hpp>

#include <algorithm>
#include <array>

namespace halvm::net {

using namespace wire;

namespace {

constexpr const char* attempted = "resolve";
constexpr std::size_t greatest_message = 4096;

failure no(dns_errc code) noexcept { return failure(error{make_error_code(code), attempted}); }

class dns_errors final : public std::error_category {
public:
    const char* name() const noexcept override { return "DNS"; }
    std::string message(int value) const override {
        switch (static_cast<dns_errc>(value)) {
        case dns_errc::no_such_name: return "there is no such name";
        case dns_errc::no_data: return "the name has no record of this kind";
        case dns_errc::no_server: return "no name server is configured";
        case dns_errc::server_failed: return "no name server would answer";
        case dns_errc::bad_answer: return "the answer leads nowhere";
        case dns_errc::truncated: return "the answer is too long for a datagram";
        }
        return "unknown error";
    }
};

}  // namespace

const std::error_category& dns_category() noexcept {
    static const dns_errors category;
    return category;
}

/// What one message has brought: an answer, or the name to ask for next.
struct dns_resolver::finding {
    answer found{};
    std::chrono::seconds time{0};
    std::optional<dns_name> next{};
    bool is_partial = false;
};

std::size_t dns_resolver::question_hash::operator()(const question& one) const noexcept {
    std::uint64_t sum = static_cast<std::uint64_t>(one.type);
    one.name.each_label([&](std::span<const std::uint8_t> label) {
        for (const std::uint8_t octet : label)
            sum = sum * 131 + dns_folded(octet);
        sum = sum * 131 + '.';
        return true;
    });
    return reading::mix(sum);
}

dns_resolver& stack::dns() { return service<dns_resolver>(); }

dns_resolver::dns_resolver(stack& own) : stack_{own}, cache_{own.limits().dns_cache} { static_cast<void>(own.udp()); }

result<std::vector<ip_address>> dns_resolver::resolve(std::string_view name, const fiber::wait_limit& limit,
                                                      ip_family family) {
    if (const auto literal = ip_address::parse(name))
        return std::vector{*literal};
    const auto whole = dns_name::parse(name);
    if (!whole)
        return failure(whole.error());
    question what{*whole, family == ip_family::v4 ? dns_type::a : dns_type::aaaa};
    const std::string& domain = stack_.name_service().domain;
    if (!domain.empty() && name.find('.') == std::string_view::npos) {
        const auto longer = dns_name::parse(std::string{name} + '.' + domain);
        if (longer) {
            auto found = look_up({*longer, what.type}, limit);
            if (found)
                return std::move(found->addresses);
            if (found.error().code() != dns_errc::no_such_name && found.error().code() != dns_errc::no_data)
                return failure(found.error());
        }
    }
    auto found = look_up(what, limit);
    if (!found)
        return failure(found.error());
    return std::move(found->addresses);
}

result<std::string> dns_resolver::reverse(const ip_address& address, const fiber::wait_limit& limit) {
    dns_name target;
    const auto known =
        std::find_if(hosts_.begin(), hosts_.end(), [&](const host& one) { return one.address == address; });
    if (known != hosts_.end()) {
        target = known->name;
    } else {
        auto found = look_up({dns_name::reverse_of(address), dns_type::ptr}, limit);
        if (!found)
            return failure(found.error());
        target = found->target;
    }
    std::array<char, 4 * dns_field::greatest_name> room{};
    text_sink out{room};
    describe(target, out);
    std::string text{out.view()};
    if (text.size() > 1)
        text.pop_back();
    return text;
}

result<void> dns_resolver::add_host(std::string_view name, const ip_address& address) {
    const auto parsed = dns_name::parse(name);
    if (!parsed)
        return failure(parsed.error());
    if (hosts_.size() == stack_.limits().dns_hosts)
        return network_failure(std::errc::no_buffer_space, "add a host");
    hosts_.push_back({*parsed, address});
    return {};
}

void dns_resolver::clear_cache() noexcept {
    cache_.for_each([this](entry& one) {
        one.kept = {};
        cache_.erase(one);
    });
}

result<dns_resolver::answer> dns_resolver::look_up(const question& what, const fiber::wait_limit& limit) {
    dns_statistics& counted = stack_.counters().dns;
    answer here;
    for (const host& one : hosts_)
        if (one.name == what.name && (what.type == dns_type::aaaa) == one.address.is_v6() && what.type != dns_type::ptr)
            here.addresses.push_back(one.address);
    if (!here.addresses.empty()) {
        ++counted.cached;
        return here;
    }
    if (entry* const known = cache_.find(what)) {
        if (alarm_clock::now() < known->until) {
            cache_.touch(*known);
            ++counted.cached;
            if (known->kept.negative)
                return no(*known->kept.negative);
            return known->kept;
        }
        known->kept = {};
        cache_.erase(*known);
    }
    return ask(what, limit);
}

result<dns_resolver::answer> dns_resolver::ask(const question& what, const fiber::wait_limit& limit) {
    const std::vector<ip_address> servers = stack_.name_service().servers;
    const std::size_t count = std::min(servers.size(), stack_.limits().dns_servers);
    if (count == 0)
        return no(dns_errc::no_server);
    question now = what;
    std::chrono::seconds time = stack_.limits().dns_longest;
    std::size_t aliases = 0;
    std::optional<error> last;
    auto timeout = stack_.limits().dns_timeout;
    for (unsigned attempt = 0; attempt < stack_.limits().dns_attempts; ++attempt, timeout *= 2) {
        for (std::size_t at = 0; at < count;) {
            const fiber::instant until = fiber::instant_after(timeout);
            auto found = ask_server({servers[at], dns_port}, now, until, limit);
            if (!found) {
                const std::error_code why = found.error().code();
                if (limit.stop.stop_requested() || limit.deadline <= alarm_clock::now() ||
                    why == dns_errc::bad_answer || why == dns_errc::truncated)
                    return failure(found.error());
                last = found.error();
                ++at;
                continue;
            }
            time = std::min(time, found->time);
            if (!found->next) {
                if (!found->is_partial)
                    remember(what, found->found, time);
                if (found->found.negative)
                    return no(*found->found.negative);
                return std::move(found->found);
            }
            // The same server may know the rest.
            if (++aliases > stack_.limits().dns_aliases)
                return no(dns_errc::bad_answer);
            now.name = *found->next;
        }
    }
    return failure(*last);
}

result<dns_resolver::finding> dns_resolver::ask_server(const endpoint& server, const question& what,
                                                       fiber::instant until, const fiber::wait_limit& limit) {
    dns_statistics& counted = stack_.counters().dns;
    // Each question from a port of its own, so that a forger must guess both numbers. [rfc5452 9.2]
    auto socket = stack_.udp().bind();
    if (!socket)
        return failure(socket.error());
    if (auto connected = socket->connect(server); !connected)
        return failure(connected.error());
    const dns_query query{
        .id = static_cast<std::uint16_t>(stack_.random().next()), .name = what.name, .type = what.type};
    std::array<std::byte, dns_field::size + dns_field::greatest_name + dns_field::question_size> room;
    const bytes written = bytes{room}.first(query.size());
    query.write(written);
    ++counted.queries;
    if (auto sent = socket->send(written, limit); !sent)
        return failure(sent.error());
    fiber::wait_limit here = limit;
    here.deadline = std::min(limit.deadline, until);
    for (;;) {
        const auto one = socket->receive_from(here);
        if (!one) {
            if (one.error().code() == std::errc::timed_out)
                ++counted.timeouts;
            return failure(one.error());
        }
        std::vector<std::byte> message(std::min(one->payload.size(), greatest_message));
        one->payload.copy_out(0, message);
        auto view = dns_view::parse(message);
        if (!view || !query.is_answered_by(*view)) {
            ++counted.not_asked;
            continue;
        }
        ++counted.answers;
        const bool is_cut = view->is_truncated();
        if (is_cut) {
            ++counted.truncated;
            if (stream_ != nullptr) {
                auto longer = stream_->ask(server, written, limit);
                if (!longer)
                    return failure(longer.error());
                message = std::move(*longer);
                view = dns_view::parse(message);
                if (!view || !query.is_answered_by(*view))
                    return no(dns_errc::bad_answer);
            }
        }
        if (view->code() != dns_code::no_error && view->code() != dns_code::name_error) {
            ++counted.refused;
            return no(dns_errc::server_failed);
        }
        auto found = read(*view, what);
        if (found && view->is_truncated()) {
            // Some addresses are better than none, but are not all.
            if (found->found.negative || found->next)
                return no(dns_errc::truncated);
            found->is_partial = true;
        }
        return found;
    }
}

/// Follows the aliases within one message. [rfc1034 5.3.3]
result<dns_resolver::finding> dns_resolver::read(const dns_view& message, const question& what) {
    finding made{.time = stack_.limits().dns_longest};
    dns_name name = what.name;
    for (std::size_t aliases = 0;;) {
        std::optional<dns_name> alias;
        bool any = false;
        for (const dns_record_view record : message.answers()) {
            if (record.klass() != dns_class::internet || !(record.name() == name))
                continue;
            if (record.type() == what.type) {
                any = true;
                made.time = std::min(made.time, record.ttl());
                if (what.type == dns_type::ptr)
                    made.found.target = record.target()->to_name();
                else if (made.found.addresses.size() < stack_.limits().dns_addresses)
                    made.found.addresses.push_back(what.type == dns_type::a ? ip_address{*record.ipv4()}
                                                                            : ip_address{*record.ipv6()});
            } else if (record.type() == dns_type::cname) {
                alias = record.target()->to_name();
                made.time = std::min(made.time, record.ttl());
            }
        }
        if (any)
            return made;
        if (!alias)
            break;
        if (++aliases > stack_.limits().dns_aliases)
            return no(dns_errc::bad_answer);
        name = *alias;
    }
    if (message.code() == dns_code::no_error && !(name == what.name)) {
        made.next = name;
        return made;
    }
    made.found.negative = message.code() == dns_code::name_error ? dns_errc::no_such_name : dns_errc::no_data;
    // Without an SOA it is not to be remembered. [rfc2308 5]
    std::chrono::seconds counts{0};
    for (const dns_record_view record : message.authorities())
        if (const auto soa = record.soa())
            counts = std::min({soa->minimum, record.ttl(), stack_.limits().dns_longest_negative});
    made.time = std::min(made.time, counts);
    return made;
}

void dns_resolver::remember(const question& what, const answer& found, std::chrono::seconds time) {
    if (time.count() == 0)
        return;
    // Another fiber may have asked the same.
    entry* one = cache_.find(what);
    if (one == nullptr) {
        if (cache_.full()) {
            entry& old = cache_.least_recent();
            old.kept = {};
            cache_.erase(old);
        }
        one = &cache_.insert(what);
    }
    cache_.touch(*one);
    one->kept = found;
    one->until = fiber::instant_after(time);
}

}  // namespace halvm::net
