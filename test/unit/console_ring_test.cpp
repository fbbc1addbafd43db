// SPDX-License-Identifier: BSD-3-Clause
// The Xen console's data path against a back end in the same process, which also misbehaves.
#include <doctest/doctest.h>
#include <halvm/xen/console_ring.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>

namespace {

using halvm::as_bytes;

constexpr auto protocol_error = std::errc::protocol_error;
constexpr auto broken_pipe = std::errc::broken_pipe;

/// The page that both ends share, and the back end's view of it.
struct shared_page {
    static constexpr std::uint32_t out_size = sizeof(xencons_interface::out);
    static constexpr std::uint32_t in_size = sizeof(xencons_interface::in);

    // Allocated alone, so that the address sanitizer sees a write beside it.
    std::unique_ptr<xencons_interface> memory = std::make_unique<xencons_interface>();
    std::string taken;                                     ///< what the back end took
    int notified = 0;                                      ///< events that came to the back end
    int waits = 0;                                         ///< times that the front end was suspended
    std::function<bool()> on_wait = [] { return false; };  ///< what happens meanwhile; false: nothing ever will

    explicit shared_page(std::uint32_t first_index = 0) {
        memory->out_prod = memory->out_cons = memory->in_prod = memory->in_cons = first_index;
    }

    std::uint32_t waiting() const { return memory->out_prod - memory->out_cons; }
    void take(std::uint32_t most) {
        for (std::uint32_t left = std::min(most, waiting()); left != 0; --left)
            taken += memory->out[memory->out_cons++ % out_size];
    }
    void give(std::string_view text) {
        for (const char c : text)
            memory->in[memory->in_prod++ % in_size] = c;
    }
};

struct events {
    shared_page* page;
    void notify() noexcept { ++page->notified; }
    halvm::result<void> wait(const halvm::fiber::wait_limit&) noexcept {
        ++page->waits;
        if (page->on_wait())
            return {};
        return halvm::failure{halvm::error{std::make_error_code(broken_pipe), "wait"}};
    }
};
static_assert(halvm::xen::ConsoleEvents<events>);

using ring = halvm::xen::console_ring<events>;

std::string read_text(ring& console, std::size_t size) {
    std::string text(size, '\0');
    const auto count = console.try_read(std::as_writable_bytes(std::span{text}));
    REQUIRE(count.has_value());
    text.resize(*count);
    return text;
}

std::error_code code(std::errc condition) { return std::make_error_code(condition); }

TEST_CASE("console ring: a text goes out at once and the back end is told once") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    CHECK(console.write(as_bytes("Hello world!\n")).has_value());
    CHECK(page.notified == 1);
    CHECK(page.waits == 0);
    CHECK(console.unsent() == 14);
    page.take(100);
    CHECK(page.taken == "Hello world!\r\n");
    CHECK(console.unsent() == 0);
}

TEST_CASE("console ring: a full ring suspends the writer until the back end takes something") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    const std::string text(shared_page::out_size, 'x');
    CHECK(console.write(as_bytes(text)).has_value());
    CHECK(page.waits == 0);
    CHECK(page.waiting() == shared_page::out_size);

    page.on_wait = [&] {
        CHECK(page.waiting() == shared_page::out_size);
        if (page.waits == 3)  // the first two wake-ups bring no room
            page.take(1);
        return true;
    };
    CHECK(console.write(as_bytes("y")).has_value());
    CHECK(page.waits == 3);
    page.take(shared_page::out_size);
    CHECK(page.taken == text + "y");
}

TEST_CASE("console ring: the back end is told of each piece before the writer waits for room") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    page.on_wait = [&] {
        CHECK(page.notified == page.waits);
        page.take(shared_page::out_size);
        return true;
    };
    CHECK(console.write(as_bytes(std::string(5 * shared_page::out_size, 'x'))).has_value());
    CHECK(page.waits == 4);
    CHECK(page.notified == 5);
}

TEST_CASE("console ring: no byte is lost, doubled or reordered, whatever the back end's pace") {
    std::mt19937 random{2026};
    // Also from just below the point where the indices themselves wrap around.
    for (const std::uint32_t first : {0U, 1U, 2047U, 0xffff'f000U, 0xffff'ffffU}) {
        CAPTURE(first);
        shared_page page{first};
        ring console{*page.memory, events{&page}};
        page.on_wait = [&] {
            page.take(1 + static_cast<std::uint32_t>(random() % 700));
            return true;
        };
        std::string expected;
        for (int round = 0; round < 300; ++round) {
            std::string text(random() % 500, '\0');
            for (char& c : text)
                c = random() % 16 == 0 ? '\n' : static_cast<char>(random());
            for (const char c : text)
                expected += c == '\n' ? "\r\n" : std::string(1, c);
            REQUIRE(console.write(as_bytes(text)).has_value());
        }
        page.take(shared_page::out_size);
        CHECK(page.waits > 0);
        CHECK(page.taken == expected);
    }
}

TEST_CASE("console ring: a line end goes in whole, also where the ring's memory wraps and where one byte is free") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    CHECK(console.write(as_bytes(std::string(shared_page::out_size - 1, 'x'))).has_value());
    page.on_wait = [&] {
        CHECK(page.waiting() == shared_page::out_size - 1);  // not a '\r' alone
        page.take(1);
        return true;
    };
    CHECK(console.write(as_bytes("\n")).has_value());
    CHECK(page.waits == 1);
    CHECK(page.memory->out[shared_page::out_size - 1] == '\r');
    CHECK(page.memory->out[0] == '\n');
}

