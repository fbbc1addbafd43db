// SPDX-License-Identifier: BSD-3-Clause
// How two guests of one program find each other and take turns, without a page or a port between them: each tells in
// the XenStore, in nodes of its own that the other may read. `role=offer` on the command line learns of its partner
// by the node data/peer, which pair_test.py writes; `role=take` by `peer=N`.
#pragma once

#include "report.hpp"

#include <halvm/xen/domain.hpp>
#include <halvm/xen/event_channel.hpp>
#include <halvm/xen/grants.hpp>
#include <halvm/xen/store.hpp>

#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

/// Blocks until the node can be read: it is there, and its owner lets this domain. Its value.
inline std::string read_when_there(const std::string& path) {
    auto& store = halvm::xen::store();
    auto watch = store.watch_path(path).value();
    for (;;) {
        static_cast<void>(watch.next().value());
        auto text = store.read(path);
        if (text)
            return std::move(*text);
        const auto why = text.error().code();
        if (why != std::errc::no_such_file_or_directory && why != std::errc::permission_denied)
            return std::move(text.value());  // throws
    }
}

class partner {
public:
    /// Blocks until it is known.
    partner() : own_{own()}, id_{find(own_)} {}
    /// Another one, whose number stands in this node of our own.
    explicit partner(const char* node) : own_{own()}, id_{number(read_when_there(home(own_) + '/' + node))} {}

    [[nodiscard]] halvm::xen::domid id() const noexcept { return id_; }

    /// Lets the partner hear() these numbers, once for each name.
    void tell(const char* name, const std::vector<std::uint64_t>& numbers = {}) const {
        using halvm::xen::permission;
        auto& store = halvm::xen::store();
        std::string text;
        for (const auto number : numbers)
            text += std::to_string(number) + ' ';
        const auto node = std::string{"data/pair/"} + name;
        HALVM_CHECK(store.write(node, text));
        // Last: the partner sees all of it or nothing.
        const std::array may{permission{own_, permission::access::none}, permission{id_, permission::access::read}};
        HALVM_CHECK(store.set_permissions(node, may));
    }

    /// Blocks until the partner has told it.
    [[nodiscard]] std::vector<std::uint64_t> hear(const char* name) const {
        const auto text = read_when_there(home(id_) + "/data/pair/" + name);
        std::vector<std::uint64_t> numbers;
        const char* const end = text.data() + text.size();
        for (const char* at = text.data(); at != end; ++at) {
            const auto [next, wrong] = std::from_chars(at, end, numbers.emplace_back());
            HALVM_CHECK(wrong == std::errc{} && next != end && *next == ' ');
            if (wrong != std::errc{} || next == end)
                break;
            at = next;
        }
        return numbers;
    }

private:
    static std::string home(halvm::xen::domid who) { return "/local/domain/" + std::to_string(raw(who)); }
    static halvm::xen::domid own() {
        halvm::xen::guest domain;
        return halvm::xen::own_domid(domain).value();
    }
    static halvm::xen::domid find(halvm::xen::domid own) {
        const char* const given = std::getenv("peer");
        return number(given != nullptr ? std::string{given} : read_when_there(home(own) + "/data/peer"));
    }
    static halvm::xen::domid number(std::string_view text) {
        domid_t number{};
        HALVM_CHECK(halvm::xen::parse_number(text, number) == std::errc{});
        return halvm::xen::domid{number};
    }

    halvm::xen::domid own_;
    halvm::xen::domid id_;
};

/// Whose turn it is, in memory that both see: it says what has happened, and the port's signal that it is worth a look.
class turn {
public:
    turn(std::byte* word, halvm::xen::basic_port<halvm::xen::guest>& port) noexcept
        : word_{*reinterpret_cast<std::uint32_t*>(word)}, port_{port} {}

    void give(std::uint32_t number) {
        // Shared: what was written before is seen by who reads the number.
        word_.store(number, std::memory_order_release);
        HALVM_CHECK(port_.send());
    }
    void await(std::uint32_t number) {
        while (word_.load(std::memory_order_acquire) != number)
            if (!port_.wait())
                return HALVM_CHECK(!"the port was closed");
    }

private:
    std::atomic_ref<std::uint32_t> word_;
    halvm::xen::basic_port<halvm::xen::guest>& port_;
};

/// The byte at this place of what is shown, by one of several patterns.
inline std::byte pattern(std::size_t at, unsigned seed) { return static_cast<std::byte>(at * 7 + at / 256 * 3 + seed); }
inline void fill(halvm::bytes memory, unsigned seed, std::size_t from = 0) {
    for (std::size_t i = 0; i < memory.size(); ++i)
        memory[i] = pattern(from + i, seed);
}
inline bool filled(halvm::const_bytes memory, unsigned seed, std::size_t from = 0) {
    for (std::size_t i = 0; i < memory.size(); ++i)
        if (memory[i] != pattern(from + i, seed))
            return false;
    return true;
}

inline halvm::xen::grant_ref ref_of(std::uint64_t number) {
    return halvm::xen::grant_ref{static_cast<grant_ref_t>(number)};
}

/// What halvm_main() of such a program returns. A third guest has the taker as its partner; the taker finds its number
/// in the node data/third.
inline int play(const char* test, void (*offer)(const partner&), void (*take)(const partner&),
                void (*third)(const partner&) = nullptr) {
    const char* const given = std::getenv("role");
    HALVM_CHECK(given != nullptr);
    const std::string_view role = given != nullptr ? given : "offer";
    const partner with;
    (role == "third" ? third : role == "take" ? take : offer)(with);
    return report::verdict(test);
}
