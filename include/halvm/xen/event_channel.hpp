// SPDX-License-Identifier: BSD-3-Clause
// Event channels: what carries a signal, and nothing else, between two domains, or from Xen to one. A domain has one
// basic_event_channels, which binds ports and looks for signals; a basic_port owns one of them and is what fibers
// wait for. [xen/event_channel.h]
//
//   auto port = xen::events().bind_interdomain(peer, theirs).value();
//   port.send();
//   port.wait(fiber::within(1s));
//
// A signal says "look again", and no more: two of them before anybody looked are one. One that comes while nobody
// waits is kept for the next who does. One that comes while fibers wait ends the wait of them all.
//
// A port is unmasked only while somebody waits for it. From a signal to the next wait it stays masked, and what a
// peer sends meanwhile costs this domain nothing; so nobody can keep it busy with signals alone, and each port that
// is signalled without end gets one turn a round of the scheduler, as every other fiber does [XSA-391].
#pragma once

#include <halvm/contract.hpp>
#include <halvm/fiber/scheduler.hpp>
#include <halvm/result.hpp>
#include <halvm/xen/event_signals.hpp>
#include <halvm/xen/platform.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <utility>

namespace halvm::xen {

/// A virtual interrupt. The first row is of each VCPU, the others of the whole domain; those of the third row, Xen
/// raises for dom0 alone, or for whom the toolstack gave that role. [xen/xen.h]
enum class virq : std::uint32_t {
    timer = VIRQ_TIMER,
    debug = VIRQ_DEBUG,
    xenoprof = VIRQ_XENOPROF,
    xenpmu = VIRQ_XENPMU,
    argo = VIRQ_ARGO,
    console = VIRQ_CONSOLE,
    domain_exception = VIRQ_DOM_EXC,
    trace_buffer = VIRQ_TBUF,
    debugger = VIRQ_DEBUGGER,
    console_ring = VIRQ_CON_RING,
    pcpu_state = VIRQ_PCPU_STATE,
    memory_event = VIRQ_MEM_EVENT,
    no_memory = VIRQ_ENOMEM,
    arch_0 = VIRQ_ARCH_0,
    arch_1 = VIRQ_ARCH_1,
    arch_2 = VIRQ_ARCH_2,
    arch_3 = VIRQ_ARCH_3,
    arch_4 = VIRQ_ARCH_4,
    arch_5 = VIRQ_ARCH_5,
    arch_6 = VIRQ_ARCH_6,
    arch_7 = VIRQ_ARCH_7,
};

/// What Xen says of a port.
struct port_status {
    enum class kind : std::uint32_t {
        closed = EVTCHNSTAT_closed,
        unbound = EVTCHNSTAT_unbound,          ///< `remote` may bind to it
        interdomain = EVTCHNSTAT_interdomain,  ///< it is bound to `remote_port` of `remote`
        pirq = EVTCHNSTAT_pirq,                ///< `interrupt` is the number of that, and of a virq
        virq = EVTCHNSTAT_virq,
        ipi = EVTCHNSTAT_ipi,
    };
    kind is = kind::closed;
    std::uint32_t vcpu = 0;  ///< which is told
    domid remote{};
    port remote_port{};
    std::uint32_t interrupt = 0;
};

template <Platform Domain>
class basic_event_channels;

/// Owns a port, and closes it at the end. One that was moved from, or made without arguments, owns none.
/// Move it, and destroy it, while no other fiber is inside one of its functions; close() may be called any time.
template <Platform Domain>
class basic_port {
public:
    basic_port() noexcept = default;
    /// Pre: no fiber waits for `other`.
    basic_port(basic_port&& other) noexcept { take_over(other); }
    basic_port& operator=(basic_port&& other) noexcept {
        if (this != &other) {
            close();
            take_over(other);
        }
        return *this;
    }
    ~basic_port() { close(); }

    [[nodiscard]] bool is_open() const noexcept { return channels_ != nullptr; }
    /// What the domain calls it, and tells its peer; 0 when it is closed.
    [[nodiscard]] port number() const noexcept { return number_; }

    /// Signals the other end: a domain's fiber, or for an ipi this port itself. A peer that has not bound yet, or has
    /// closed its end, is no error to Xen; the signal is gone.
    /// Errors: std::errc::invalid_argument for a virq or pirq, which have no other end. Pre: it is open.
    result<void> send() noexcept {
        Expects(is_open());
        evtchn_send_t request{raw(number_)};
        return channels_->operate(EVTCHNOP_send, request, "send through port {}", raw(number_));
    }

