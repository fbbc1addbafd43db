// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/http/body.hpp>
#include <halvm/http/message.hpp>
#include <halvm/http/syntax.hpp>

#include <algorithm>

namespace halvm::http {
namespace {

constexpr auto attempted = "read the body of a message";

}  // namespace

result<std::size_t> body_reader::read(bytes into, const fiber::wait_limit& limit) {
    if (into.empty() || is_over())
        return 0;
    auto count = length_.how == body_length::kind::chunked ? read_chunked(into, limit) : read_counted(into, limit);
    if (count)
        total_ += *count;
    return count;
}

bool body_reader::is_over() const noexcept {
    switch (length_.how) {
    case body_length::kind::none: return true;
    case body_length::kind::counted: return total_ == length_.count;
    case body_length::kind::chunked: return chunks_.is_over();
    case body_length::kind::until_end: return ended_;
    }
    return true;
}

result<std::size_t> body_reader::read_counted(bytes into, const fiber::wait_limit& limit) {
    if (length_.how == body_length::kind::counted)
        into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), length_.count - total_)));
    if (const const_bytes there = came_.data(); !there.empty()) {
        const std::size_t count = std::min(into.size(), there.size());
        std::copy_n(there.begin(), count, into.begin());
        came_.consume(count);
        return count;
    }
    auto count = from_.read(into, limit);
    if (count && *count == 0) {
        if (length_.how == body_length::kind::counted)
            return malformed(http_errc::truncated, attempted);
        ended_ = true;
    }
    return count;
}

result<std::size_t> body_reader::read_chunked(bytes into, const fiber::wait_limit& limit) {
    for (;;) {
        const auto step = chunks_.decode(came_.data(), into);
        if (!step)
            return failure(step.error());
        came_.consume(step->taken);
        if (step->given != 0 || chunks_.is_over())
            return step->given;
        // The middle of a large chunk goes past the buffer.
        if (const std::uint64_t direct = chunks_.in_chunk(); direct > into.size()) {
            auto count = from_.read(into, limit);
            if (!count)
                return count;
            if (*count == 0)
                return malformed(http_errc::truncated, attempted);
            chunks_.skip(*count);
            return count;
        }
        const auto more = came_.fill(from_, limit);
        if (!more)
            return more;
        if (*more == 0)
            return malformed(http_errc::truncated, attempted);
    }
}

result<void> body_writer::write(const_bytes part) {
    switch (how_) {
    case coding::none: return {};
    case coding::until_end: return to_.put(part);
    case coding::counted:
        Expects(part.size() <= left_);
        left_ -= part.size();
        return to_.put(part);
    case coding::chunked: break;
    }
    if (part.empty())
        return {};
    if (auto done = to_.put(chunk_size_line{part.size()}.view()); !done)
        return done;
    if (auto done = to_.put(part); !done)
        return done;
    return to_.put("\r\n");
}

void body_writer::trailer(std::string_view name, std::string_view value) {
    Expects(!name.empty() && syntax::all(name, syntax::token) && !is_of_framing(name));
    broken_ = broken_ || !syntax::all(value, syntax::value);
    if (how_ == coding::chunked && !broken_)
        trailers_.append(name).append(": ").append(value).append("\r\n");
}

result<bool> body_writer::finish() {
    if (broken_)
        return false;
    if (how_ != coding::chunked)
        return how_ != coding::counted || left_ == 0;
    for (const std::string_view part :
         {std::string_view{"0\r\n"}, std::string_view{trailers_}, std::string_view{"\r\n"}})
        if (auto done = to_.put(part); !done)
            return failure(done.error());
    return true;
}

}  // namespace halvm::http
