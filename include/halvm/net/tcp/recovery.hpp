// SPDX-License-Identifier: BSD-3-Clause
// What was lost, and what is to be sent again: the scoreboard of selective acknowledgments with the pipe algorithm
// [rfc2018] [rfc6675], duplicate acknowledgments where there are none [rfc5681 3.2] [rfc6582], and timeouts [rfc6298].
//
// It is told of acknowledgments, timeouts and what is sent, and answers which bytes count as lost and how many are on
// their way. Who decides by another rule that bytes are lost, or sends something to find out, replaces this part: a
// connection asks next_loss(), pipe() and last_chance() and knows nothing else of it.
#pragma once

#include <halvm/net/tcp/ranges.hpp>

#include <optional>

namespace halvm::net::tcp {

class recovery {
public:
    enum class phase : std::uint8_t {
        open,        ///< nothing is known to be lost
        recovering,  ///< from losses that acknowledgments told of
        timed_out,   ///< from a timeout: all that is not known to have arrived counts as lost
    };
    enum class event : std::uint8_t { nothing, loss, recovered };

    /// An acknowledgment, after it moved the left edge from `before` to `una`.
    struct report {
        tcp_sequence before;
        tcp_sequence una;
        tcp_sequence nxt;  ///< the end of what was sent
        std::uint16_t mss;
        bool selective;  ///< the peer sends selective acknowledgments
        bool duplicate;  ///< in the sense of [rfc5681 2]
        const wire::tcp_sack_blocks* blocks;
    };

    explicit recovery(memory& from) noexcept : arrived_{from} {}

    void start(tcp_sequence una) noexcept { forget(una); }
    [[nodiscard]] phase now() const noexcept { return phase_; }

    event on_acknowledgment(const report& what) noexcept;
    /// Pre: something is on its way.
    void on_timeout(tcp_sequence una, tcp_sequence nxt) noexcept;
    /// Nothing of what was sent counts: it will be sent as if it were new.
    void forget(tcp_sequence una) noexcept;

    /// What is to be sent next because it is lost, at most `mss` of it [rfc6675 4, NextSeg rule 1].
    [[nodiscard]] std::optional<sequence_range> next_loss(tcp_sequence una, tcp_sequence nxt,
                                                          std::uint16_t mss) const noexcept;
    /// What else may be sent again when there is nothing new to send [NextSeg rules 3 and 4].
    [[nodiscard]] std::optional<sequence_range> last_chance(tcp_sequence una, tcp_sequence nxt,
                                                            std::uint16_t mss) const noexcept;
    /// One of these was sent.
    void sent_again(const sequence_range& what) noexcept;

    /// Whether the first lost segment is to go out at once, whatever the window [rfc6675 5, step 4.3].
    [[nodiscard]] bool is_urgent() const noexcept { return urgent_; }
    /// Bytes that are thought to be on their way [rfc6675 4, SetPipe].
    [[nodiscard]] std::uint32_t pipe(tcp_sequence una, tcp_sequence nxt) const noexcept;
    [[nodiscard]] std::uint64_t timeouts_in_row() const noexcept { return timeouts_; }

private:
    static constexpr unsigned duplicate_threshold = 3;

    void note_blocks(const report& what) noexcept;
    void find_lost_edge(const report& what) noexcept;
    [[nodiscard]] std::optional<sequence_range> first_hole(tcp_sequence from, tcp_sequence to,
                                                           std::uint16_t mss) const noexcept;

    range_set arrived_;  // what the peer says so of, beyond the left edge
    phase phase_ = phase::open;
    bool urgent_ = false;
    std::uint8_t duplicates_ = 0;
    std::uint8_t timeouts_ = 0;
    bool found_new_ = false;
    tcp_sequence point_{};      // the recovery ends when all before it is acknowledged
    tcp_sequence high_rxt_{};   // what is before was sent again
    tcp_sequence rescued_{};    // up to where the rescue of this recovery went
    tcp_sequence lost_edge_{};  // all before it, and not known to have arrived, is lost
    std::uint32_t left_ = 0;    // without selective acknowledgments: bytes that duplicates told of
};

}  // namespace halvm::net::tcp