TEST_CASE("console ring: to a program a line end goes as it is") {
    shared_page page;
    ring console{*page.memory, events{&page}, halvm::xen::line_ends::unchanged};
    CHECK(console.write(as_bytes("a\nb\r\n")).has_value());
    page.take(100);
    CHECK(page.taken == "a\nb\r\n");
}

TEST_CASE("console ring: an impossible index of the back end is an error and writes nothing") {
    for (const std::uint32_t consumed : {1U, 5U, 0x8000'0000U, 0U - shared_page::out_size - 1}) {
        CAPTURE(consumed);
        shared_page page;
        ring console{*page.memory, events{&page}};
        page.memory->out_cons = consumed;
        const auto before = *page.memory;
        const auto written = console.write(as_bytes("text"));
        REQUIRE_FALSE(written.has_value());
        CHECK(written.error() == code(protocol_error));
        CHECK(std::memcmp(&before, page.memory.get(), sizeof before) == 0);
        CHECK(console.unsent() <= shared_page::out_size);
    }
}

TEST_CASE("console ring: a back end that goes mad while the writer waits is an error too") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    page.on_wait = [&] {
        page.memory->out_cons = page.memory->out_prod + 1;
        return true;
    };
    const auto written = console.write(as_bytes(std::string(2 * shared_page::out_size, 'x')));
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error() == code(protocol_error));
}

TEST_CASE("console ring: our own indices are not read back from the shared page") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    CHECK(console.write(as_bytes("abc")).has_value());
    page.give("xyz");
    page.memory->out_prod = 77;
    page.memory->in_cons = 99;
    CHECK(console.write(as_bytes("def")).has_value());
    CHECK(page.memory->out_prod == 6);
    page.take(100);
    CHECK(page.taken == "abcdef");
    CHECK(read_text(console, 10) == "xyz");
    CHECK(page.memory->in_cons == 3);
}

TEST_CASE("console ring: goes on behind what was written around it") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    REQUIRE(console.write(as_bytes("one ")).has_value());
    for (const char c : std::string_view{"two "})
        page.memory->out[page.memory->out_prod++] = c;
    console.written_around(4);
    CHECK(console.write(as_bytes("three")).has_value());
    page.take(100);
    CHECK(page.taken == "one two three");
}

TEST_CASE("console ring: goes on where an earlier owner of the ring stopped") {
    shared_page page;
    REQUIRE(ring{*page.memory, events{&page}}.write(as_bytes("early ")).has_value());
    page.give("typed");
    ring console{*page.memory, events{&page}};
    CHECK(console.write(as_bytes("late")).has_value());
    page.take(100);
    CHECK(page.taken == "early late");
    CHECK(read_text(console, 10) == "typed");
}

TEST_CASE("console ring: a writer that would wait for ever is told that the other side is gone") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    const auto written = console.write(as_bytes(std::string(shared_page::out_size + 1, 'x')));
    REQUIRE_FALSE(written.has_value());
    CHECK(written.error() == code(broken_pipe));
    CHECK(page.waiting() == shared_page::out_size);
}

TEST_CASE("console ring: try_read takes what is there, in pieces, and frees its room") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    CHECK(read_text(console, 10).empty());
    CHECK(page.notified == 0);
    page.give("abcdef");
    CHECK(read_text(console, 4) == "abcd");
    CHECK(page.memory->in_cons == 4);
    CHECK(page.notified == 1);
    CHECK(read_text(console, 4) == "ef");
    CHECK(read_text(console, 4).empty());
    CHECK(page.notified == 2);
    CHECK(page.waits == 0);
}

TEST_CASE("console ring: input wraps around the ring and the indices without losing a byte") {
    for (const std::uint32_t first : {0U, 1023U, 0xffff'fff0U}) {
        CAPTURE(first);
        shared_page page{first};
        ring console{*page.memory, events{&page}};
        std::mt19937 random{7};
        std::string given;
        std::string received;
        while (given.size() < 20'000) {
            const std::uint32_t room = shared_page::in_size - (page.memory->in_prod - page.memory->in_cons);
            std::string text(random() % (room + 1), '\0');
            for (char& c : text)
                c = static_cast<char>(random());
            page.give(text);
            given += text;
            received += read_text(console, random() % 1500);
        }
        received += read_text(console, shared_page::in_size);
        CHECK(received == given);
    }
}

TEST_CASE("console ring: read waits for the first byte and no longer") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    page.on_wait = [&] {
        if (page.waits == 2)  // the first wake-up is for something else
            page.give("k");
        return true;
    };
    std::array<std::byte, 8> room;
    CHECK(console.read(room).value() == 1);
    CHECK(room[0] == std::byte{'k'});
    CHECK(page.waits == 2);
    CHECK(console.read({}).value() == 0);
    CHECK(page.waits == 2);
}

TEST_CASE("console ring: a reader that would wait for ever is told that the other side is gone") {
    shared_page page;
    ring console{*page.memory, events{&page}};
    std::array<std::byte, 8> room;
    CHECK(console.read(room).error() == code(broken_pipe));
}

TEST_CASE("console ring: more input than the ring holds is an error and reads nothing") {
    for (const std::uint32_t produced : {shared_page::in_size + 1, 0x8000'0000U, 0xffff'ffffU}) {
        CAPTURE(produced);
        shared_page page;
        ring console{*page.memory, events{&page}};
        page.memory->in_prod = produced;
        std::array<std::byte, 8> room;
        CHECK(console.try_read(room).error() == code(protocol_error));
        CHECK(console.read(room).error() == code(protocol_error));
        CHECK(page.memory->in_cons == 0);
        CHECK(page.waits == 0);
    }
}

}  // namespace
