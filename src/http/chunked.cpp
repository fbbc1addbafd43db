// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/contract.hpp>
#include <halvm/http/chunked.hpp>
#include <halvm/http/syntax.hpp>

#include <algorithm>
#include <charconv>

namespace halvm::http {
namespace {

constexpr auto attempted = "decode a chunked body";

}  // namespace

result<chunk_decoder::step> chunk_decoder::decode(const_bytes in, bytes out) {
    step done;
    while (done.taken < in.size() && !is_over()) {
        if (state_ != state::data) {
            if (auto good = take_framing(static_cast<char>(in[done.taken])); !good)
                return failure(good.error());
            ++done.taken;
            continue;
        }
        if (done.given == out.size())
            break;
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>({left_, in.size() - done.taken, out.size() - done.given}));
        std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(done.taken), count,
                    out.begin() + static_cast<std::ptrdiff_t>(done.given));
        done.taken += count;
        done.given += count;
        skip(count);
    }
    return done;
}

void chunk_decoder::skip(std::uint64_t count) noexcept {
    Expects(count <= in_chunk());
    left_ -= count;
    if (left_ == 0)
        state_ = state::data_cr;
}

result<void> chunk_decoder::take_framing(char one) {
    const auto expect = [&](char wanted, state next) -> result<void> {
        if (one != wanted)
            return malformed(http_errc::bad_chunk, attempted);
        state_ = next;
        return {};
    };
    switch (state_) {
    case state::first_digit:
    case state::size:
        if (syntax::is(one, syntax::hex)) {
            if (++digits_ > 16)
                return malformed(http_errc::bad_chunk, attempted);
            left_ = left_ << 4 | syntax::hex_value(one);
            state_ = state::size;
            return {};
        }
        if (state_ == state::first_digit)
            return malformed(http_errc::bad_chunk, attempted);
        extensions_ = 0;
        [[fallthrough]];
    case state::blank:
    case state::extension:
    case state::quoted:
    case state::escaped:
        if (++extensions_ > longest_extensions)
            return malformed(http_errc::bad_chunk, attempted);
        if (state_ == state::escaped)
            state_ = state::quoted;
        else if (state_ == state::quoted)
            state_ = one == '"' ? state::extension : one == '\\' ? state::escaped : state::quoted;
        else if (one == '\r' && state_ != state::blank)
            return expect('\r', state::size_end);
        else if (one == ';')
            state_ = state::extension;
        else if (state_ == state::extension && one == '"')
            state_ = state::quoted;
        else if (state_ != state::extension)
            state_ = state::blank;
        // Before the first semicolon there are blanks only.
        if (!syntax::is(one, syntax::value) || (state_ == state::blank && !syntax::is_blank(one)))
            return malformed(http_errc::bad_chunk, attempted);
        return {};
    case state::size_end: digits_ = 0; return expect('\n', left_ == 0 ? state::trailers : state::data);
    case state::data_cr: return expect('\r', state::data_lf);
    case state::data_lf: return expect('\n', state::first_digit);
    case state::trailers:
        if (trailers_.size() == longest_trailers)
            return malformed(http_errc::head_too_large, attempted);
        if (one == '\n' && !trailers_.ends_with('\r'))
            return malformed(http_errc::bad_line_end, attempted);
        trailers_ += one;
        if (trailers_ == "\r\n" || trailers_.ends_with("\r\n\r\n"))
            state_ = state::over;
        return {};
    case state::data:
    case state::over: break;
    }
    return {};
}

chunk_size_line::chunk_size_line(std::uint64_t size) noexcept {
    Expects(size != 0);
    char* const end = std::to_chars(text_.data(), text_.data() + 16, size, 16).ptr;
    end[0] = '\r';
    end[1] = '\n';
    size_ = static_cast<std::size_t>(end + 2 - text_.data());
}

}  // namespace halvm::http