    /// Blocks until the port is signalled, and takes the signal; one that has come already lets other fibers have
    /// their turn first. The end of the limit does not count against a signal that is there.
    /// Errors: std::errc::broken_pipe when the port was closed meanwhile; timed_out and operation_canceled by the
    /// limit. Pre: it is open.
    result<void> wait(const fiber::wait_limit& limit = {}) noexcept {
        Expects(is_open());
        const auto number = raw(number_);
        fiber::waiter here{.queue = &queue_};
        auto how = fiber::wake::timed_out;
        if (const auto pause = pause_before_listening(); pause != 0) {
            const auto over = fiber::this_scheduler().now() + pause;
            how = fiber::this_scheduler().wait_any(here, {std::min(over, limit.deadline), limit.stop});
            if (how == fiber::wake::timed_out && limit.deadline > over)
                how = listen(here, limit);
        } else {
            how = listen(here, limit);
        }
        if (here.handed)
            return failure(error{std::make_error_code(std::errc::broken_pipe), closed_while_waiting, number});
        if (how == fiber::wake::signalled)
            return {};
        const auto code = how == fiber::wake::timed_out ? std::errc::timed_out : std::errc::operation_canceled;
        return failure(error{std::make_error_code(code), "wait for port {}", number});
    }

    /// Takes a signal that has come; false when there is none. Never blocks. Pre: it is open.
    bool take() noexcept {
        Expects(is_open());
        return !held_ && channels_->signals_->take(number_);
    }

    /// Says that the signal which ended the last wait() was for nothing. From the second in a row on, wait() does not
    /// listen for a while at first, 1 ms and then twice as long each time, 1 s at most: the time in which a peer that
    /// does nothing but signal leaves this domain alone.
    void was_spurious() noexcept { spurious_ = true; }

    /// Until unmask(), signals are kept and end no wait.
    void mask() noexcept {
        Expects(is_open());
        held_ = true;
        channels_->signals_->mask(number_);
        listening_ = false;
    }
    void unmask() noexcept {
        Expects(is_open());
        held_ = false;
        if (!queue_.empty() && start_listening())
            fiber::this_scheduler().signal_all(queue_);
    }

    /// Ends all waits with std::errc::broken_pipe, and closes the port; the other end finds it unbound. A port that
    /// was adopted stays bound in Xen. Does nothing to one that is closed.
    void close() noexcept {
        if (!is_open())
            return;
        while (!queue_.empty()) {
            queue_.front().handed = true;
            fiber::this_scheduler().signal(queue_);
        }
        channels_->detach(*this);
        channels_ = nullptr;
        number_ = port{};
    }

    /// Pre: it is open.
    [[nodiscard]] result<port_status> status() const noexcept {
        Expects(is_open());
        return channels_->status(self, number_);
    }

private:
    friend class basic_event_channels<Domain>;

    /// A case of select(); see signalled().
    struct signal_case {
        basic_port& on;

        bool ready() noexcept { return on.take_or_listen(); }
        void prepare(fiber::waiter& place) noexcept { place.queue = &on.queue_; }
        void finish(fiber::waiter&) noexcept {}
        fiber::instant deadline() noexcept { return fiber::never; }
    };
    template <Platform Any>
    friend typename basic_port<Any>::signal_case signalled(basic_port<Any>& on) noexcept;

    static constexpr auto closed_while_waiting = "wait for port {}, which was closed";
    static constexpr fiber::instant first_pause = 1'000'000;
    static constexpr unsigned longest_pause = 10;  // doubled so often, it is about 1 s

    basic_port(basic_event_channels<Domain>& channels, port number, bool closes) noexcept
        : channels_{&channels}, number_{number}, closes_{closes} {}

    void take_over(basic_port& other) noexcept {
        Expects(other.queue_.empty());
        channels_ = std::exchange(other.channels_, nullptr);
        number_ = std::exchange(other.number_, port{});
        closes_ = other.closes_;
        held_ = other.held_;
        listening_ = other.listening_;
        spurious_ = other.spurious_;
        pauses_ = other.pauses_;
        if (channels_ != nullptr)
            channels_->moved(*this);
    }

    /// Unmasks; whether a signal has come before, which is taken.
    bool start_listening() noexcept {
        auto& signals = *channels_->signals_;
        if (!std::exchange(listening_, true))
            signals.unmask(number_);
        return signals.take(number_);
    }

    bool take_or_listen() noexcept {
        Expects(is_open());
        if (held_ || !(channels_->signals_->take(number_) || start_listening()))
            return false;
        fiber::this_scheduler().yield();
        return true;
    }

    fiber::wake listen(fiber::waiter& here, const fiber::wait_limit& limit) noexcept {
        return take_or_listen() ? fiber::wake::signalled : fiber::this_scheduler().wait_any(here, limit);
    }

    fiber::instant pause_before_listening() noexcept {
        if (!std::exchange(spurious_, false)) {
            pauses_ = 0;
            return 0;
        }
        pauses_ = static_cast<std::uint8_t>(std::min(pauses_ + 1u, longest_pause + 2));
        return pauses_ < 2 ? 0 : first_pause << (pauses_ - 2);
    }

