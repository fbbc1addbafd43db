// SPDX-License-Identifier: BSD-3-Clause
// A client of the XenStore: the small tree of texts that all domains share for configuration. Everything that it can be
// asked is here; who moves the bytes, when, is xenstore.hpp's business. [docs: misc/xenstore.txt, xen/io/xs_wire.h]
//
// Any number of fibers may ask at the same time. A request lies on the stack of the fiber that waits for its answer;
// the text of the answer is all that is allocated. Requests go out in the order in which they were made, answers may
// come in any.
//
// Every call blocks the calling fiber until the answer is there, or until its limit: then the error is
// std::errc::timed_out or operation_canceled, the request may or may not have been carried out, and an answer that
// comes later is thrown away. Every call can fail with the errors of store_errc, and with what the store answers: see
// there. A path is absolute, or relative to the domain's own place (/local/domain/N). Before anything is sent:
// invalid_argument for an empty path or one with a zero in it, filename_too_long (3072 bytes when absolute, 2048 when
// relative), argument_list_too_long when a request would be longer than the 4096 bytes that one may have.
#pragma once

#include <halvm/fiber/condition.hpp>
#include <halvm/fiber/ring.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>
#include <halvm/xen/numbers.hpp>
#include <halvm/xen/xenstore_ring.hpp>
#include <halvm/xen/xenstore_values.hpp>

#include <boost/intrusive/list.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halvm::xen {

using fiber::wait_limit;

class transaction;
class watch;
class xenstore_connection;

namespace detail {

/// One request, from being made to being answered.
struct store_request {
    static constexpr std::size_t most_parts = 8;

    store_request(std::uint32_t type, std::uint32_t transaction,
                  std::initializer_list<std::string_view> texts) noexcept;

    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>> hook{};
    xsd_sockmsg header{};
    std::array<std::string_view, most_parts> parts;
    std::string answer;
    std::error_code failure;
    bool started = false;  ///< some of it is in the ring
    bool sent = false;     ///< all of it is
    bool done = false;
    void (*discard)(void* owner) noexcept = nullptr;  ///< nobody waits; called once it is answered, or never will be
    void* owner = nullptr;
    fiber::wait_queue answered{"XenStore's answer", true};
};

/// What the store tells about one watched path, until somebody asks for it.
struct store_watch {
    store_watch(std::uint32_t number, std::string_view watched);

    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> hook{};
    std::string path;
    std::string token;
    fiber::detail::ring<std::string> changed;
    bool overflowed = false;
    bool reset = false;    ///< reset_watches() took it away in the store
    bool closing = false;  ///< its owner has gone; the store may still speak of it
    fiber::wait_queue waiting{"XenStore watch", true};
    store_request unwatch;
};

}  // namespace detail

/// What can be asked in a transaction and outside of one.
class store_operations {
public:
    /// The value of a node: any bytes.
    result<std::string> read(std::string_view path, const wait_limit& limit = {});

    /// The value as a number, in decimal or another base.
    /// Errors: std::errc::invalid_argument when it is no number, result_out_of_range when it does not fit.
    template <std::integral Number>
    requires(!std::same_as<Number, bool>) result<Number> read_number(std::string_view path,
                                                                     const wait_limit& limit = {}, int base = 10) {
        auto text = read(path, limit);
        if (!text)
            return failure(text.error());
        Number number{};
        if (const std::errc wrong = parse_number(*text, number, base); wrong != std::errc{})
            return failure(error{std::make_error_code(wrong), "XenStore: read as a number", path});
        return number;
    }
    /// The value as the absolute path of a node. Errors: std::errc::invalid_argument when it is none.
    result<std::string> read_path(std::string_view path, const wait_limit& limit = {});
    /// Where a device's other half stands; a node that is not there is device_state::unknown, as it is before the
    /// toolstack made it and after it removed it.
    /// Errors: std::errc::invalid_argument or result_out_of_range when the value is no state.
    result<device_state> read_state(std::string_view path, const wait_limit& limit = {});
    result<bool> exists(std::string_view path, const wait_limit& limit = {});

    /// Makes the node, and those above it, when they are not there.
    result<void> write(std::string_view path, std::string_view value, const wait_limit& limit = {});
    template <std::integral Number>
    requires(!std::same_as<Number, bool> &&
             !std::same_as<Number, char>) result<void> write(std::string_view path, Number number,
                                                             const wait_limit& limit = {}) {
        std::array<char, 24> text;
        const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
        return write(path, std::string_view{text.data(), end}, limit);
    }
    /// Makes an empty node, and those above it; fine when it is there.
    result<void> mkdir(std::string_view path, const wait_limit& limit = {});
    /// Removes a node with all below it. Fine when it is not there but the node above it is.
    result<void> remove(std::string_view path, const wait_limit& limit = {});

    /// The names below a node, however many: a listing too long for one answer is asked for in parts.
    /// Errors: resource_unavailable_try_again when the node changes faster than its parts can be had, value_too_large
    /// beyond 1 MiB of names.
    result<std::vector<std::string>> directory(std::string_view path, const wait_limit& limit = {});

