// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/fixed_table.hpp>

#include <bit>

namespace halvm::net::detail {

table_links::table_links(std::size_t capacity) {
    Expects(capacity != 0);
    const std::size_t buckets = std::bit_ceil(capacity);
    buckets_.reset(new table_node* [buckets] {});
    mask_ = buckets - 1;
    used_.before = used_.after = &used_;
}

void table_links::unlink(table_node& one) noexcept {
    one.before->after = one.after;
    one.after->before = one.before;
}

void table_links::use_free(std::size_t hash) noexcept {
    table_node& one = *std::exchange(free_, free_->after);
    one.in_bucket = std::exchange(bucket(hash), &one);
    one.after = &used_;
    one.before = std::exchange(used_.before, &one);
    one.before->after = &one;
    ++size_;
}

void table_links::touch(table_node& one) noexcept {
    if (used_.after == &one)
        return;
    unlink(one);
    one.before = &used_;
    one.after = std::exchange(used_.after, &one);
    one.after->before = &one;
}

void table_links::erase(table_node& one, std::size_t hash) noexcept {
    table_node** at = &bucket(hash);
    while (*at != &one)
        at = &(*at)->in_bucket;
    *at = one.in_bucket;
    unlink(one);
    add_free(one);
    --size_;
}

}  // namespace halvm::net::detail
