// SPDX-License-Identifier: BSD-3-Clause
// A ring of requests and responses in pages that two domains share, the data path under every split device.
//
// Each end keeps its indices to itself and never reads back what it wrote. What the other end writes is read once:
// an index is checked against what was asked, a slot is copied out before anybody looks at it [XSA-155]. A ring whose
// other end breaks the rules stays broken; nothing else is harmed. [xen/io/ring.h]
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/contract.hpp>
#include <halvm/result.hpp>
#include <halvm/xen/abi.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <type_traits>

namespace halvm::xen {
namespace detail {

/// The head of a ring's first page.
struct ring_head {
    std::uint32_t req_prod;
    std::uint32_t req_event;  ///< the back end wants to be told of the request that makes req_prod this
    std::uint32_t rsp_prod;
    std::uint32_t rsp_event;  ///< the same for responses, by the front end
    std::uint8_t unused[48];
};
static_assert(sizeof(ring_head) == 64);

// Shared: the other end writes half of these at any time. Acquire and release pair with its barriers, so that what an
// index announces is there.
inline std::uint32_t load_index(std::uint32_t& index) noexcept {
    return std::atomic_ref{index}.load(std::memory_order_acquire);
}
inline void store_index(std::uint32_t& index, std::uint32_t value) noexcept {
    std::atomic_ref{index}.store(value, std::memory_order_release);
}

inline failure ring_broken(const char* what) noexcept {
    return failure(error{std::make_error_code(std::errc::protocol_error), what});
}

/// The half of a ring's end that is the same for both: `Put` is what it writes into slots, `Got` what it finds there.
template <class Put, class Got>
class ring_end {
public:
    static_assert(std::is_trivially_copyable_v<Put> && std::is_trivially_copyable_v<Got>);
    static constexpr std::size_t slot_size = std::max(sizeof(Put), sizeof(Got));

    /// How many slots `size` bytes of shared pages hold: a power of two.
    static constexpr std::uint32_t slots_in(std::size_t size) noexcept {
        return static_cast<std::uint32_t>(std::bit_floor((size - sizeof(ring_head)) / slot_size));
    }
    [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }

protected:
    explicit ring_end(bytes pages) noexcept
        : head_{reinterpret_cast<ring_head*>(pages.data())},
          slot_{pages.data() + sizeof(ring_head)},
          slots_{slots_in(pages.size())} {}

    void put(std::uint32_t index, const Put& what) noexcept { std::memcpy(at(index), &what, sizeof what); }
    Got get(std::uint32_t index) const noexcept {
        Got copy;
        std::memcpy(&copy, at(index), sizeof copy);
        // The copy is what counts from here on; the compiler may not read the slot again.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        return copy;
    }

    ring_head* head_;
    bool broken_ = false;

private:
    [[nodiscard]] std::byte* at(std::uint32_t index) const noexcept {
        return slot_ + (index & (slots_ - 1)) * slot_size;
    }

    std::byte* slot_;
    std::uint32_t slots_;
};

}  // namespace detail

/// The end that asks.
template <class Request, class Response>
class front_ring : public detail::ring_end<Request, Response> {
    using base = detail::ring_end<Request, Response>;

public:
    /// `pages` are zeroed, shared with the back end later, and outlive the ring. `start` is the first request's index:
    /// 0 by [xen/io/ring.h], unless both ends have agreed on something else.
    explicit front_ring(bytes pages, std::uint32_t start = 0) noexcept
        : base{pages}, req_prod_{start}, published_{start}, rsp_cons_{start}, rsp_seen_{start} {
        detail::store_index(this->head_->req_prod, start);
        detail::store_index(this->head_->rsp_prod, start);
        // Each end is to be told of the other's first word.
        detail::store_index(this->head_->req_event, start + 1);
        detail::store_index(this->head_->rsp_event, start + 1);
    }

    /// How many more requests there is room for.
    [[nodiscard]] std::uint32_t room() const noexcept { return this->slots() - unanswered(); }
    /// Requests without a response so far.
    [[nodiscard]] std::uint32_t unanswered() const noexcept { return req_prod_ - rsp_cons_; }

    /// The index behind the last response, as the back end says now; nobody has looked whether that can be.
    [[nodiscard]] std::uint32_t produced() const noexcept { return detail::load_index(this->head_->rsp_prod); }