    result<std::vector<permission>> permissions(std::string_view path, const wait_limit& limit = {});
    /// The first names the owner. Pre: there is one at least.
    result<void> set_permissions(std::string_view path, std::span<const permission> permissions,
                                 const wait_limit& limit = {});

protected:
    store_operations(xenstore_connection* connection, std::uint32_t transaction) noexcept
        : connection_{connection}, transaction_{transaction} {}
    ~store_operations() = default;

    result<std::string> ask(const char* attempted, std::string_view subject, std::uint32_t type,
                            std::initializer_list<std::string_view> parts, const wait_limit& limit);
    result<std::string> ask_path(const char* attempted, std::uint32_t type, std::string_view path,
                                 std::initializer_list<std::string_view> more, const wait_limit& limit);

    xenstore_connection* connection_;
    std::uint32_t transaction_;

private:
    result<std::vector<std::string>> directory_in_parts(std::string_view path, const wait_limit& limit);
};

/// Several operations that take place together or not at all. Nobody else sees them before commit().
/// Ending its life without a commit() throws them away, without blocking.
class [[nodiscard]] transaction : public store_operations {
public:
    transaction(transaction&& other) noexcept
        : store_operations{std::exchange(other.connection_, nullptr), std::exchange(other.transaction_, 0)} {}
    transaction& operator=(transaction&& other) noexcept {
        std::swap(connection_, other.connection_);
        std::swap(transaction_, other.transaction_);
        return *this;
    }
    ~transaction() { abandon(); }

    /// Errors: std::errc::resource_unavailable_try_again when somebody changed what this transaction has used: nothing
    /// of it took place, and it may be tried again from its beginning (see transact()).
    result<void> commit(const wait_limit& limit = {}) { return end(true, limit); }
    /// The same as ending its life, but for waiting until the store has done it.
    result<void> abort(const wait_limit& limit = {}) { return end(false, limit); }

private:
    friend class xenstore_connection;
    transaction(xenstore_connection* connection, std::uint32_t id) noexcept : store_operations{connection, id} {}
    result<void> end(bool commit, const wait_limit& limit);
    void abandon() noexcept;
};

/// Something changed at or below a watched path.
struct watch_event {
    std::string path;        ///< what changed; the watched path itself at first, and when `coalesced`
    bool coalesced = false;  ///< more changed than was kept: look at all that is watched
};

/// Owns a watch of one path and all below it. The first event comes at once, with the path itself; then one for each
/// change, in order. `watch_depth` events are kept: what comes while so many wait is told as one event, after them,
/// that is marked `coalesced`; so it is never lost that something changed.
/// Ending its life ends the watch, without blocking; no fiber may be in next() then.
class [[nodiscard]] watch {
public:
    static constexpr std::size_t depth = 64;

    watch(watch&& other) noexcept
        : connection_{std::exchange(other.connection_, nullptr)}, record_{std::exchange(other.record_, nullptr)} {}
    watch& operator=(watch&& other) noexcept {
        std::swap(connection_, other.connection_);
        std::swap(record_, other.record_);
        return *this;
    }
    ~watch() { abandon(); }

    /// Blocks until something changed. Pre: not moved from.
    /// Errors: timed_out and operation_canceled by the limit, and nothing is lost; those of store_errc.
    result<watch_event> next(const wait_limit& limit = {});
    /// True when next() will not block.
    [[nodiscard]] bool ready() const noexcept;
    /// The same as ending its life, but for waiting until the store has done it.
    result<void> end(const wait_limit& limit = {});

    [[nodiscard]] std::string_view path() const noexcept { return record_->path; }

private:
    friend class xenstore_connection;
    watch(xenstore_connection& connection, detail::store_watch& record) noexcept
        : connection_{&connection}, record_{&record} {}
    void abandon() noexcept;

    xenstore_connection* connection_;
    detail::store_watch* record_;
};

/// The protocol, without the events that drive it: turn() reads and writes what can be, and is called whenever the
/// other end was heard of or there is `work`. So all of it runs in a test against bytes alone.
class xenstore_connection : public store_operations {
public:
    /// `ring` is nullptr when there is none: then all calls fail with store_errc::absent.
    explicit xenstore_connection(xenstore_domain_interface* ring) noexcept;
    /// Who still waits is told store_errc::closed. Pre: no watch and no transaction of it is left.
    ~xenstore_connection();
    xenstore_connection(const xenstore_connection&) = delete;
    xenstore_connection& operator=(const xenstore_connection&) = delete;

    /// How often transact() tries.
    static constexpr unsigned transact_attempts = 32;

    result<transaction> start_transaction(const wait_limit& limit = {});

