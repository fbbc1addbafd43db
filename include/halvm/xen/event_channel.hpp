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
#include <halvm/result.hpp>
#include <halvm/xen/event_fifo.hpp>
#include <halvm/xen/event_signals.hpp>
#include <halvm/xen/platform.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
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
class basic_port : private event_listener {
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

    [[nodiscard]] bool is_open() const noexcept { return attached(); }
    /// What the domain calls it, and tells its peer; 0 when it is closed.
    using event_listener::number;

    /// Signals the other end: a domain's fiber, or for an ipi this port itself. A peer that has not bound yet, or has
    /// closed its end, is no error to Xen; the signal is gone.
    /// Errors: std::errc::invalid_argument for a virq or pirq, which have no other end. Pre: it is open.
    result<void> send() noexcept {
        Expects(is_open());
        evtchn_send_t request{raw(number())};
        return channels_->operate(EVTCHNOP_send, request, "send through port {}", raw(number()));
    }

    /// Blocks until the port is signalled, and takes the signal; one that has come already lets other fibers have
    /// their turn first. The end of the limit does not count against a signal that is there.
    /// Errors: std::errc::broken_pipe when the port was closed meanwhile; timed_out and operation_canceled by the
    /// limit. Pre: it is open.
    result<void> wait(const fiber::wait_limit& limit = {}) noexcept {
        Expects(is_open());
        const auto local = raw(number());
        fiber::waiter here{.queue = &queue()};
        auto how = fiber::wake::timed_out;
        if (const auto pause = pause_before_listening(); pause != 0) {
            const auto over = fiber::this_scheduler().now() + pause;
            how = fiber::this_scheduler().wait_any(here, {std::min(over, limit.deadline), limit.stop});
            if (how == fiber::wake::timed_out && limit.deadline > over)
                how = wait_listening(here, limit);
        } else {
            how = wait_listening(here, limit);
        }
        if (here.handed)
            return failure(
                error{std::make_error_code(std::errc::broken_pipe), "wait for port {}, which was closed", local});
        if (how == fiber::wake::signalled)
            return {};
        const auto code = how == fiber::wake::timed_out ? std::errc::timed_out : std::errc::operation_canceled;
        return failure(error{std::make_error_code(code), "wait for port {}", local});
    }

    /// Takes a signal that has come; false when there is none. Never blocks. Pre: it is open.
    bool take() noexcept {
        Expects(is_open());
        return event_listener::take();
    }
    /// Unmasks the port until its next signal, so that this ends the sleep of the domain although no fiber waits for
    /// it. True when one has come already, which is taken. Never blocks. Pre: it is open.
    bool listen() noexcept {
        Expects(is_open());
        return event_listener::listen();
    }

    /// Says that the signal which ended the last wait() was for nothing. From the second in a row on, wait() does not
    /// listen for a while at first, 1 ms and then twice as long each time, 1 s at most: the time in which a peer that
    /// does nothing but signal leaves this domain alone.
    void was_spurious() noexcept { spurious_ = true; }

    /// Until unmask(), signals are kept and end no wait. Pre: it is open.
    void mask() noexcept {
        Expects(is_open());
        hold();
    }
    /// Pre: it is open.
    void unmask() noexcept {
        Expects(is_open());
        unhold();
    }

    /// From 0, which is told first, to 15; 7 until set. It orders what one poll of the domain finds.
    /// Errors: std::errc::function_not_supported when Xen has no FIFO ABI for the domain, invalid_argument.
    /// Pre: it is open.
    result<void> set_priority(unsigned priority) noexcept {
        Expects(is_open());
        evtchn_set_priority_t request{raw(number()), priority};
        return channels_->operate(EVTCHNOP_set_priority, request, "give port {} the priority {}", raw(number()),
                                  priority);
    }

    /// Ends all waits with std::errc::broken_pipe, and closes the port; the other end finds it unbound. A port that
    /// was adopted stays bound in Xen. Does nothing to one that is closed.
    void close() noexcept {
        if (!is_open())
            return;
        const port local = number();
        detach();
        --channels_->in_use_;
        if (closes_)
            channels_->close_in_xen(local);
    }

    /// Pre: it is open.
    [[nodiscard]] result<port_status> status() const noexcept {
        Expects(is_open());
        return channels_->status(self, number());
    }

private:
    friend class basic_event_channels<Domain>;

    /// A case of select(); see signalled().
    struct signal_case {
        basic_port& on;