    /// Writes a request, which the back end does not see before publish(). Pre: room() is not 0.
    void push(const Request& request) noexcept {
        Expects(room() != 0);
        this->put(req_prod_++, request);
    }

    /// Shows the back end what was pushed; true when it wants to be told.
    [[nodiscard]] bool publish() noexcept {
        const std::uint32_t before = published_;
        published_ = req_prod_;
        detail::store_index(this->head_->req_prod, req_prod_);
        // Before the question whether it looks by itself: else both could go to sleep.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return req_prod_ - detail::load_index(this->head_->req_event) < req_prod_ - before;
    }

    /// Takes the next response; false when there is none yet, and an event will come with the next one.
    /// Errors: std::errc::protocol_error, from then on, when the back end says that it has answered more than it was
    /// asked.
    result<bool> take(Response& into) noexcept {
        if (this->broken_)
            return detail::ring_broken("use a ring whose back end broke it");
        if (rsp_cons_ == rsp_seen_) {
            if (auto looked = look(); !looked)
                return looked;
            if (rsp_cons_ == rsp_seen_) {
                detail::store_index(this->head_->rsp_event, rsp_cons_ + 1);
                // Before the second look: what came before the back end saw this is seen here.
                std::atomic_thread_fence(std::memory_order_seq_cst);
                if (auto looked = look(); !looked || rsp_cons_ == rsp_seen_)
                    return looked ? result<bool>{false} : looked;
            }
        }
        into = this->get(rsp_cons_++);
        return true;
    }

private:
    result<bool> look() noexcept {
        const std::uint32_t produced = detail::load_index(this->head_->rsp_prod);
        if (produced - rsp_cons_ > published_ - rsp_cons_) {
            this->broken_ = true;
            return detail::ring_broken("take a response: the back end has answered what nobody asked");
        }
        rsp_seen_ = produced;
        return true;
    }

    std::uint32_t req_prod_;
    std::uint32_t published_;
    std::uint32_t rsp_cons_;
    std::uint32_t rsp_seen_;
};

/// The end that answers.
template <class Request, class Response>
class back_ring : public detail::ring_end<Response, Request> {
    using base = detail::ring_end<Response, Request>;

public:
    /// `pages` are what the front end shares, `start` as it made the ring.
    explicit back_ring(bytes pages, std::uint32_t start = 0) noexcept
        : base{pages}, rsp_prod_{start}, published_{start}, req_cons_{start}, req_seen_{start} {}

    /// Requests without a response so far.
    [[nodiscard]] std::uint32_t unanswered() const noexcept { return req_cons_ - rsp_prod_; }

    /// Takes the next request; false when there is none yet, and an event will come with the next one.
    /// Errors: std::errc::protocol_error, from then on, when the front end has asked more than the ring holds.
    result<bool> take(Request& into) noexcept {
        if (this->broken_)
            return detail::ring_broken("use a ring whose front end broke it");
        if (req_cons_ == req_seen_) {
            if (auto looked = look(); !looked)
                return looked;
            if (req_cons_ == req_seen_) {
                detail::store_index(this->head_->req_event, req_cons_ + 1);
                std::atomic_thread_fence(std::memory_order_seq_cst);
                if (auto looked = look(); !looked || req_cons_ == req_seen_)
                    return looked ? result<bool>{false} : looked;
            }
        }
        into = this->get(req_cons_++);
        return true;
    }

    /// Writes a response, which the front end does not see before publish(). Pre: a request is unanswered.
    void push(const Response& response) noexcept {
        Expects(unanswered() != 0);
        this->put(rsp_prod_++, response);
    }

    /// Shows the front end what was pushed; true when it wants to be told.
    [[nodiscard]] bool publish() noexcept {
        const std::uint32_t before = published_;
        published_ = rsp_prod_;
        detail::store_index(this->head_->rsp_prod, rsp_prod_);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return rsp_prod_ - detail::load_index(this->head_->rsp_event) < rsp_prod_ - before;
    }

private:
    result<bool> look() noexcept {
        const std::uint32_t produced = detail::load_index(this->head_->req_prod);
        if (produced - rsp_prod_ > this->slots()) {
            this->broken_ = true;
            return detail::ring_broken("take a request: the front end has asked more than its ring holds");
        }
        req_seen_ = produced;
        return true;
    }

    std::uint32_t rsp_prod_;
    std::uint32_t published_;
    std::uint32_t req_cons_;
    std::uint32_t req_seen_;
};

}  // namespace halvm::xen