    /// Calls `work(transaction&)`, which returns some result, and commits; does both again as long as somebody else
    /// was faster, `transact_attempts` times at most. What `work` returned; when that is an error, or it throws, the
    /// transaction is thrown away. The limit is for all attempts together.
    /// Errors: resource_unavailable_try_again when all attempts were in vain.
    template <class Work>
    auto transact(Work&& work, const wait_limit& limit = {}) -> std::invoke_result_t<Work&, transaction&> {
        for (unsigned attempt = 1;; ++attempt) {
            auto begun = start_transaction(limit);
            if (!begun)
                return failure(begun.error());
            auto done = work(*begun);
            if (!done)
                return done;
            const auto committed = begun->commit(limit);
            if (committed)
                return done;
            if (committed.error().code() != std::errc::resource_unavailable_try_again || attempt == transact_attempts)
                return failure(committed.error());
        }
    }

    /// Errors: also those of memory: no_space_on_device and argument_list_too_long when there are too many watches.
    /// A path that begins with '@' is one of the store's own: "@introduceDomain", "@releaseDomain".
    result<watch> watch_path(std::string_view path, const wait_limit& limit = {});
    /// Takes away all watches and transactions that the store knows of this domain, also those of what ran in it
    /// before, after which next() of each watch fails with store_errc::reset.
    result<void> reset_watches(const wait_limit& limit = {});

    /// "/local/domain/N", whether there is such a domain or not.
    result<std::string> domain_path(domid who, const wait_limit& limit = {});

    // For a privileged domain; permission_denied (EACCES) for any other.

    /// Makes a domain known to the store: where its ring is, and the store's end of its event channel.
    result<void> introduce(domid who, gfn ring, port remote, const wait_limit& limit = {});
    result<void> release(domid who, const wait_limit& limit = {});
    result<bool> is_introduced(domid who, const wait_limit& limit = {});
    /// A domain that was shut down goes on: its next shutdown will be noticed again.
    result<void> resume(domid who, const wait_limit& limit = {});
    /// `who` may use the store as if it were `target`, whose devices it serves.
    result<void> set_target(domid who, domid target, const wait_limit& limit = {});
    /// Asks the store itself, as in control({"print", "text"}). Pre: one word at least.
    result<std::string> control(std::initializer_list<std::string_view> words, const wait_limit& limit = {});

    /// The code of store_errc that ended the connection; nothing while it works.
    [[nodiscard]] std::error_code broken() const noexcept { return broken_; }

    // For who drives it.

    struct turned {
        bool notify;  ///< the other end must be told
        bool again;   ///< there is more to do; others should run first
    };
    /// Never blocks, and does a bounded amount of work.
    turned turn() noexcept;
    /// Ends the connection: all who wait fail, and all later calls.
    void give_up(store_errc why) noexcept;
    /// Set when turn() should be called although the other end was not heard of.
    [[nodiscard]] fiber::event& work() noexcept { return work_; }

private:
    friend class store_operations;
    friend class transaction;
    friend class watch;

    template <class Node, auto Hook>
    using list = boost::intrusive::list<Node, boost::intrusive::member_hook<Node, decltype(Node::hook), Hook>,
                                        boost::intrusive::constant_time_size<false>>;
    using requests = list<detail::store_request, &detail::store_request::hook>;
    using watches = list<detail::store_watch, &detail::store_watch::hook>;

    /// Where a request stands from its first byte to its answer. Its number is its place here, and how often the place
    /// was used: so an answer is found at once, and no late one is taken for another's.
    struct slot {
        detail::store_request* who = nullptr;
        std::uint32_t uses = 0;
        bool taken = false;
        bool starts_transaction = false;  ///< which must be ended when nobody waits for it any more
    };
    static constexpr std::uint32_t slot_count = 128;

    /// Sends it and waits. False when the limit came before the answer: `failure` says which.
    bool call(detail::store_request& request, const wait_limit& limit) noexcept;
    /// Sends it; its `discard` is called once it is answered, or never will be.
    void post(detail::store_request& request) noexcept;
    void withdraw(detail::store_request& request) noexcept;
    void end_unseen(std::uint32_t transaction) noexcept;
    void close_watch(detail::store_watch& record) noexcept;

    void receive(bool& again) noexcept;
    void send() noexcept;
    bool put_message(std::size_t& room) noexcept;
    void put_rest(std::size_t& room) noexcept;
    [[nodiscard]] slot* free_slot() noexcept;
    void message_came() noexcept;
    void event_came(std::string_view text) noexcept;
    void answer_came(slot& place, std::string_view text) noexcept;
    static void complete(detail::store_request& request) noexcept;

    std::optional<xenstore_ring> ring_;
    std::error_code broken_;
    fiber::event work_;

    requests pending_;            // not yet in the ring; of the first, a part may be
    std::size_t front_sent_ = 0;  // bytes of the first pending request that are in the ring
    std::string rest_;            // of a request whose fiber went away in the middle of it
    std::array<slot, slot_count> slots_;
    std::uint32_t next_slot_ = 0;

    xsd_sockmsg header_{};      // of the message that is coming in
    std::size_t received_ = 0;  // its bytes that are here, with its header
    std::array<char, XENSTORE_PAYLOAD_MAX> body_;

    watches watches_;
    std::uint32_t next_watch_ = 0;
};

}  // namespace halvm::xen
