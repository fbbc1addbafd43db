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
#include <new>
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

    /// Pages for data on its way from or to memory that the peer is not given. What was in them before was the same
    /// device's. One that is used again allocates nothing.
    class copies {
    public:
        copies() noexcept = default;
        copies(copies&& other) noexcept : memory_{std::move(other.memory_)}, pages_{std::move(other.pages_)} {}
        copies& operator=(copies&& other) noexcept {
            std::swap(memory_, other.memory_);
            std::swap(pages_, other.pages_);
            return *this;
        }
        ~copies() { release(); }
        /// Gives all of them back.
        void release() noexcept {
            for (const std::uint32_t page : pages_)
                memory_->free_copies_.push_back(page);  // never more than there are: no allocation
            pages_.clear();
            memory_.reset();
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

    /// Adds up to `wanted` pages to `to`, none when all are in use. How many there were.
    /// Errors: those of granting, when there is not one.
    result<std::size_t> take_copies(copies& to, std::size_t wanted) {
        if (to.memory_ == nullptr)
            to.memory_ = this->shared_from_this();
        std::size_t taken = 0;
        for (; taken != wanted; ++taken) {
            if (free_copies_.empty()) {
                if (!may_have_more_copies())
                    break;
                auto made = share_pages(*table_, peer_, 1, access::read_write);
                if (!made && copies_.empty())
                    return failure(made.error());
                if (!made)
                    break;
                free_copies_.push_back(static_cast<std::uint32_t>(copies_.size()));
                copies_.push_back(std::move(*made));
            }
            to.pages_.push_back(free_copies_.back());
            free_copies_.pop_back();
        }
        return taken;
    }

    /// Zeroed, `size` bytes long. Errors: std::errc::not_enough_memory, and those of granting.
    result<buffer> allocate(std::size_t size) {
        const std::size_t pages = std::max<std::size_t>(1, (size + page_size - 1) / page_size);
        auto node = take_idle(pages);
        if (!node && join_idle())
            node = take_idle(pages);
        if (node) {
            const auto place = runs_.insert(std::move(node)).position;
            const bytes all = place->second.memory();
            std::ranges::fill(all, std::byte{});
            return buffer{this->shared_from_this(), all.data(), size};
        }
        auto made = share_pages(*table_, peer_, pages, access::read_write);
        if (!made)
            return failure(made.error());
        const std::size_t to_copy = std::max(copies_.size(), least_copies);
        const bool kept = keeps_ && to_copy + kept_pages_ + pages <= most_pages;
        std::byte* const begin = made->data();
        runs_.emplace(begin, run{std::make_shared<shared>(std::move(*made)), 0, pages, kept});
        kept_pages_ += kept ? pages : 0;
        return buffer{this->shared_from_this(), begin, size};
    }

    /// The reference of the page that `address` lies in, when that is one of these; 0, which no driver is given, when
    /// it is not, or not of those that the peer keeps.
    [[nodiscard]] grant_ref find(const std::byte* address) const noexcept {
        auto after = runs_.upper_bound(address);
        if (after == runs_.begin())
            return {};
        const run& one = std::prev(after)->second;
        const auto offset = static_cast<std::size_t>(address - one.memory().data());
        return offset < one.memory().size() && (one.kept || !keeps_) ? one.pages->refs()[one.first + offset / page_size]
                                                                     : grant_ref{};
    }

private:
    using shared = basic_shared_pages<Domain>;
    /// Some of the pages that were shared together.
    struct run {
        std::shared_ptr<shared> pages;
        std::size_t first = 0;
        std::size_t count = 0;
        bool kept = false;

        [[nodiscard]] bytes memory() const noexcept {
            return pages->bytes().subspan(first * page_size, count * page_size);
        }
    };
    using runs = std::map<const std::byte*, run, std::less<>>;

    // All pages to copy through, those that the peer keeps, and those that wait for the next use, together: a disk with
    // one ring of one page then takes no more than 1.5 MiB. That is these, the ring, a page for each indirect request,
    // and three stacks. It is less than the 1056 pages that Linux's back ends keep of a ring.
    static constexpr std::size_t most_pages = 320;
    // Who has more to copy at once waits.
    static constexpr std::size_t most_copies = 256;
    // So many are left to copy through, whatever is kept.
    static constexpr std::size_t least_copies = 64;

    bool may_have_more_copies() noexcept {
        if (copies_.size() == most_copies)
            return false;
        while (held() >= most_pages && idle_pages_ != 0)
            drop_one_idle();
        return held() < most_pages;
    }
    [[nodiscard]] std::size_t held() const noexcept { return copies_.size() + kept_pages_ + idle_pages_; }

    /// A run of so many pages that waits: one of that size, or the first pages of one that the peer keeps. None when
    /// there is none.
    typename runs::node_type take_idle(std::size_t pages) {
        auto best = idle_.end();
        for (auto one = idle_.begin(); one != idle_.end(); ++one)
            if (size_of(*one) == pages || (one->mapped().kept && size_of(*one) > pages))
                if (best == idle_.end() || size_of(*one) < size_of(*best))
                    best = one;
        if (best == idle_.end())
            return {};
        std::swap(*best, idle_.back());
        if (size_of(idle_.back()) > pages) {
            run& whole = idle_.back().mapped();
            const run rest{whole.pages, whole.first + pages, whole.count - pages, true};
            runs apart;
            apart.emplace(rest.memory().data(), rest);
            idle_.insert(idle_.begin(), apart.extract(apart.begin()));
            idle_.back().mapped().count = pages;
        }
        auto node = std::move(idle_.back());
        idle_.pop_back();
        idle_pages_ -= node.mapped().kept ? 0 : size_of(node);
        return node;
    }

    /// Makes one of the runs that were cut from one and lie side by side again. True when there were any.
    bool join_idle() noexcept {
        const std::size_t before = idle_.size();
        std::ranges::sort(idle_, {}, [](const auto& node) { return node.key(); });
        for (std::size_t i = 1; i < idle_.size();) {
            run& left = idle_[i - 1].mapped();
            const run& right = idle_[i].mapped();
            if (left.pages == right.pages && left.first + left.count == right.first) {
                left.count += right.count;
                idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
            } else {
                ++i;
            }
        }
        return idle_.size() != before;
    }

    void give_back(const std::byte* begin) noexcept {
        auto node = runs_.extract(begin);
        const bool kept = node.mapped().kept;
        const std::size_t pages = size_of(node);
        if (kept || held() + pages <= most_pages) {
            try {
                idle_.push_back(std::move(node));
                idle_pages_ += kept ? 0 : pages;
                return;
            } catch (const std::bad_alloc&) {
                // The run ends with its node.
            }
        }
        kept_pages_ -= kept ? pages : 0;
    }

    void drop_one_idle() noexcept {
        const auto one = std::ranges::find_if(idle_, [](const auto& node) { return !node.mapped().kept; });
        idle_pages_ -= size_of(*one);
        idle_.erase(one);
    }

    static std::size_t size_of(const typename runs::node_type& node) noexcept { return node.mapped().count; }

    basic_grant_table<Domain>* table_;
    domid peer_;
    bool keeps_ = false;
    runs runs_;
    std::vector<typename runs::node_type> idle_;
    std::size_t idle_pages_ = 0;  // in idle_, of those that the peer does not keep
    std::size_t kept_pages_ = 0;  // in use and in idle_
    std::vector<shared> copies_;
    std::vector<std::uint32_t> free_copies_;
};

}  // namespace halvm::xen