    basic_event_channels<Domain>* channels_ = nullptr;
    port number_{};
    bool closes_ = false;
    bool held_ = false;       // masked by who owns it
    bool listening_ = false;  // unmasked
    bool spurious_ = false;
    std::uint8_t pauses_ = 0;  // spurious signals in a row
    fiber::wait_queue queue_{"event channel", true};
};

/// For fiber::select(): the port is signalled, or was closed.
template <Platform Domain>
typename basic_port<Domain>::signal_case signalled(basic_port<Domain>& on) noexcept {
    return {on};
}

/// All ports of a domain. Must outlive each basic_port that it made.
template <Platform Domain>
class basic_event_channels final : private event_sink {
public:
    using port_type = basic_port<Domain>;

    constexpr explicit basic_event_channels(Domain& domain) noexcept
        : domain_{domain}, two_level_{domain.shared_info()} {}
    ~basic_event_channels() {
        if (table_ != first_.data())
            delete[] table_;
    }
    basic_event_channels(const basic_event_channels&) = delete;
    basic_event_channels& operator=(const basic_event_channels&) = delete;

    // Each of the functions that make a port has the errors std::errc::no_space_on_device when the domain has as many
    // ports as the ABI, or the toolstack (`max_event_channels` of xl), allows, and not_enough_memory.

    /// A port that `remote`, and no other domain, may bind to; `self` may be it. Tell it the number.
    [[nodiscard]] result<port_type> alloc_unbound(domid remote) noexcept {
        evtchn_alloc_unbound_t request{DOMID_SELF, raw(remote), 0};
        return bind(EVTCHNOP_alloc_unbound, request, request.port, "make a port for domain {}", raw(remote));
    }

    /// The other end of a port that `remote` allocated for this domain. It is signalled once from the start, because
    /// Xen does not know what the peer has sent before.
    /// Errors: std::errc::no_such_process when there is no such domain, invalid_argument when it has no such port for
    /// us.
    [[nodiscard]] result<port_type> bind_interdomain(domid remote, port remote_port) noexcept {
        evtchn_bind_interdomain_t request{raw(remote), raw(remote_port), 0};
        return bind(EVTCHNOP_bind_interdomain, request, request.local_port, "bind to port {} of domain {}",
                    raw(remote_port), raw(remote));
    }

    /// The port of a virtual interrupt of the domain, or of its VCPU 0.
    /// Errors: std::errc::file_exists when it has a port already, as virq::timer and, in dom0, virq::console have
    /// in a kernel of this library; invalid_argument when Xen knows no such interrupt.
    [[nodiscard]] result<port_type> bind_virq(virq which) noexcept {
        evtchn_bind_virq_t request{static_cast<std::uint32_t>(which), 0, 0};
        return bind(EVTCHNOP_bind_virq, request, request.port, "bind virtual interrupt {}",
                    static_cast<std::uint32_t>(which));
    }

    /// The port of a physical interrupt; `shared` when other domains have it too.
    /// Errors: std::errc::operation_not_permitted unless the domain was given it, file_exists, invalid_argument.
    [[nodiscard]] result<port_type> bind_pirq(pirq which, bool shared = false) noexcept {
        evtchn_bind_pirq_t request{static_cast<std::uint32_t>(which), shared ? BIND_PIRQ__WILL_SHARE : 0u, 0};
        return bind(EVTCHNOP_bind_pirq, request, request.port, "bind physical interrupt {}",
                    static_cast<std::uint32_t>(which));
    }

    /// A port that this domain signals itself by.
    [[nodiscard]] result<port_type> bind_ipi() noexcept {
        evtchn_bind_ipi_t request{0, 0};
        return bind(EVTCHNOP_bind_ipi, request, request.port, "bind an inter-processor interrupt");
    }

    /// Waits for a port that somebody else bound for this domain, as the toolstack does the console's, and does not
    /// close it at the end. Errors: std::errc::invalid_argument when there can be no such port.
    /// Pre: no basic_port has it.
    [[nodiscard]] result<port_type> adopt(port existing) noexcept {
        if (raw(existing) == 0)
            return failure(hypercall_error(-XEN_EINVAL, "adopt port {}", 0));
        return attach(existing, false, "adopt port {}", raw(existing));
    }

    /// Makes a port in another domain, for a third to bind to.
    /// Errors: std::errc::operation_not_permitted unless this domain is privileged, no_such_process.
    [[nodiscard]] result<port> alloc_unbound_for(domid owner, domid remote) noexcept {
        evtchn_alloc_unbound_t request{raw(owner), raw(remote), 0};
        return operate(EVTCHNOP_alloc_unbound, request, "make a port of domain {} for domain {}", raw(owner),
                       raw(remote))
            .map([&] { return port{request.port}; });
    }

