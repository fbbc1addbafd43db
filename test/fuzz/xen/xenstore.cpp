// SPDX-License-Identifier: BSD-3-Clause
// What a XenStore answers, of which nothing is trusted: the client's fibers have one call of each kind in flight, and
// the input is what the other end writes into their ring. Every call ends, and what the client sends stays whole
// messages.
//
// An input is: how many bytes come at once; what is scribbled over before the last of them, and with which number;
// then the bytes of the messages.
#include "fiber_world.hpp"
#include "fuzz.hpp"

#include <halvm/xen/xenstore_connection.hpp>

#include <cstring>
#include <memory>

namespace {

using namespace halvm;
using fuzz::must;
using std::chrono::milliseconds;

constexpr std::size_t header_size = sizeof(xsd_sockmsg);

fiber::wait_limit soon() { return fiber::within(milliseconds{1}); }

/// The other end of the ring.
class answering {
public:
    answering(xenstore_domain_interface& ring, const_bytes input) : ring_{ring} {
        if (input.size() < prefix)
            return;
        at_once_ = std::to_integer<std::size_t>(input[0]) + 1;
        scribble_ = std::to_integer<unsigned>(input[1]) % 8;
        std::memcpy(&value_, &input[2], sizeof value_);
        left_ = input.subspan(prefix);
    }

    [[nodiscard]] bool over() const { return left_.empty() || stuck_; }

    void write_some() {
        if (left_.size() <= at_once_)
            scribble();
        const std::uint32_t used = ring_.rsp_prod - ring_.rsp_cons;
        const std::size_t size =
            used > XENSTORE_RING_SIZE ? 0 : std::min({left_.size(), at_once_, XENSTORE_RING_SIZE - std::size_t{used}});
        stuck_ = size == 0;
        for (std::size_t i = 0; i < size; ++i)
            ring_.rsp[MASK_XENSTORE_IDX(ring_.rsp_prod + i)] = static_cast<char>(left_[i]);
        ring_.rsp_prod += static_cast<std::uint32_t>(size);
        left_ = left_.subspan(size);
    }

    /// Takes all that was asked. Behind scribbled indices anything may stand.
    void read_all() {
        if (const std::uint32_t size = ring_.req_prod - ring_.req_cons; size <= XENSTORE_RING_SIZE)
            for (; ring_.req_cons != ring_.req_prod; ++ring_.req_cons)
                asked_ += ring_.req[MASK_XENSTORE_IDX(ring_.req_cons)];
        while (!scribbled_ && asked_.size() >= header_size) {
            xsd_sockmsg header;
            std::memcpy(&header, asked_.data(), header_size);
            must(header.len <= XENSTORE_PAYLOAD_MAX, "a request is no longer than it may be");
            must(header.type < XS_TYPE_COUNT && header.type != XS_WATCH_EVENT, "a request is of a known kind");
            if (asked_.size() < header_size + header.len)
                return;
            asked_.erase(0, header_size + header.len);
        }
    }
    [[nodiscard]] bool asked_whole() const { return scribbled_ || asked_.empty(); }

    /// It has written more than fits, and no message with it.
    [[nodiscard]] bool impossible() const { return impossible_; }

    static constexpr std::size_t prefix = 6;

private:
    void scribble() {
        const unsigned which = std::exchange(scribble_, 0);
        switch (which) {
        case 1: ring_.rsp_prod = value_; break;
        case 2: ring_.rsp_cons = value_; break;
        case 3: ring_.req_prod = value_; break;
        case 4: ring_.req_cons = value_; break;
        case 5:
            ring_.server_features = value_;
            ring_.error = value_ >> 16;
            break;
        default: return;
        }
        scribbled_ = true;
        impossible_ = which == 1 && ring_.rsp_prod - ring_.rsp_cons > XENSTORE_RING_SIZE;
    }

