// SPDX-License-Identifier: BSD-3-Clause
// The chunked transfer coding: a body in pieces, each behind its size, and fields behind the last. [rfc9112 7.1]
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/http/errors.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace halvm::http {

/// Takes the coding off, however the bytes come. A size has one to sixteen hexadecimal digits and nothing before them;
/// every line ends in CR LF. Extensions are read over, up to a limit.
class chunk_decoder {
public:
    static constexpr std::size_t longest_extensions = 1024;  ///< of one chunk, in bytes
    static constexpr std::size_t longest_trailers = 4096;

    struct step {
        std::size_t taken = 0;  ///< of `in`
        std::size_t given = 0;  ///< into `out`
    };
    /// Takes what it can. Stops when `in` is used up, `out` is full, or the body is over.
    /// Errors: bad_chunk; head_too_large for trailers. It cannot be used on then.
    result<step> decode(const_bytes in, bytes out);
    /// How many bytes of the current chunk are left. They can be taken past the decoder, with skip().
    [[nodiscard]] std::uint64_t in_chunk() const noexcept { return state_ == state::data ? left_ : 0; }
    void skip(std::uint64_t count) noexcept;
    [[nodiscard]] bool is_over() const noexcept { return state_ == state::over; }
    /// The lines behind the last chunk, with the empty one; for parse_fields(), once it is over.
    [[nodiscard]] std::string_view trailers() const noexcept { return trailers_; }

private:
    enum class state : std::uint8_t {
        first_digit,
        size,
        blank,
        extension,
        quoted,
        escaped,
        size_end,
        data,
        data_cr,
        data_lf,
        trailers,
        over
    };
    result<void> take_framing(char one);

    state state_ = state::first_digit;
    std::uint64_t left_ = 0;
    std::size_t digits_ = 0;
    std::size_t extensions_ = 0;
    std::string trailers_;
};

/// "1f4\r\n": what goes in front of a chunk. Pre: it is not empty.
class chunk_size_line {
public:
    explicit chunk_size_line(std::uint64_t size) noexcept;
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

private:
    std::array<char, 18> text_;
    std::size_t size_ = 0;
};

}  // namespace halvm::http