    /// Errors: std::errc::invalid_argument when the number is out of range; for a domain other than `self`,
    /// operation_not_permitted unless this one is privileged, no_such_process.
    [[nodiscard]] result<port_status> status(domid owner, port of) noexcept {
        evtchn_status_t request{};
        request.dom = raw(owner);
        request.port = raw(of);
        return operate(EVTCHNOP_status, request, "ask for the state of port {} of domain {}", raw(of), raw(owner))
            .map([&] { return status_of(request); });
    }

    /// Ends the waits of fibers whose ports were signalled. For the machine below the scheduler; cheap when nothing
    /// has come, and at most one turn for each port.
    void poll() noexcept {
        // Shared: Xen sets it after the pending bits, so it is cleared before they are looked at. What comes later
        // sets it again.
        std::atomic_ref upcall{domain_.shared_info().vcpu_info[0].evtchn_upcall_pending};
        if (upcall.load(std::memory_order_relaxed) == 0)
            return;
        upcall.store(0);
        signals_->collect(*this);
    }

    /// How many ports have an owner here.
    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

private:
    friend port_type;

    bool signalled(port local) noexcept override {
        port_type* const owner = raw(local) < size_ ? table_[raw(local)] : nullptr;
        if (owner == nullptr)
            return false;
        owner->listening_ = false;
        return fiber::this_scheduler().signal_all(owner->queue_) != 0;
    }

    template <class Request>
    result<void> operate(int operation, Request& request, const char* attempted, std::uint32_t first = 0,
                         std::uint32_t second = 0) noexcept {
        if (const long status = call(domain_, __HYPERVISOR_event_channel_op, operation, &request); status < 0)
            return failure(hypercall_error(status, attempted, first, second));
        return {};
    }

    template <class Request>
    result<port_type> bind(int operation, Request& request, const evtchn_port_t& bound, const char* attempted,
                           std::uint32_t first = 0, std::uint32_t second = 0) noexcept {
        if (auto done = operate(operation, request, attempted, first, second); !done)
            return failure(done.error());
        return attach(port{bound}, true, attempted, first, second);
    }

    result<port_type> attach(port local, bool closes, const char* attempted, std::uint32_t first,
                             std::uint32_t second = 0) noexcept {
        long status = signals_->admit(local);
        if (status == 0 && !reserve(raw(local)))
            status = -XEN_ENOMEM;
        if (status < 0) {
            if (closes)
                close_in_xen(local);
            return failure(hypercall_error(status, attempted, first, second));
        }
        Expects(table_[raw(local)] == nullptr);
        signals_->mask(local);
        ++in_use_;
        port_type made{*this, local, closes};
        table_[raw(local)] = &made;
        return made;
    }

    bool reserve(std::uint32_t number) noexcept {
        if (number < size_)
            return true;
        const std::size_t size = std::bit_ceil(number + std::size_t{1});
        auto** const grown = new (std::nothrow) port_type* [size] {};
        if (grown == nullptr)
            return false;
        std::copy_n(table_, size_, grown);
        if (table_ != first_.data())
            delete[] table_;
        table_ = grown;
        size_ = size;
        return true;
    }

    void moved(port_type& to) noexcept { table_[raw(to.number_)] = &to; }

    void detach(port_type& one) noexcept {
        signals_->mask(one.number_);
        table_[raw(one.number_)] = nullptr;
        --in_use_;
        if (one.closes_)
            close_in_xen(one.number_);
    }

    /// Xen refuses only for a port that is not bound, and a domain that was reset has none.
    void close_in_xen(port local) noexcept {
        evtchn_close_t request{raw(local)};
        call(domain_, __HYPERVISOR_event_channel_op, EVTCHNOP_close, &request);
    }

    static port_status status_of(const evtchn_status_t& answer) noexcept {
        port_status status{static_cast<port_status::kind>(answer.status), answer.vcpu};
        switch (status.is) {
        case port_status::kind::unbound: status.remote = domid{answer.u.unbound.dom}; break;
        case port_status::kind::interdomain:
            status.remote = domid{answer.u.interdomain.dom};
            status.remote_port = port{answer.u.interdomain.port};
            break;
        case port_status::kind::pirq: status.interrupt = answer.u.pirq; break;
        case port_status::kind::virq: status.interrupt = answer.u.virq; break;
        default: break;
        }
        return status;
    }

    Domain& domain_;
    two_level_signals two_level_;
    event_signals* signals_ = &two_level_;
    std::array<port_type*, 64> first_{};  // enough for most, and there before there is a heap
    port_type** table_ = first_.data();   // by number
    std::size_t size_ = first_.size();
    std::size_t in_use_ = 0;
};

}  // namespace halvm::xen