    xenstore_domain_interface& ring_;
    const_bytes left_;
    std::size_t at_once_ = 1;
    unsigned scribble_ = 0;
    std::uint32_t value_ = 0;
    bool stuck_ = false;
    bool scribbled_ = false;
    bool impossible_ = false;
    std::string asked_;
};

/// One call of each kind, in this order: the first has the number 128, because each place was used once.
std::vector<fiber::handle<void>> ask(xen::xenstore_connection& store) {
    std::vector<fiber::handle<void>> all;
    const auto call = [&](auto work) {
        all.push_back(fiber::spawn(std::move(work), {.stack = 32 << 10, .guarded = false}));
    };
    call([&] {
        if (const auto text = store.read("a", soon()))
            must(text->size() <= XENSTORE_PAYLOAD_MAX, "a value fits into a message");
    });
    call([&] {
        if (const auto names = store.directory("d", soon()))
            for (const std::string& name : *names)
                must(!name.empty() && name.find('\0') == std::string::npos, "a listing has names");
    });
    call([&] {
        if (const auto all_of = store.permissions("p", soon())) {
            must(!all_of->empty(), "a node has an owner");
            for (const auto& one : *all_of)
                must(std::string_view{"nrwb"}.find(static_cast<char>(one.may)) != std::string_view::npos,
                     "a permission is one of four");
        }
    });
    call([&] {
        if (auto watch = store.watch_path("w", soon())) {
            for (int i = 0; i < 3; ++i)
                if (const auto event = watch->next(soon()))
                    must(!event->path.empty(), "what changed has a path");
            static_cast<void>(watch->end(soon()));
        }
    });
    call([&] {
        static_cast<void>(store.transact([](xen::transaction& in) { return in.write("t", "1", soon()); }, soon()));
    });
    call([&] {
        if (const auto path = store.domain_path(xen::dom0, soon()))
            must(xen::is_path(*path), "a domain's path is one");
    });
    call([&] { static_cast<void>(store.is_introduced(xen::dom0, soon())); });
    call([&] {
        if (const auto path = store.read_path("r", soon()))
            must(xen::is_path(*path), "what was read as a path is one");
    });
    call([&] { static_cast<void>(store.read_state("s", soon())); });
    call([&] { static_cast<void>(store.read_number<std::int16_t>("n", soon())); });
    call([&] {
        auto watch = store.watch_path("left", soon());
        static_cast<void>(store.reset_watches(soon()));
    });
    return all;
}

fuzz::input conversation(std::uint8_t at_once, std::initializer_list<std::string> messages) {
    std::string text{static_cast<char>(at_once), 0, 0, 0, 0, 0};
    for (const std::string& one : messages)
        text += one;
    const const_bytes all = as_bytes(text);
    return {all.begin(), all.end()};
}

std::string message(std::uint32_t type, std::uint32_t place, std::string_view text) {
    const xsd_sockmsg header{type, place == 0 ? 0 : 127 + place, 0, static_cast<std::uint32_t>(text.size())};
    return std::string{reinterpret_cast<const char*>(&header), header_size}.append(text);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    test::fiber_world world;
    const auto ring = std::make_unique<xenstore_domain_interface>();
    answering other{*ring, {reinterpret_cast<const std::byte*>(data), size}};
    {
        xen::xenstore_connection store{ring.get()};
        auto all = ask(store);
        const auto turn = [&] {
            static_cast<void>(store.turn());
            other.read_all();
            fiber::yield();
        };
        fiber::yield();
        std::error_code before;
        for (turn(); !other.over(); turn()) {
            before = store.broken();
            other.write_some();
        }
        // The limits come one after another, and what is to be said then is said.
        for (int rest = 0; rest < 40; ++rest) {
            static_cast<void>(fiber::sleep(soon()));
            turn();
        }
        // Where one does not end, the fibers' world does.
        for (auto& one : all)
            one.join();
        must(before || !other.impossible() || store.broken() == xen::store_errc::bad_index,
             "an impossible index ends the connection");
        if (store.broken()) {
            const auto late = store.read("late");
            must(!late && late.error().code() == store.broken(), "what has ended stays so");
        } else {
            must(other.asked_whole(), "requests are sent whole");
        }
    }
    return 0;
}

std::vector<fuzz::input> fuzz::seeds() {
    using namespace std::string_literals;
    const auto all_is_well = {
        message(XS_READ, 1, "value"),
        message(XS_DIRECTORY, 2, "one\0two\0"s),
        message(XS_GET_PERMS, 3, "n1\0r2\0b0\0"s),
        message(XS_WATCH, 4, "OK\0"s),
        message(XS_WATCH_EVENT, 0, "w\0001\0"s),
        message(XS_WATCH_EVENT, 0, "w/below\0001\0"s),
        message(XS_TRANSACTION_START, 5, "7\0"s),
        message(XS_GET_DOMAIN_PATH, 6, "/local/domain/0\0"s),
        message(XS_IS_DOMAIN_INTRODUCED, 7, "T\0"s),
        message(XS_READ, 8, "/local/domain/0/backend"),
        message(XS_READ, 9, "4"),
        message(XS_READ, 10, "-77"),
        message(XS_WATCH, 11, "OK\0"s),
        message(XS_WRITE, 12, "OK\0"s),
        message(XS_RESET_WATCHES, 13, "OK\0"s),
    };
    const auto all_is_refused = {
        message(XS_ERROR, 1, "ENOENT\0"s),         message(XS_ERROR, 2, "E2BIG\0"s),
        message(XS_ERROR, 3, "EACCES\0"s),         message(XS_ERROR, 4, "ENOSPC\0"s),
        message(XS_ERROR, 5, "EBUSY\0"s),          message(XS_DIRECTORY_PART, 12, "1\0a\0b\0"s),
        message(XS_DIRECTORY_PART, 13, "2\0c\0"s), message(XS_DIRECTORY_PART, 14, "2\0a\0c\0\0"s),
        message(XS_ERROR, 9, "ENOENT\0"s),         message(XS_ERROR, 10, "what?\0"s),
    };
    std::vector<input> made;
    for (const auto at_once : {std::uint8_t{0}, std::uint8_t{15}, std::uint8_t{255}}) {
        made.push_back(conversation(at_once, all_is_well));
        made.push_back(conversation(at_once, all_is_refused));
    }
    for (std::uint8_t scribble = 1; scribble < 6; ++scribble) {
        made.push_back(conversation(31, all_is_well));
        made.back()[1] = std::byte{scribble};
        made.back()[4] = std::byte{scribble};
    }
    return made;
}
