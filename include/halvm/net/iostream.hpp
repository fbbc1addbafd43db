// SPDX-License-Identifier: BSD-3-Clause
// A connection as the standard library has streams: formatted text in and out, lines, manipulators.
//
//   net::iostream text{stack.tcp().connect("example.org", 25).value()};
//   text << "HELO " << name << "\r\n";
//   for (std::string line; std::getline(text, line);) ...
//
// What is written goes out when 4 KiB have come together, at a flush, and before it is waited for what the peer sends.
// The peer's end of its half is the end of the file; what fails, a limit that comes too, makes the stream bad(), and
// failure() says why. One fiber uses it at a time.
#pragma once

#include <halvm/fiber/clock.hpp>
#include <halvm/net/byte_stream.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <streambuf>
#include <utility>

namespace halvm::net {

template <ByteStream Stream>
class stream_buffer final : public std::streambuf {
public:
    explicit stream_buffer(Stream stream) : stream_{std::move(stream)} {
        setp(out_.data(), out_.data() + out_.size());
        setg(in_.data(), in_.data(), in_.data());
    }
    stream_buffer(const stream_buffer&) = delete;
    stream_buffer& operator=(const stream_buffer&) = delete;
    ~stream_buffer() override {
        if (!failed_)
            static_cast<void>(send());
    }

    [[nodiscard]] Stream& stream() noexcept { return stream_; }
    void set_patience(std::chrono::nanoseconds each) noexcept { patience_ = each; }
    void stop_with(std::stop_token stop) noexcept { stop_ = std::move(stop); }
    [[nodiscard]] const std::optional<error>& failed() const noexcept { return failed_; }

protected:
    int_type underflow() override {
        if (!send())
            throw_failure();
        const auto count = stream_.read(bytes_of(in_), limit());
        if (!count) {
            failed_ = count.error();
            throw_failure();
        }
        setg(in_.data(), in_.data(), in_.data() + *count);
        return *count == 0 ? traits_type::eof() : traits_type::to_int_type(in_[0]);
    }
    int_type overflow(int_type one) override {
        if (!send())
            return traits_type::eof();
        if (!traits_type::eq_int_type(one, traits_type::eof()))
            sputc(traits_type::to_char_type(one));
        return traits_type::not_eof(one);
    }
    int sync() override { return send() ? 0 : -1; }

private:
    using area = std::array<char, 4096>;
    static bytes bytes_of(area& of) noexcept { return std::as_writable_bytes(std::span{of}); }
    [[nodiscard]] fiber::wait_limit limit() const {
        return patience_.count() != 0 ? fiber::within(patience_, stop_) : fiber::wait_limit{stop_};
    }
    bool send() {
        const auto size = static_cast<std::size_t>(pptr() - pbase());
        if (size == 0)
            return !failed_;
        const auto done = stream_.write(const_bytes{bytes_of(out_)}.first(size), limit());
        setp(out_.data(), out_.data() + out_.size());
        if (!done)
            failed_ = done.error();
        return !failed_;
    }
    // The standard's streams turn it into bad(), and an end of file into eof().
    [[noreturn]] void throw_failure() const { throw std::ios_base::failure{failed_->message(), failed_->code()}; }

    Stream stream_;
    std::chrono::nanoseconds patience_{0};
    std::stop_token stop_;
    std::optional<error> failed_;
    area in_;
    area out_;
};

/// Owns the connection; it is given up when this is destroyed, behind what was written.
template <ByteStream Stream>
class iostream final : public std::iostream {
public:
    explicit iostream(Stream stream)
        : std::iostream{nullptr}, buffer_{std::make_unique<stream_buffer<Stream>>(std::move(stream))} {
        rdbuf(buffer_.get());
    }
    iostream(iostream&& other) noexcept : std::iostream{nullptr}, buffer_{std::move(other.buffer_)} {
        rdbuf(buffer_.get());
        setstate(other.rdstate());
        other.rdbuf(nullptr);
    }
    iostream& operator=(iostream&&) = delete;

    /// What it was made of, for its addresses; what is read and written there directly bypasses the buffers.
    [[nodiscard]] Stream& stream() noexcept { return buffer_->stream(); }
    /// Each wait from now on ends after so long; 0: none does. Then the stream is bad().
    void set_patience(std::chrono::nanoseconds each) noexcept { buffer_->set_patience(each); }
    /// And when a stop is asked for.
    void stop_with(std::stop_token stop) noexcept { buffer_->stop_with(std::move(stop)); }
    /// Ends our half, behind what was written. Errors: as ByteStream::write() and shutdown().
    result<void> shutdown() {
        if (!flush())
            return halvm::failure{*buffer_->failed()};
        return buffer_->stream().shutdown();
    }
    /// Why it is bad(); nothing when the peer has merely ended.
    [[nodiscard]] const std::optional<error>& failure() const noexcept { return buffer_->failed(); }

private:
    std::unique_ptr<stream_buffer<Stream>> buffer_;
};

}  // namespace halvm::net
