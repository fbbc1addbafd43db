// SPDX-License-Identifier: BSD-3-Clause
// A hash table with a limit: all its memory is taken once, and it knows which entry was used least recently.
#pragma once

#include <halvm/contract.hpp>

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace halvm::net {

/// `Entry` has a member `key`, a std::hash of it, and a default constructor; it stays where it is. An entry that is
/// erased is assigned nothing: its owner clears it.
template <class Entry, class Hash>
class fixed_table {
    struct node : Entry, boost::intrusive::list_base_hook<> {
        node* in_bucket = nullptr;
    };
    using order = boost::intrusive::list<node>;

public:
    using key_type = decltype(Entry::key);

    explicit fixed_table(std::size_t capacity) : capacity_{capacity}, nodes_{new node[capacity]} {
        Expects(capacity != 0);
        std::size_t buckets = 1;
        while (buckets < capacity)
            buckets *= 2;
        buckets_.resize(buckets);
        for (std::size_t i = 0; i < capacity; ++i)
            free_.push_back(nodes_[i]);
    }
    ~fixed_table() {
        used_.clear();
        free_.clear();
    }
    fixed_table(const fixed_table&) = delete;
    fixed_table& operator=(const fixed_table&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return used_.size(); }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool full() const noexcept { return free_.empty(); }

    [[nodiscard]] Entry* find(const key_type& key) noexcept {
        for (node* at = bucket_of(key); at != nullptr; at = at->in_bucket)
            if (at->key == key)
                return at;
        return nullptr;
    }
    /// As the one that was used least recently. Pre: it is not there; the table is not full.
    Entry& insert(const key_type& key) noexcept {
        Expects(!full());
        node& one = free_.front();
        free_.pop_front();
        one.key = key;
        node*& bucket = bucket_of(key);
        one.in_bucket = std::exchange(bucket, &one);
        used_.push_back(one);
        return one;
    }
    /// It was used just now.
    void touch(Entry& entry) noexcept {
        node& one = node_of(entry);
        used_.splice(used_.begin(), used_, used_.iterator_to(one));
    }
    void erase(Entry& entry) noexcept {
        node& one = node_of(entry);
        node** at = &bucket_of(entry.key);
        while (*at != &one)
            at = &(*at)->in_bucket;
        *at = one.in_bucket;
        used_.erase(used_.iterator_to(one));
        free_.push_back(one);
    }
    /// Pre: there is one.
    [[nodiscard]] Entry& least_recent() noexcept { return used_.back(); }
    /// `visit(Entry&)`, which may erase it.
    template <class Visit>
    void for_each(Visit visit) {
        for (auto at = used_.begin(); at != used_.end();)
            visit(static_cast<Entry&>(*at++));
    }

private:
    node*& bucket_of(const key_type& key) noexcept { return buckets_[Hash{}(key) & (buckets_.size() - 1)]; }
    static node& node_of(Entry& entry) noexcept { return static_cast<node&>(entry); }

    std::size_t capacity_;
    std::unique_ptr<node[]> nodes_;
    std::vector<node*> buckets_;
    order used_;
    order free_;
};

}  // namespace halvm::net
