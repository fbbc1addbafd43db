// SPDX-License-Identifier: BSD-3-Clause
// A table with a limit, whose memory is taken once. It knows in which order its entries were used, so that whoever
// needs room can give up the one that was not used for longest.
#pragma once

#include <halvm/contract.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace halvm::net {

namespace detail {

struct table_node {
    table_node* before = nullptr;
    table_node* after = nullptr;
    table_node* in_bucket = nullptr;
};

/// What does not depend on what is in a table.
class table_links {
public:
    explicit table_links(std::size_t capacity);
    table_links(const table_links&) = delete;
    table_links& operator=(const table_links&) = delete;

    void add_free(table_node& one) noexcept { one.after = std::exchange(free_, &one); }
    [[nodiscard]] table_node* free() const noexcept { return free_; }
    [[nodiscard]] table_node*& bucket(std::size_t hash) const noexcept { return buckets_[hash & mask_]; }

    /// The free one, as the one that was used least recently.
    void use_free(std::size_t hash) noexcept;
    void touch(table_node& one) noexcept;
    void erase(table_node& one, std::size_t hash) noexcept;

    /// What was used last, and so on; used_ itself ends it.
    [[nodiscard]] table_node* first() const noexcept { return used_.after; }
    [[nodiscard]] table_node* last() const noexcept { return used_.before; }
    [[nodiscard]] bool is_end(const table_node* one) const noexcept { return one == &used_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    static void unlink(table_node& one) noexcept;

    std::unique_ptr<table_node*[]> buckets_;
    std::size_t mask_ = 0;
    std::size_t size_ = 0;
    table_node used_;
    table_node* free_ = nullptr;
};

}  // namespace detail

/// `Entry` has a `key`, and is made once for each place in the table.
template <class Entry, class Hash>
class fixed_table {
    struct node : Entry, detail::table_node {};

public:
    using key_type = decltype(Entry::key);

    /// Throws: std::bad_alloc. Pre: `capacity` is not 0.
    explicit fixed_table(std::size_t capacity) : links_{capacity}, nodes_{new node[capacity]}, capacity_{capacity} {
        for (std::size_t i = capacity; i-- != 0;)
            links_.add_free(nodes_[i]);
    }

    [[nodiscard]] std::size_t size() const noexcept { return links_.size(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool full() const noexcept { return links_.free() == nullptr; }

    [[nodiscard]] Entry* find(const key_type& key) noexcept {
        for (detail::table_node* at = links_.bucket(Hash{}(key)); at != nullptr; at = at->in_bucket)
            if (static_cast<node*>(at)->key == key)
                return static_cast<node*>(at);
        return nullptr;
    }
    /// As the one that was used least recently. Pre: it is not there; the table is not full.
    Entry& insert(const key_type& key) noexcept {
        Expects(!full());
        node& one = static_cast<node&>(*links_.free());
        one.key = key;
        links_.use_free(Hash{}(key));
        return one;
    }
    /// It was used just now.
    void touch(Entry& entry) noexcept { links_.touch(static_cast<node&>(entry)); }
    void erase(Entry& entry) noexcept { links_.erase(static_cast<node&>(entry), Hash{}(entry.key)); }
    /// Pre: there is one.
    [[nodiscard]] Entry& least_recent() noexcept { return static_cast<node&>(*links_.last()); }
    /// `visit(Entry&)`, which may erase it.
    template <class Visit>
    void for_each(Visit visit) {
        for (detail::table_node* at = links_.first(); !links_.is_end(at);)
            visit(static_cast<Entry&>(static_cast<node&>(*std::exchange(at, at->after))));
    }

private:
    detail::table_links links_;
    std::unique_ptr<node[]> nodes_;
    std::size_t capacity_;
};

}  // namespace halvm::net
