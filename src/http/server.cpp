// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/date.hpp>
#include <halvm/http/server.hpp>

#include <charconv>
#include <exception>
#include <new>

namespace halvm::http {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_discarded = 65'536;  // of what a client sends although we have ended
constexpr std::size_t shortest_buffer = 512;

void append_number(std::string& to, std::uint64_t number) {
    std::array<char, 20> digits;
    to.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

}  // namespace

/// A fiber's own memory.
struct server::worker {
    explicit worker(const server_options& options)
        : in{options.head.head + shortest_buffer},
          out{std::max(options.output, shortest_buffer)},
          room(options.head.fields) {}

    input_buffer in;
    output_buffer out;
    std::vector<field> room;
    std::string head;  // of a response
    unsigned turns = 0;
};

server::server(handler by, server_options options) : handler_{std::move(by)}, options_{std::move(options)} {
    if (!spawn_worker())
        throw std::bad_alloc{};
    try {
        fiber::spawn([this] { dispatch(); }, {.name = "http dispatcher", .stack = 16384, .service = true}).detach();
        living_workers_.add();
    } catch (const std::bad_alloc&) {
        close({});
        throw;
    }
}

server::~server() { close(fiber::wait_limit{fiber::this_scheduler().now()}); }

bool server::take(std::unique_ptr<transport> stream, const net::endpoint& peer) {
    if (closing_)
        return false;
    if (statistics_.open >= options_.connections)
        evict();
    if (statistics_.open >= options_.connections)
        return false;
    auto one = std::make_unique<connection>();
    one->home = this;
    one->stream = std::move(stream);
    one->peer = peer;
    one->resume = wake;
    ++statistics_.accepted;
    ++statistics_.open;
    living_connections_.add();
    make_ready(*one.release());
    return true;
}

void server::evict() noexcept {
    if (idle_.empty())
        return;
    ++statistics_.evicted;
    connection& oldest = idle_.front();
    idle_.pop_front();
    oldest.resume = [](fiber::sleeper&) noexcept {};
    fiber::this_scheduler().end_wait(oldest, fiber::wake::stopped, nullptr);
    discard(oldest);
}

/// Runs in whatever signals the stream, and in the scheduler.
void server::wake(fiber::sleeper& waked) noexcept {
    auto& one = static_cast<connection&>(waked);
    server& home = *one.home;
    home.idle_.erase(home.idle_.iterator_to(one));
    home.make_ready(one);
}

void server::make_ready(connection& one) noexcept {
    ready_.push_back(one);
    if (!fiber::this_scheduler().signal(idle_workers_))
        fiber::this_scheduler().signal(dispatcher_);
}

/// Runs behind the fibers that can run: what the workers have left by then, they cannot take because all of them wait.
void server::dispatch() {
    while (!closing_ || statistics_.open != 0) {
        if (!ready_.empty() && statistics_.workers < options_.workers && spawn_worker())
            fiber::yield();
        else
            fiber::this_scheduler().wait(dispatcher_, {});
    }
    living_workers_.done();
}

bool server::spawn_worker() noexcept {
    try {
        auto memory = std::make_unique<worker>(options_);
        fiber::spawn([this, own = std::move(memory)] { run(*own); },
                     {.name = "http worker", .stack = options_.worker_stack, .service = true})
            .detach();
        ++statistics_.workers;
        living_workers_.add();
        return true;
    } catch (const std::bad_alloc&) {
        // Those that are there do the work, in their time.
        ++statistics_.no_memory;
        return false;
    }
}

void server::run(worker& own) {
    constexpr auto patience = 10s;
    for (;;) {
        while (!ready_.empty()) {
            connection& one = ready_.front();
            ready_.pop_front();
            attend(own, one);
        }
        if (closing_ && statistics_.open == 0)
            break;
        const auto how = fiber::this_scheduler().wait(idle_workers_, fiber::within(patience));
        if (how == fiber::wake::timed_out && statistics_.workers > 1 && ready_.empty())
            break;
    }
    --statistics_.workers;
    living_workers_.done();
}

void server::close(const fiber::wait_limit& limit) {
    closing_ = true;
    while (!idle_.empty())
        fiber::this_scheduler().end_wait(idle_.front(), fiber::wake::stopped, nullptr);
    if (!living_connections_.wait(limit)) {
        cut_off_.request_stop();
        while (!idle_.empty())
            fiber::this_scheduler().end_wait(idle_.front(), fiber::wake::stopped, nullptr);
        living_connections_.wait();
    }
    fiber::this_scheduler().signal_all(idle_workers_);
    fiber::this_scheduler().signal_all(dispatcher_);
    living_workers_.wait();
}

void server::discard(connection& one) noexcept {
    delete &one;
    --statistics_.open;
    living_connections_.done();
}

/// Waits for its stream without a fiber. Pre: the stream can be watched.
void server::park(connection& one, fiber::instant deadline) {
    if (one.stream->readable() || deadline <= fiber::this_scheduler().now()) {
        one.how = one.stream->readable() ? fiber::wake::signalled : fiber::wake::timed_out;
        return make_ready(one);
    }
    one.place = {};
    one.place.queue = one.stream->readers();
    idle_.push_back(one);
    fiber::this_scheduler().begin_wait(one, one.place, deadline);
}

void server::attend(worker& own, connection& one) {
    if (cut_off_.stop_requested() || one.how == fiber::wake::stopped)
        return discard(one);
    if (one.now == phase::lingering)
        return linger(one);
    if (one.unread != 0 && !skip(one))
        return;
    own.turns = 0;
    own.out.begin(*one.stream, options_.write_time, cut_off_.get_token());
    next then = next::request;
    try {
        if (one.how == fiber::wake::timed_out) {
            ++statistics_.timed_out;
            then = one.came.empty() ? next::end : refuse(own, one, status::request_timeout);
        }
        own.in.assign(one.came);
        one.came.clear();
        while (then == next::request) {
            std::size_t size = 0;
            then = read_head(own, one, size);
            // One that sends without a pause shares the processor with the others.
            if (++own.turns % 16 == 0)
                fiber::yield();
            if (then == next::request)
                then = handle(own, one, size);
        }
        if (then == next::wait)
            one.came = own.in.text();
    } catch (const std::bad_alloc&) {
        ++statistics_.no_memory;
        then = next::end;
    }
    own.out.end();
    own.in.release();
    if (then == next::wait)
        return park(one,
                    one.came.empty() && one.unread == 0 ? fiber::instant_after(options_.idle_time) : one.head_deadline);
    if (then == next::end)
        return discard(one);
    static_cast<void>(one.stream->shutdown());
    one.now = phase::lingering;
    one.head_deadline = fiber::instant_after(options_.linger_time);
    one.how = fiber::wake::signalled;
    linger(one);
}

/// Takes what the client still sends, so that it can read why we have ended before its sending fails. [rfc9112 9.6]
void server::linger(connection& one) {
    std::array<std::byte, 1024> unread;
    const bool can_wait = one.stream->readers() != nullptr;
    while (one.how != fiber::wake::timed_out && one.discarded < most_discarded) {
        if (can_wait && !one.stream->readable())
            return park(one, one.head_deadline);
        const auto count = one.stream->read(unread, fiber::wait_limit{one.head_deadline, cut_off_.get_token()});
        if (!count || *count == 0)
            break;
        one.discarded += *count;
    }
    discard(one);
}

/// Takes the rest of a body that was answered without it. False when the connection waits for more of it, or has ended.
bool server::skip(connection& one) {
    std::array<std::byte, 1024> unread;
    while (one.unread != 0) {
        if (one.how != fiber::wake::timed_out && !one.stream->readable()) {
            park(one, one.head_deadline);
            return false;
        }
        const bool in_time = one.how != fiber::wake::timed_out;
        const bytes into = bytes{unread}.first(static_cast<std::size_t>(std::min<std::uint64_t>(1024, one.unread)));
        const auto count = in_time ? one.stream->read(into, fiber::wait_limit{one.head_deadline, cut_off_.get_token()})
                                   : result<std::size_t>{0};
        if (!count || *count == 0) {
            ++(in_time ? statistics_.broken : statistics_.timed_out);
            discard(one);
            return false;
        }
        one.unread -= *count;
        statistics_.received += *count;
    }
    one.head_deadline = fiber::never;
    return true;
}

server::next server::read_head(worker& own, connection& one, std::size_t& size) {
    for (;;) {
        const auto end = one.finder.find(own.in.text(), options_.head);
        if (!end)
            return refuse(own, one, status_for(static_cast<http_errc>(end.error().code().value())));
        if (*end != 0) {
            own.in.consume(one.finder.begin());
            size = *end - one.finder.begin();
            one.finder.reset();
            one.head_deadline = fiber::never;
            return next::request;
        }
        if (auto sent = own.out.flush(); !sent) {
            ++statistics_.broken;
            return next::end;
        }
        const bool idle = own.in.text().empty();
        if (idle && closing_)
            return next::end;
        if (!idle && one.head_deadline == fiber::never)
            one.head_deadline = fiber::instant_after(options_.head_time);
        if (one.stream->readers() != nullptr && !one.stream->readable())
            return next::wait;
        const fiber::instant deadline = idle ? fiber::instant_after(options_.idle_time) : one.head_deadline;
        const auto count = own.in.fill(*one.stream, fiber::wait_limit{deadline, cut_off_.get_token()});
        if (count && *count != 0)
            continue;
        if (!count && count.error() == std::make_error_code(std::errc::timed_out)) {
            ++statistics_.timed_out;
            return idle ? next::end : refuse(own, one, status::request_timeout);
        }
        statistics_.broken += !idle;
        return next::end;
    }
}

/// Answers what could not be read, or not in time; the connection ends with that.
server::next server::refuse(worker& own, connection& one, status code) {
    statistics_.malformed += code != status::request_timeout;
    const std::uint64_t before = own.out.total();
    bool broken = false;
    send(own, nullptr, response{code}.html(page_of(code)), true, broken);
    if (!broken && !own.out.flush())
        broken = true;
    statistics_.sent += own.out.total() - before;
    if (options_.log)
        options_.log({one.peer, {}, {}, 1, code, 0, own.out.total() - before, {}});
    return broken ? next::end : next::linger;
}

response server::call(request& ask) noexcept {
    try {
        return handler_(ask);
    } catch (const std::bad_alloc&) {
        ++statistics_.no_memory;
        return response{status::service_unavailable};
    } catch (...) {
        return response{status::internal_server_error};
    }
}

server::next server::handle(worker& own, connection& one, std::size_t size) {
    own.in.keep(size);
    const auto head = parse_request(own.in.kept(), own.room);
    if (!head)
        return refuse(own, one, status_for(static_cast<http_errc>(head.error().code().value())));
    if (head->body.how == body_length::kind::counted && head->body.count > options_.body)
        return refuse(own, one, status::content_too_large);
    const fiber::instant begun = fiber::this_scheduler().now();
    const std::uint64_t before = own.out.total();
    request::reading reading{body_reader{*one.stream, own.in, head->body}, own.out, options_.body, options_.body_time,
                             cut_off_.get_token()};
    request ask{*head, one.peer, reading};
    ++statistics_.requests;
    response answer = head->path == "*"                 ? response{status::no_content}
                      : head->method == method::connect ? response{status::not_implemented}
                                                        : call(ask);

    bool closes = !head->keeps_alive || closing_ || answer.closes();
    const bool cannot_be_read = static_cast<bool>(reading.fault);
    if (cannot_be_read) {
        closes = true;
        const bool ours = reading.fault.category() == http_category();
        if (!ours && reading.fault != std::errc::timed_out) {
            ++statistics_.broken;
            return next::end;
        }
        statistics_.malformed += ours;
        statistics_.timed_out += !ours;
        answer = response{ours ? status_for(static_cast<http_errc>(reading.fault.value())) : status::request_timeout};
    } else if (answer.is_broken()) {
        answer = response{status::internal_server_error};
    }
    if (answer.code() >= status::bad_request && answer.length() == 0)
        answer.html(page_of(answer.code()));
    // A body that nobody wants is read over when it is short; a client that was not told to send it may not.
    const bool withheld = head->expects_continue && !reading.continue_sent && !reading.body.is_over();
    closes = closes || withheld;
    bool broken = false;
    closes = send(own, &*head, answer, closes, broken) || closes;
    std::array<std::byte, 512> unread;
    while (!broken && !closes && !reading.body.is_over()) {
        // What has not come yet holds no worker: many such clients would keep all of them from the others.
        const bool has_come = !own.in.text().empty() || one.stream->readers() == nullptr || one.stream->readable();
        if (!own.out.flush()) {
            broken = true;
        } else if (!has_come) {
            const bool counted = head->body.how == body_length::kind::counted;
            const std::uint64_t left = counted ? head->body.count - reading.body.total() : 0;
            closes = left == 0 || left > most_discarded;
            one.unread = closes ? 0 : left;
            one.head_deadline = fiber::instant_after(options_.body_time);
            break;
        } else if (const auto count =
                       reading.body.read(unread, fiber::within(options_.body_time, cut_off_.get_token()));
                   !count) {
            broken = true;
        } else if (reading.body.total() > most_discarded) {
            closes = true;
        }
    }
    statistics_.received += reading.body.total();
    statistics_.sent += own.out.total() - before;
    if (options_.log)
        options_.log({one.peer, head->method_name, head->target, head->minor_version, answer.code(),
                      reading.body.total(), own.out.total() - before,
                      std::chrono::nanoseconds{fiber::this_scheduler().now() - begun}});
    const bool unread_left = !reading.body.is_over();
    own.in.release();
    if (broken) {
        ++statistics_.broken;
        return next::end;
    }
    if (!closes)
        return one.unread != 0 ? next::wait : next::request;
    if (!own.out.flush())
        return next::end;
    return unread_left || !own.in.text().empty() ? next::linger : next::end;
}

/// Whether the connection must end for the client to see where the response does.
bool server::send(worker& own, const request_head* head, const response& answer, bool closes, bool& broken) {
    using coding = body_writer::coding;
    const bool has_content = !is_without_content(answer.code());
    coding how = coding::none;
    if (has_content)
        how = answer.length() ? coding::counted
                              : (head == nullptr || head->minor_version != 0 ? coding::chunked : coding::until_end);
    const bool until_end = how == coding::until_end;
    closes = closes || until_end;

    std::string& text = own.head;
    text.assign("HTTP/1.1 ");
    append_number(text, static_cast<unsigned>(answer.code()));
    text.append(" ").append(reason_of(answer.code())).append("\r\n").append(date()).append(answer.fields());
    if (how == coding::counted) {
        text += "Content-Length: ";
        append_number(text, *answer.length());
        text += "\r\n";
    } else if (how == coding::chunked) {
        text += "Transfer-Encoding: chunked\r\n";
    }
    if (closes)
        text += "Connection: close\r\n";
    else if (head != nullptr && head->minor_version == 0)
        text += "Connection: keep-alive\r\n";
    text += "\r\n";
    ++statistics_.responses[std::min<std::size_t>(static_cast<unsigned>(answer.code()) / 100 - 1, 4)];

    if (!own.out.put(text)) {
        broken = true;
        return closes;
    }
    if (how == coding::none || (head != nullptr && head->method == method::head))
        return closes;
    body_writer body{own.out, how, answer.length().value_or(0)};
    if (!answer.streamed()) {
        broken = !body.write(answer.content());
        return closes;
    }
    try {
        // What is not whole must not look so: the connection breaks off.
        if (const auto written = answer.streamed()(body); !written)
            broken = true;
        else
            broken = !body.finish().value_or(false);
    } catch (...) {
        broken = true;
    }
    return closes;
}

std::string_view server::date() {
    const auto now = options_.wall_clock != nullptr
                         ? options_.wall_clock()
                         : std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (now != date_of_ || date_line_.empty()) {
        date_of_ = now;
        date_line_.assign("Date: ").append(date_text{now}.view()).append("\r\n");
    }
    return date_line_;
}

}  // namespace halvm::http
