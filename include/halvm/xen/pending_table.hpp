// SPDX-License-Identifier: BSD-3-Clause
// What a front end has asked and not been answered, by the id that it put into the request. The id comes back from the
// other side, so it may be anything.
#pragma once

#include <halvm/contract.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace halvm::xen {

/// Ids from 0 up to the table's size, each with a `Value` while it is pending. Taking and giving back are O(1); only
/// making the table allocates.
template <class Value>
class pending_table {
public:
    explicit pending_table(std::uint32_t size) : entries_(size) {
        for (std::uint32_t id = size; id-- != 0;)
            entries_[id].next_free = std::exchange(free_, id);
    }

    [[nodiscard]] bool full() const noexcept { return free_ == none; }
    [[nodiscard]] std::uint32_t pending() const noexcept { return count_; }

    /// An id that is not pending. Pre: the table is not full.
    std::uint32_t add(Value value) {
        Expects(!full());
        const std::uint32_t id = free_;
        free_ = entries_[id].next_free;
        entries_[id].value.emplace(std::move(value));
        ++count_;
        return id;
    }

    /// The value of an id that is pending, which it is no more; nothing for any other number.
    std::optional<Value> take(std::uint64_t id) noexcept {
        if (id >= entries_.size() || !entries_[id].value)
            return std::nullopt;
        auto& one = entries_[static_cast<std::size_t>(id)];
        std::optional<Value> value = std::exchange(one.value, std::nullopt);
        one.next_free = std::exchange(free_, static_cast<std::uint32_t>(id));
        --count_;
        return value;
    }

    /// The same without taking it; nullptr for any other number.
    Value* find(std::uint64_t id) noexcept {
        return id < entries_.size() && entries_[id].value ? &*entries_[static_cast<std::size_t>(id)].value : nullptr;
    }

    /// Calls `visit(id, value)` for each that is pending, in the order of their ids.
    template <class Visit>
    void for_each(Visit visit) {
        for (std::uint32_t id = 0; id < entries_.size(); ++id)
            if (entries_[id].value)
                visit(id, *entries_[id].value);
    }

private:
    static constexpr std::uint32_t none = UINT32_MAX;

    struct entry {
        std::optional<Value> value;
        std::uint32_t next_free = none;
    };

    std::vector<entry> entries_;
    std::uint32_t free_ = none;
    std::uint32_t count_ = 0;
};

}  // namespace halvm::xen