        bool ready() noexcept { return on.take_or_listen(); }
        void prepare(fiber::waiter& place) noexcept { place.queue = &on.queue(); }
        void finish(fiber::waiter&) noexcept {}
        fiber::instant deadline() noexcept { return fiber::never; }
    };
    template <Platform Any>
    friend typename basic_port<Any>::signal_case signalled(basic_port<Any>& on) noexcept;

    static constexpr fiber::instant first_pause = 1'000'000;
    static constexpr unsigned longest_pause = 10;  // doubled so often, it is about 1 s

    basic_port(basic_event_channels<Domain>& channels, port local, bool closes) noexcept
        : event_listener{channels, local}, channels_{&channels}, closes_{closes} {
        ++channels.in_use_;
    }

    void take_over(basic_port& other) noexcept {
        event_listener::take_over(other);
        channels_ = other.channels_;
        closes_ = other.closes_;
        spurious_ = other.spurious_;
        pauses_ = other.pauses_;
    }

    /// Takes a signal that is there, and lets others have their turn first; else listens for the next.
    bool take_or_listen() noexcept {
        if (!take() && !listen())
            return false;
        fiber::this_scheduler().yield();
        return true;
    }

    fiber::wake wait_listening(fiber::waiter& here, const fiber::wait_limit& limit) noexcept {
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
    bool closes_ = false;
    bool spurious_ = false;
    std::uint8_t pauses_ = 0;  // spurious signals in a row
};

/// For fiber::select(): the port is signalled, or was closed.
template <Platform Domain>
typename basic_port<Domain>::signal_case signalled(basic_port<Domain>& on) noexcept {
    return {on};
}

/// All ports of a domain. Must outlive each basic_port that it made.
template <Platform Domain>
class basic_event_channels final : public event_dispatch {
public:
    using port_type = basic_port<Domain>;

    constexpr explicit basic_event_channels(Domain& domain) noexcept
        : event_dispatch{domain.shared_info()}, domain_{domain} {}
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
    /// Errors: std::errc::operation_not_permitted unless the domain was given it and has mapped it
    /// (physdev::map_gsi()), file_exists, invalid_argument.
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
        Expects(!listens(existing));
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

    /// Goes over to the FIFO ABI, for good: 131,072 ports, and priorities. Nothing that has come is lost. Does nothing
    /// when it is in use already.
    /// Errors: std::errc::function_not_supported when Xen does not offer it, not_enough_memory; then the 2-level ABI
    /// with its 4096 ports stays.
    result<void> use_fifo() noexcept {
        if (fifo_ != nullptr)
            return {};
        std::unique_ptr<fifo_abi<Domain>> fifo{new (std::nothrow) fifo_abi<Domain>{domain_}};
        if (fifo == nullptr)
            return failure(hypercall_error(-XEN_ENOMEM, "use the FIFO ABI for event channels"));
        port last{};
        for_each([&](port one) { last = std::max(last, one); });
        if (auto started = fifo->start(last); !started)
            return started;
        fifo_.swap(fifo);
        use(*fifo_);
        return {};
    }
    [[nodiscard]] bool uses_fifo() const noexcept { return fifo_ != nullptr; }

    /// How many ports have an owner here.
    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

private:
    friend port_type;

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
        if (const long status = admit(local); status < 0) {
            if (closes)
                close_in_xen(local);
            return failure(hypercall_error(status, attempted, first, second));
        }
        if (in_use_ >= buckets().size())
            more_buckets();
        return port_type{*this, local, closes};
    }

    /// Makes room for the signals of a port: 0, or minus an errno of Xen's.
    long admit(port local) noexcept {
        if (fifo_ != nullptr)
            return fifo_->admit(local);
        return raw(local) < EVTCHN_2L_NR_CHANNELS ? 0 : -XEN_ENOSPC;
    }

    /// Without memory the buckets only grow longer.
    void more_buckets() noexcept {
        const std::size_t count = 4 * buckets().size();
        std::unique_ptr<event_listener* []> more { new (std::nothrow) event_listener* [count] {} };
        if (more == nullptr)
            return;
        use(std::span{more.get(), count});
        more_.swap(more);
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
    std::unique_ptr<fifo_abi<Domain>> fifo_;
    std::unique_ptr<event_listener*[]> more_;
    std::size_t in_use_ = 0;
};

}  // namespace halvm::xen
