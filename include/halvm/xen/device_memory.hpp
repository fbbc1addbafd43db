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

    /// Grants to `peer`. The table must outlive this and every buffer.
    device_memory(basic_grant_table<Domain>& table, domid peer) noexcept : table_{&table}, peer_{peer} {}
    device_memory(const device_memory&) = delete;
    device_memory& operator=(const device_memory&) = delete;

    [[nodiscard]] domid peer() const noexcept { return peer_; }

    /// Zeroed, `size` bytes long. Errors: std::errc::not_enough_memory, and those of granting.
    result<buffer> allocate(std::size_t size) {
        const std::size_t pages = std::max<std::size_t>(1, (size + page_size - 1) / page_size);
        const auto idle = std::ranges::find(idle_, pages, [](const shared& run) { return run.refs().size(); });
        shared run;
        if (idle != idle_.end()) {
            run = std::move(*idle);
            idle_.erase(idle);
            idle_pages_ -= pages;
            std::ranges::fill(run.bytes(), std::byte{});
        } else {
            auto made = share_pages(*table_, peer_, pages, access::read_write);
            if (!made)
                return failure(made.error());
            run = std::move(*made);
        }
        std::byte* const begin = run.data();
        runs_.emplace(begin, std::move(run));
        return buffer{this->shared_from_this(), begin, size};
    }

    /// The reference of the page that `address` lies in, when that is one of these; 0, which no driver is given, when
    /// it is not.
    [[nodiscard]] grant_ref find(const std::byte* address) const noexcept {
        auto after = runs_.upper_bound(address);
        if (after == runs_.begin())
            return {};
        const shared& run = std::prev(after)->second;
        const auto offset = static_cast<std::size_t>(address - run.data());
        return offset < run.bytes().size() ? run.refs()[offset / page_size] : grant_ref{};
    }

    /// Pages that the peer may use, those kept for the next buffers among them.
    [[nodiscard]] std::size_t pages() const noexcept {
        std::size_t count = idle_pages_;
        for (const auto& [begin, run] : runs_)
            count += run.refs().size();
        return count;
    }

private:
    using shared = basic_shared_pages<Domain>;
    // What a few requests at a time need again and again; more goes back to the domain at once.
    static constexpr std::size_t most_idle_pages = 64;

    void give_back(const std::byte* begin) noexcept {
        auto node = runs_.extract(begin);
        const std::size_t pages = node.mapped().refs().size();
        if (idle_pages_ + pages > most_idle_pages)
            return;
        try {
            idle_.push_back(std::move(node.mapped()));
            idle_pages_ += pages;
        } catch (const std::bad_alloc&) {
            // The run ends with its node.
        }
    }

    basic_grant_table<Domain>* table_;
    domid peer_;
    std::map<const std::byte*, shared, std::less<>> runs_;
    std::vector<shared> idle_;
    std::size_t idle_pages_ = 0;
};

}  // namespace halvm::xen
