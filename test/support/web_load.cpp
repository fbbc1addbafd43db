// SPDX-License-Identifier: BSD-3-Clause
// Clients of a web server on Linux's sockets, most of them well-behaved, that look at every byte which comes:
//
//   web_load ADDRESS PORT CLIENTS REQUESTS SEED TARGET=BYTES...
//
// So many at once ask for the targets at random, several in one piece or one by one, until so many requests have been
// answered; the byte at place i of each target is i % 251. A connection in four ends otherwise than it should: in the
// middle of a response, of a request, or with requests that nobody waits for. Says how many connections there were.
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::size_t period = 251;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "web_load: %s (%s)\n", what, std::strerror(errno));
    std::exit(1);
}

struct target {
    std::string request;
    std::uint64_t size;
};

enum class ending { orderly, in_a_response, in_a_request, unread };

struct client {
    int socket = -1;
    ending how = ending::orderly;
    unsigned to_ask = 0;
    std::vector<std::uint64_t> asked{};  // sizes of what has not come yet, in order
    std::size_t answered = 0;            // of those
    std::string head{};
    bool in_body = false;
    std::uint64_t body_at = 0;
};

class load {
public:
    load(const char* address, const char* port, std::size_t clients, std::uint64_t requests, unsigned seed)
        : wanted_{requests}, random_{seed}, clients_(clients), expected_(period + sizeof received_) {
        server_.sin_family = AF_INET;
        server_.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(port, nullptr, 10)));
        if (inet_pton(AF_INET, address, &server_.sin_addr) != 1)
            fail("that is no address");
        for (std::size_t at = 0; at < expected_.size(); ++at)
            expected_[at] = static_cast<char>(at % period);
    }
    void add(std::string_view word) {
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos)
            fail("a target has a size");
        targets_.push_back({"GET " + std::string{word.substr(0, equals)} + " HTTP/1.1\r\nHost: server\r\n",
                            std::strtoull(word.data() + equals + 1, nullptr, 10)});
    }
    void run() {
        open(clients_[begun_++]);
        std::vector<epoll_event> events(clients_.size());
        while (answered_ < wanted_) {
            const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            if (count < 0 && errno != EINTR)
                fail("epoll_wait");
            for (int at = 0; at < count; ++at)
                receive(*static_cast<client*>(events[static_cast<std::size_t>(at)].data.ptr));
        }
        std::printf("%llu connections, %llu of them broken off, %llu bytes\n",
                    static_cast<unsigned long long>(connections_), static_cast<unsigned long long>(broken_off_),
                    static_cast<unsigned long long>(bytes_));
    }

private:
    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

    void open(client& one) {
        one = client{};
        one.socket = ::socket(AF_INET, SOCK_STREAM, 0);
        const int on = 1;
        if (one.socket < 0 || setsockopt(one.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
            connect(one.socket, reinterpret_cast<const sockaddr*>(&server_), sizeof server_) != 0)
            fail("a connection is not made");
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &one}};
        if (epoll_ctl(epoll_, EPOLL_CTL_ADD, one.socket, &event) != 0)
            fail("epoll_ctl");
        ++connections_;
        one.to_ask = 1 + below(50);
        one.how = below(4) != 0 ? ending::orderly : static_cast<ending>(1 + below(3));
        ask(one);
    }
    void end(client& one) {
        if (one.how != ending::orderly) {
            ++broken_off_;
            // A reset, but for the request of which the rest will not come.
            const linger at_once{1, 0};
            if (one.how != ending::in_a_request)
                setsockopt(one.socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        close(one.socket);
        open(one);
    }
    void ask(client& one) {
        one.asked.clear();
        one.answered = 0;
        std::string text;
        for (unsigned count = std::min(one.to_ask, 1 + (below(2) != 0 ? 0 : below(8))); count > 0; --count) {
            const target& chosen = targets_[below(static_cast<unsigned>(targets_.size()))];
            text += chosen.request;
            text += --one.to_ask == 0 && one.how == ending::orderly ? "Connection: close\r\n\r\n" : "\r\n";
            one.asked.push_back(chosen.size);
        }
        if (one.to_ask == 0 && one.how == ending::in_a_request)
            text.resize(text.size() / 2);
        if (send(one.socket, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
            fail("a request is not sent");
        if (one.to_ask == 0 && (one.how == ending::in_a_request || one.how == ending::unread))
            end(one);
    }
    void receive(client& one) {
        const ssize_t count = recv(one.socket, received_, sizeof received_, 0);
        if (count < 0)
            fail("a connection breaks");
        const bool is_over = one.to_ask == 0 && one.answered == one.asked.size();
        if ((count == 0) != is_over)
            fail(is_over ? "more comes than was asked for" : "a connection ends too early");
        if (is_over || (one.to_ask == 0 && one.how == ending::in_a_response))
            return end(one);
        bytes_ += static_cast<std::uint64_t>(count);
        // Not all at once: QEMU's user network has a backlog of one connection.
        if (begun_ < clients_.size())
            open(clients_[begun_++]);
        take(one, {received_, static_cast<std::size_t>(count)});
        if (one.to_ask > 0 && one.answered == one.asked.size())
            ask(one);
    }
    void take(client& one, std::string_view text) {
        while (!text.empty()) {
            if (one.answered == one.asked.size())
                fail("more comes than was asked for");
            const std::uint64_t size = one.asked[one.answered];
            if (!one.in_body) {
                const std::size_t before = one.head.size();
                one.head += text;
                const std::size_t end = one.head.find("\r\n\r\n");
                if (end == std::string::npos)
                    return;
                text.remove_prefix(end + 4 - before);
                one.head.resize(end + 4);
                if (!one.head.starts_with("HTTP/1.1 200 OK\r\n") ||
                    one.head.find("\r\nContent-Length: " + std::to_string(size) + "\r\n") == std::string::npos)
                    fail(("it is answered " + one.head).c_str());
                one.head.clear();
                one.in_body = true;
                one.body_at = 0;
            }
            const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(text.size(), size - one.body_at));
            if (std::memcmp(text.data(), &expected_[one.body_at % period], part) != 0)
                fail("other bytes come than were asked for");
            one.body_at += part;
            text.remove_prefix(part);
            if (one.body_at == size) {
                one.in_body = false;
                ++one.answered;
                ++answered_;
            }
        }
    }

    std::uint64_t wanted_;
    std::minstd_rand random_;
    std::vector<client> clients_;
    std::vector<char> expected_;
    char received_[65536];
    sockaddr_in server_{};
    std::vector<target> targets_{};
    int epoll_ = epoll_create1(0);
    std::size_t begun_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t connections_ = 0;
    std::uint64_t broken_off_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace

int main(int count, char** words) {
    if (count < 7)
        fail("web_load ADDRESS PORT CLIENTS REQUESTS SEED TARGET=BYTES...");
    static load all{words[1], words[2], std::strtoul(words[3], nullptr, 10), std::strtoull(words[4], nullptr, 10),
                    static_cast<unsigned>(std::strtoul(words[5], nullptr, 10))};
    for (const char* word : std::span{words, static_cast<std::size_t>(count)}.subspan(6))
        all.add(word);
    all.run();
}
