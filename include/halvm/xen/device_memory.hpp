// SPDX-License-Identifier: BSD-3-Clause
// Memory that a device's back end may use for as long as the device lives: a driver moves data in it without granting
// anything for a request, and a back end that maps persistently finds the same pages again. It holds nothing but the
// data of that device.
#pragma once

#include <halvm/bytes.hpp>
#include <halvm/xen/grant_access.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace halvm::xen {

template <Platform Domain>
class device_memory : public std::enable_shared_from_this<device_memory<Domain>> {
public:
    /// A run of pages with addresses in a row, for as long as this lives. May outlive the device.
    class buffer {
    public:
        buffer(buffer&& other) noexcept
            : memory_{std::move(other.memory_)}, begin_{other.begin_}, size_{std::exchange(other.size_, 0)} {}
        buffer& operator=(buffer&& other) noexcept {
            std::swap(memory_, other.memory_);
            std::swap(begin_, other.begin_);
            std::swap(size_, other.size_);
            return *this;
        }
        ~buffer() {
            if (memory_ != nullptr)
                memory_->give_back(begin_);
        }
        operator bytes() noexcept { return {begin_, size_}; }
        operator const_bytes() const noexcept { return {begin_, size_}; }

    private:
        friend class device_memory;
        buffer(std::shared_ptr<device_memory> memory, std::byte* begin, std::size_t size) noexcept
            : memory_{std::move(memory)}, begin_{begin}, size_{size} {}

        std::shared_ptr<device_memory> memory_;
        std::byte* begin_;
        std::size_t size_;
    };

    /// Pages for a request's data on its way from or to memory that the peer is not given. What was in them before was
    /// the same device's.
    class copies {
    public:
        copies() noexcept = default;
        copies(copies&& other) noexcept : memory_{std::move(other.memory_)}, pages_{std::move(other.pages_)} {}
        copies& operator=(copies&& other) noexcept {
            std::swap(memory_, other.memory_);
            std::swap(pages_, other.pages_);
            return *this;
        }
        ~copies() {
            for (const std::uint32_t page : pages_)
                memory_->free_copies_.push_back(page);  // never more than there are: no allocation
        }
        [[nodiscard]] std::size_t count() const noexcept { return pages_.size(); }
        [[nodiscard]] bytes page(std::size_t index) noexcept { return memory_->copies_[pages_[index]].bytes(); }
        [[nodiscard]] grant_ref ref(std::size_t index) const noexcept {
            return memory_->copies_[pages_[index]].refs()[0];
        }

    private:
        friend class device_memory;
        std::shared_ptr<device_memory> memory_;
        std::vector<std::uint32_t> pages_;
    };

    /// Grants to `peer`. The table must outlive this and every buffer.
    device_memory(basic_grant_table<Domain>& table, domid peer) : table_{&table}, peer_{peer} {
        copies_.reserve(most_copies);
        free_copies_.reserve(most_copies);
    }
    device_memory(const device_memory&) = delete;
    device_memory& operator=(const device_memory&) = delete;

    [[nodiscard]] domid peer() const noexcept { return peer_; }

    /// Whether the peer keeps what it has mapped once. It keeps so many pages and no more, and these are then the same
    /// ones for as long as the device lives.
    void peer_keeps(bool yes) noexcept { keeps_ = yes; }

    /// Up to `wanted` pages, none when all are in use. Errors: those of granting, when there is not one.
    result<copies> take_copies(std::size_t wanted) {
        copies taken;
        taken.memory_ = this->shared_from_this();
        taken.pages_.reserve(wanted);
        while (taken.count() != wanted) {
            if (free_copies_.empty()) {
                if (copies_.size() == most_copies)
                    break;
                auto made = share_pages(*table_, peer_, 1, access::read_write);
                if (!made && copies_.empty())
                    return failure(made.error());
                if (!made)
                    break;
                free_copies_.push_back(static_cast<std::uint32_t>(copies_.size()));
                copies_.push_back(std::move(*made));
            }
            taken.pages_.push_back(free_copies_.back());
            free_copies_.pop_back();
        }
        return taken;
    }

    /// Zeroed, `size` bytes long. Errors: std::errc::not_enough_memory, and those of granting.
    result<buffer> allocate(std::size_t size) {
        const std::size_t pages = std::max<std::size_t>(1, (size + page_size - 1) / page_size);
        const auto idle = std::ranges::find(idle_, pages, [](const run& one) { return one.pages.refs().size(); });
        run one;
        if (idle != idle_.end()) {
            one = std::move(*idle);
            idle_.erase(idle);
            idle_pages_ -= pages;
            std::ranges::fill(one.pages.bytes(), std::byte{});
        } else {
            auto made = share_pages(*table_, peer_, pages, access::read_write);
            if (!made)
                return failure(made.error());
            one.pages = std::move(*made);
            one.kept = kept_pages_ + pages <= most_kept;
            kept_pages_ += one.kept ? pages : 0;
        }
        std::byte* const begin = one.pages.data();
        runs_.emplace(begin, std::move(one));
        return buffer{this->shared_from_this(), begin, size};
    }

    /// The reference of the page that `address` lies in, when that is one of these; 0, which no driver is given, when
    /// it is not, or not of those that the peer keeps.
    [[nodiscard]] grant_ref find(const std::byte* address) const noexcept {
        auto after = runs_.upper_bound(address);
        if (after == runs_.begin())
            return {};
        const auto& [pages, kept] = std::prev(after)->second;
        const auto offset = static_cast<std::size_t>(address - pages.data());
        return offset < pages.bytes().size() && (kept || !keeps_) ? pages.refs()[offset / page_size] : grant_ref{};
    }

private:
    using shared = basic_shared_pages<Domain>;
    struct run {
        shared pages;
        bool kept = false;
    };
    // What a few requests at a time need again and again; more goes back to the domain at once, unless the peer would
    // still have it.
    static constexpr std::size_t most_idle_pages = 64;
    // Together with the ring's own pages less than the 1056 that Linux's back ends keep of a ring.
    static constexpr std::size_t most_kept = 640;
    // Who has more to copy at once waits, so that a disk with one ring of one page never takes more than 1.5 MiB: that
    // is these, the ring, a page for each indirect request, and two stacks.
    static constexpr std::size_t most_copies = 256;

    void give_back(const std::byte* begin) noexcept {
        auto node = runs_.extract(begin);
        run& one = node.mapped();
        const std::size_t pages = one.pages.refs().size();
        const bool stays = keeps_ && one.kept;
        if (stays || idle_pages_ + pages <= most_idle_pages) {
            try {
                idle_.push_back(std::move(one));
                idle_pages_ += pages;
                return;
            } catch (const std::bad_alloc&) {
                // The run ends with its node.
            }
        }
        kept_pages_ -= one.kept ? pages : 0;
    }

    basic_grant_table<Domain>* table_;
    domid peer_;
    bool keeps_ = false;
    std::map<const std::byte*, run, std::less<>> runs_;
    std::vector<run> idle_;
    std::size_t idle_pages_ = 0;
    std::size_t kept_pages_ = 0;
    std::vector<shared> copies_;
    std::vector<std::uint32_t> free_copies_;
};

}  // namespace halvm::xen
