// SPDX-License-Identifier: BSD-3-Clause
// What the other end of a console's ring does, of which nothing is trusted. Whatever it writes into the page, nothing
// outside the ring is touched, every call ends, and while it keeps the rules no byte is lost, doubled or changed.
//
// An input is a row of steps: what is done, and with how much; for an index that is scribbled over, its four bytes.
#include "fuzz.hpp"
#include "xen/script.hpp"

#include <halvm/xen/console_ring.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

namespace {

using namespace halvm;
using fuzz::must;

/// The page, and the end of it that is not ours.
struct other_end {
    // Allocated alone, so that the address sanitizer sees what is beside it.
    std::unique_ptr<xencons_interface> page = std::make_unique<xencons_interface>();
    std::string taken;
    std::string given;
    std::uint8_t next = 0;
    bool lies = false;
    int waits = 0;

    void take(std::size_t most) {
        for (; most != 0 && page->out_cons != page->out_prod; --most)
            taken += page->out[page->out_cons++ % sizeof page->out];
    }
    void give(std::size_t most) {
        for (; most != 0 && page->in_prod - page->in_cons < sizeof page->in; --most) {
            given += static_cast<char>(next++);
            page->in[page->in_prod++ % sizeof page->in] = given.back();
        }
    }
    void scribble(std::uint8_t which, std::uint32_t value) {
        XENCONS_RING_IDX* const all[]{&page->out_cons, &page->out_prod, &page->in_cons, &page->in_prod};
        lies = lies || *all[which % 4] != value;
        *all[which % 4] = value;
    }
};

struct channel {
    other_end* other;
    void notify() noexcept {}
    result<void> wait(const fiber::wait_limit&) noexcept {
        must(++other->waits < 10'000, "a call waits no more often than there is to wait for");
        if (other->lies)
            return failure{error{std::make_error_code(std::errc::broken_pipe), "wait"}};
        other->take(700);
        other->give(1);
        return {};
    }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::script input{{reinterpret_cast<const std::byte*>(data), size}};
    other_end other;
    auto& page = *other.page;
    page.out_prod = page.out_cons = input.word();
    page.in_prod = page.in_cons = input.word();
    const auto ends = input.byte() % 2 == 0 ? xen::line_ends::terminal : xen::line_ends::unchanged;
    xen::console_ring console{page, channel{&other}, ends};
    std::string written;
    std::string received;
    while (!input.over()) {
        const std::uint8_t what = input.byte();
        const std::size_t much = std::size_t{input.byte()} * 16;
        switch (what % 6) {
        case 0: {
            std::string text(much, '\0');
            for (std::size_t i = 0; i < much; ++i) {
                text[i] = i % 5 == 0 ? '\n' : static_cast<char>('a' + i % 26);
                if (text[i] == '\n' && ends == xen::line_ends::terminal)
                    written += '\r';
                written += text[i];
            }
            must(console.write(as_bytes(text)) || other.lies, "a write fails for a reason");
            break;
        }
        case 1:
        case 2: {
            std::string room(much, '\0');
            const bytes in = std::as_writable_bytes(std::span{room});
            const auto count = what % 6 == 1 ? console.try_read(in) : console.read(in);
            must(count || other.lies, "a read fails for a reason");
            must(!count || *count <= much, "no more is read than there is room for");
            must(!count || what % 6 == 1 || *count != 0 || much == 0, "a read has one byte at least");
            received += room.substr(0, count.value_or(0));
            break;
        }
        case 3: other.take(much); break;
        case 4: other.give(much); break;
        case 5: other.scribble(static_cast<std::uint8_t>(much / 16), input.word()); break;
        }
        must(console.unsent() <= sizeof page.out, "a ring holds no more than it has room for");
        if (other.lies)
            // Behind scribbled indices the other end itself would read anything.
            page.out_cons = page.out_prod = page.in_prod = page.in_cons = input.word();
    }
    if (!other.lies) {
        other.take(sizeof page.out);
        must(other.taken == written, "what was written is taken as it was");
        must(other.given.starts_with(received), "what was given is read as it was");
    }
    return 0;
}

std::vector<fuzz::input> fuzz::seeds() {
    return {
        from_hex("00000000 00000000 00 00ff 0010 0300 03ff 04ff 01ff 0110 0201 04ff 04ff 02ff"),
        from_hex("fffffff0 ffffffff 01 00ff 00ff 03ff 03ff 04ff 0120 0120 02ff 00ff 02ff 02ff"),
        from_hex("000007ff 000003ff 00 0040 0500 00001000 0010 0110 0040"),
        from_hex("00000000 00000000 01 0040 0503 00000401 0110 0210 0040"),
        from_hex("00000000 00000000 00 0501 ffffffff 0010 0502 80000000 0110"),
    };
}
