// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/xen/xenstore_connection.hpp>

#include <halvm/contract.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

namespace halvm::xen {
namespace {

using detail::store_request;
using detail::store_watch;

/// What one turn takes out of the ring at most, so that a store which never stops to talk starves nobody.
constexpr std::size_t turn_bytes = 2 * XENSTORE_RING_SIZE;

std::string_view header_text(const xsd_sockmsg& header) noexcept {
    return {reinterpret_cast<const char*>(&header), sizeof header};
}

/// A request that nobody waits for, with its text.
struct posted_request {
    posted_request(std::uint32_t type, std::uint32_t transaction, std::string_view text) noexcept
        : request{type, transaction, {text}} {
        request.owner = this;
        request.discard = [](void* owner) noexcept { delete static_cast<posted_request*>(owner); };
    }
    store_request request;
};

}  // namespace

store_request::store_request(std::uint32_t type, std::uint32_t transaction,
                             std::initializer_list<std::string_view> texts) noexcept {
    Expects(texts.size() <= most_parts);
    std::copy(texts.begin(), texts.end(), parts.begin());
    std::size_t size = 0;
    for (const auto text : texts)
        size += text.size();
    header = {type, 0, transaction, static_cast<std::uint32_t>(size)};
}

xenstore_connection::xenstore_connection(xenstore_domain_interface* ring) noexcept : store_operations{this, 0} {
    if (ring == nullptr)
        broken_ = store_errc::absent;
    else
        ring_.emplace(*ring);
}

xenstore_connection::~xenstore_connection() {
    give_up(store_errc::closed);
    Expects(watches_.empty());
}

// Asking.

bool xenstore_connection::call(store_request& request, const wait_limit& limit) noexcept {
    if (broken_) {
        request.failure = broken_;
        return true;
    }
    pending_.push_back(request);
    work_.set();
    const auto how = fiber::this_scheduler().wait(request.answered, limit);
    if (request.done)
        return true;
    withdraw(request);
    request.failure =
        std::make_error_code(how == fiber::wake::timed_out ? std::errc::timed_out : std::errc::operation_canceled);
    return false;
}

void xenstore_connection::post(store_request& request) noexcept {
    if (broken_) {
        complete(request);
        return;
    }
    pending_.push_back(request);
    work_.set();
}

/// The request's memory is going away. What it asks for is taken back when none of it is in the ring; else the store
/// will have to hear the rest of it, and its answer is for nobody.
void xenstore_connection::withdraw(store_request& request) noexcept {
    if (!request.started) {
        pending_.erase(pending_.iterator_to(request));
        return;
    }
    slot& place = slots_[request.header.req_id % slot_count];
    place.who = nullptr;
    if (request.sent)
        return;
    try {
        rest_.reserve(sizeof request.header + request.header.len - front_sent_);
        std::size_t skip = front_sent_;
        const auto keep = [&](std::string_view text) {
            const std::size_t size = std::min(skip, text.size());
            skip -= size;
            rest_ += text.substr(size);
        };
        keep(header_text(request.header));
        for (const auto part : request.parts)
            keep(part);
        pending_.erase(pending_.iterator_to(request));
    } catch (const std::bad_alloc&) {
        // What is in the ring cannot be made whole, nor taken back.
        pending_.erase(pending_.iterator_to(request));
        give_up(store_errc::closed);
    }
    front_sent_ = 0;
}

/// Ends a transaction whose beginning nobody waited for.
void xenstore_connection::end_unseen(std::uint32_t transaction) noexcept {
    constexpr std::string_view no{"F", 2};
    if (auto* const ending = new (std::nothrow) posted_request{XS_TRANSACTION_END, transaction, no})
        post(ending->request);
}

void xenstore_connection::complete(store_request& request) noexcept {
    request.done = true;
    if (request.discard != nullptr)
        request.discard(request.owner);
    else
        fiber::this_scheduler().signal(request.answered);
}

// Being driven.

xenstore_connection::turned xenstore_connection::turn() noexcept {
    work_.reset();
    if (broken_)
        return {};
    bool again = false;
    if (ring_->given_up())
        give_up(store_errc::given_up);
    else
        receive(again);
    if (!broken_)
        send();
    if (broken_)
        return {};
    const bool released = ring_->release();
    const bool published = ring_->publish();
    return {released || published, again};
}

void xenstore_connection::give_up(store_errc why) noexcept {
    if (broken_)
        return;
    broken_ = why;
    rest_.clear();
    front_sent_ = 0;
    for (slot& place : slots_)
        if (auto* const request = std::exchange(place, slot{}).who; request != nullptr && request->sent) {
            request->failure = broken_;
            complete(*request);
        }
    while (!pending_.empty()) {
        store_request& request = pending_.front();
        pending_.pop_front();
        request.failure = broken_;
        complete(request);
    }
    for (store_watch& record : watches_)
        fiber::this_scheduler().signal_all(record.waiting);
    work_.set();
}

// Sending.

void xenstore_connection::send() noexcept {
    auto room = ring_->room();
    if (!room) {
        give_up(store_errc::bad_index);
        return;
    }
    if (!rest_.empty())
        put_rest(*room);
    if (rest_.empty())
        while (!pending_.empty() && put_message(*room)) {}
}

void xenstore_connection::put_rest(std::size_t& room) noexcept {
    const std::size_t size = std::min(room, rest_.size());
    ring_->put(std::string_view{rest_}.substr(0, size));
    rest_.erase(0, size);
    room -= size;
}

/// Puts the first pending request into the ring, or as much of it as fits. True when all of it is there. A message
/// that can be in the ring as a whole goes in as a whole: so it is rare that one must be finished without its fiber.
bool xenstore_connection::put_message(std::size_t& room) noexcept {
    store_request& request = pending_.front();
    const std::size_t size = sizeof request.header + request.header.len;
    if (!request.started) {
        slot* const place = room >= std::min<std::size_t>(size, XENSTORE_RING_SIZE) ? free_slot() : nullptr;
        if (place == nullptr)
            return false;
        *place = {&request, place->uses + 1, true, request.header.type == XS_TRANSACTION_START};
        request.header.req_id = place->uses * slot_count + static_cast<std::uint32_t>(place - slots_.data());
        request.started = true;
        front_sent_ = 0;
    }
    std::size_t skip = front_sent_;
    const auto put = [&](std::string_view text) {
        const std::size_t skipped = std::min(skip, text.size());
        skip -= skipped;
        text = text.substr(skipped, room);
        ring_->put(text);
        room -= text.size();
        front_sent_ += text.size();
    };
    put(header_text(request.header));
    for (const auto part : request.parts)
        put(part);
    if (front_sent_ < size)
        return false;
    pending_.pop_front();
    request.sent = true;
    front_sent_ = 0;
    return true;
}

/// The places are used in turn, so that it takes long until a number comes again.
xenstore_connection::slot* xenstore_connection::free_slot() noexcept {
    for (std::uint32_t i = 0; i < slot_count; ++i) {
        slot& one = slots_[(next_slot_ + i) % slot_count];
        if (!one.taken) {
            next_slot_ = (next_slot_ + i + 1) % slot_count;
            return &one;
        }
    }
    return nullptr;
}

// Receiving.

void xenstore_connection::receive(bool& again) noexcept {
    for (std::size_t budget = turn_bytes; !broken_;) {
        const auto there = ring_->there();
        if (!there) {
            give_up(store_errc::bad_index);
            return;
        }
        if (*there == 0)
            return;
        if (budget == 0) {
            again = true;
            return;
        }
        const std::size_t available = std::min(*there, budget);
        std::size_t size;
        if (received_ < sizeof header_) {
            size = std::min(available, sizeof header_ - received_);
            ring_->take({reinterpret_cast<char*>(&header_) + received_, size});
            received_ += size;
            if (received_ == sizeof header_ && header_.len > XENSTORE_PAYLOAD_MAX)
                give_up(store_errc::bad_length);
        } else {
            const std::size_t have = received_ - sizeof header_;
            size = std::min(available, header_.len - have);
            ring_->take({body_.data() + have, size});
            received_ += size;
        }
        budget -= size;
        if (!broken_ && received_ >= sizeof header_ && received_ == sizeof header_ + header_.len) {
            received_ = 0;
            message_came();
        }
    }
}

void xenstore_connection::message_came() noexcept {
    const std::string_view text{body_.data(), header_.len};
    if (header_.type == XS_WATCH_EVENT) {
        event_came(text);
        return;
    }
    slot& place = slots_[header_.req_id % slot_count];
    if (!place.taken ||
        place.uses * slot_count + static_cast<std::uint32_t>(&place - slots_.data()) != header_.req_id ||
        (place.who != nullptr && !place.who->sent))
        give_up(store_errc::bad_request);
    else
        answer_came(place, text);
}

void xenstore_connection::answer_came(slot& at, std::string_view text) noexcept {
    const bool refused = header_.type == XS_ERROR;
    const slot place = std::exchange(at, slot{nullptr, at.uses, false, false});
    if (place.who == nullptr) {
        if (std::uint32_t id = 0; place.starts_transaction && !refused && !text.empty() &&
                                  parse_number(text.substr(0, text.size() - 1), id) == std::errc{})
            end_unseen(id);
        return;
    }
    store_request& request = *place.who;
    if (!refused && header_.type != request.header.type) {
        at = place;
        give_up(store_errc::bad_type);
        return;
    }
    if (refused)
        request.failure = store_error(text.substr(0, text.find('\0')));
    else
        try {
            request.answer.assign(text);
        } catch (const std::bad_alloc&) {
            request.failure = std::make_error_code(std::errc::not_enough_memory);
        }
    complete(request);
}

void xenstore_connection::event_came(std::string_view text) noexcept {
    const auto path = text.substr(0, text.find('\0'));
    const auto rest = text.substr(std::min(path.size() + 1, text.size()));
    const auto token = rest.substr(0, rest.find('\0'));
    if (path.empty() || token.empty() || path.size() + 1 + token.size() + 1 > text.size()) {
        give_up(store_errc::bad_type);
        return;
    }
    // One that nobody has was set by what ran in this domain before, or was ended before this event was read.
    const auto record = std::ranges::find(watches_, token, &store_watch::token);
    if (record == watches_.end() || record->closing)
        return;
    if (record->overflowed)
        return;
    try {
        if (record->changed.size() < watch::depth)
            record->changed.push_back(std::string{path});
        else
            record->overflowed = true;
    } catch (const std::bad_alloc&) {
        record->overflowed = true;
    }
    fiber::this_scheduler().signal(record->waiting);
}

// Watches.

store_watch::store_watch(std::uint32_t number, std::string_view watched)
    : path{watched}, token{std::to_string(number)}, unwatch{XS_UNWATCH, 0, {path, {"", 1}, token, {"", 1}}} {
    unwatch.owner = this;
    unwatch.discard = [](void* owner) noexcept { delete static_cast<store_watch*>(owner); };
}

/// The record stays until the store has answered, for events may still come; they are for nobody.
void xenstore_connection::close_watch(store_watch& record) noexcept {
    record.closing = true;
    if (record.reset)
        delete &record;
    else
        post(record.unwatch);
}

result<watch> xenstore_connection::watch_path(std::string_view path, const wait_limit& limit) {
    auto made = std::make_unique<store_watch>(++next_watch_, path);
    watches_.push_back(*made);
    const auto done = ask_path("XenStore: watch", XS_WATCH, path, {made->token, {"", 1}}, limit);
    if (done)
        return watch{*this, *made.release()};
    // The store may have set the watch although nobody waits for its answer any more; then this takes it away again.
    if (done.error().code() == std::errc::timed_out || done.error().code() == std::errc::operation_canceled)
        close_watch(*made.release());
    return failure(done.error());
}

result<void> xenstore_connection::reset_watches(const wait_limit& limit) {
    if (const auto done = ask("XenStore: reset watches", {}, XS_RESET_WATCHES, {{"", 1}}, limit); !done)
        return failure(done.error());
    for (store_watch& record : watches_) {
        record.reset = !record.closing;
        fiber::this_scheduler().signal_all(record.waiting);
    }
    return {};
}

bool watch::ready() const noexcept {
    return !record_->changed.empty() || record_->overflowed || record_->reset || connection_->broken_;
}

result<watch_event> watch::next(const wait_limit& limit) {
    constexpr auto attempted = "XenStore: wait for a change of";
    Expects(record_ != nullptr);
    while (!ready())
        if (const auto how = fiber::this_scheduler().wait(record_->waiting, limit); how != fiber::wake::signalled)
            return failure(error{std::make_error_code(how == fiber::wake::timed_out ? std::errc::timed_out
                                                                                    : std::errc::operation_canceled),
                                 attempted, record_->path});
    if (!record_->changed.empty()) {
        watch_event event{std::move(record_->changed.front()), false};
        record_->changed.pop_front();
        return event;
    }
    if (record_->overflowed) {
        watch_event event{record_->path, true};
        record_->overflowed = false;
        return event;
    }
    return failure(error{connection_->broken_ ? connection_->broken_ : store_errc::reset, attempted, record_->path});
}

result<void> watch::end(const wait_limit& limit) {
    Expects(record_ != nullptr);
    store_watch& record = *std::exchange(record_, nullptr);
    const std::unique_ptr<store_watch> owned{&record};
    record.closing = true;
    const auto done = connection_->ask("XenStore: unwatch", record.path, XS_UNWATCH,
                                       {record.path, {"", 1}, record.token, {"", 1}}, limit);
    if (!done)
        return failure(done.error());
    return {};
}

void watch::abandon() noexcept {
    if (record_ != nullptr)
        connection_->close_watch(*std::exchange(record_, nullptr));
}

// Transactions.

result<transaction> xenstore_connection::start_transaction(const wait_limit& limit) {
    constexpr auto attempted = "XenStore: start a transaction";
    const auto text = ask(attempted, {}, XS_TRANSACTION_START, {{"", 1}}, limit);
    if (!text)
        return failure(text.error());
    std::uint32_t id = 0;
    if (text->empty() || parse_number(std::string_view{*text}.substr(0, text->size() - 1), id) != std::errc{} ||
        id == 0)
        return failure(error{store_errc::bad_text, attempted});
    return transaction{this, id};
}

result<void> transaction::end(bool commit, const wait_limit& limit) {
    Expects(connection_ != nullptr);
    auto* const connection = std::exchange(connection_, nullptr);
    const auto attempted = commit ? "XenStore: commit a transaction" : "XenStore: abort a transaction";
    store_request request{XS_TRANSACTION_END, std::exchange(transaction_, 0), {{commit ? "T" : "F", 2}}};
    connection->call(request, limit);
    if (request.failure)
        return failure(error{request.failure, attempted});
    return {};
}

void transaction::abandon() noexcept {
    if (connection_ != nullptr && transaction_ != 0)
        connection_->end_unseen(transaction_);
}

}  // namespace halvm::xen
