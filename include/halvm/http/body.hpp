// SPDX-License-Identifier: BSD-3-Clause
// The body of a message as it is read, and as it is written: whichever way its length is said.
#pragma once

#include <halvm/http/chunked.hpp>
#include <halvm/http/head.hpp>
#include <halvm/http/transport.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace halvm::http {

class body_reader {
public:
    /// `came` holds the head, as kept, and what came behind it.
    body_reader(transport& from, input_buffer& came, const body_length& length) noexcept
        : from_{from}, came_{came}, length_{length} {}

    /// Blocks until there is something; 0 at the body's end, or for an empty `into`.
    /// Errors: http_errc::truncated when the peer ended too early; bad_chunk, head_too_large; those of the stream.
    result<std::size_t> read(bytes into, const fiber::wait_limit& limit);
    [[nodiscard]] bool is_over() const noexcept;
    /// How much has been read.
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    /// The lines behind a chunked body that is over; empty otherwise. For parse_fields().
    [[nodiscard]] std::string_view trailers() const noexcept { return chunks_.trailers(); }

private:
    result<std::size_t> read_counted(bytes into, const fiber::wait_limit& limit);
    result<std::size_t> read_chunked(bytes into, const fiber::wait_limit& limit);

    transport& from_;
    input_buffer& came_;
    body_length length_;
    bool ended_ = false;
    std::uint64_t total_ = 0;
    chunk_decoder chunks_{};
};

/// Where a handler writes a body that it makes bit by bit.
class body_writer {
public:
    enum class coding : std::uint8_t { counted, chunked, until_end, none };

    body_writer(output_buffer& to, coding how, std::uint64_t length = 0) noexcept : to_{to}, how_{how}, left_{length} {}

    /// Blocks while the peer is slow. Pre: no more than the length that was announced.
    /// Errors: those of the stream: the peer is gone, or too slow.
    result<void> write(const_bytes part);
    result<void> write(std::string_view part) { return write(as_bytes(part)); }
    /// What was written goes out now.
    result<void> flush() { return to_.flush(); }
    /// A field behind the body, known only when that is made: a checksum. It reaches clients of HTTP/1.1 when the
    /// body's length was not announced; the others do without. A value that may not stand in a field breaks the
    /// response off. Pre: the name is a token, and none that says how the message is framed. [rfc9110 6.5]
    /// Throws: std::bad_alloc.
    void trailer(std::string_view name, std::string_view value);

    /// Ends it; for who made the writer. False when less was written than was announced, or a trailer is broken.
    result<bool> finish();

private:
    output_buffer& to_;
    coding how_;
    bool broken_ = false;
    std::uint64_t left_;
    std::string trailers_{};
};

}  // namespace halvm::http
