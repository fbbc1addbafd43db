// SPDX-License-Identifier: BSD-3-Clause
#include "fiber/report.hpp"

#include "fiber/stacks.hpp"

#include <halvm/fiber/scheduler.hpp>
#include <halvm/panic.hpp>

#include <array>
#include <charconv>

namespace halvm::fiber {
namespace {

/// One line of text in a fixed buffer.
class line {
public:
    line& operator<<(std::string_view text) noexcept {
        text = text.substr(0, buffer_.size() - 1 - size_);
        std::copy(text.begin(), text.end(), buffer_.begin() + size_);
        size_ += text.size();
        return *this;
    }
    line& operator<<(std::uint64_t number) noexcept {
        std::array<char, 20> digits;
        const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
        return *this << std::string_view{digits.begin(), end};
    }
    [[nodiscard]] const char* c_str() noexcept {
        buffer_[size_] = '\0';
        return buffer_.data();
    }
    [[nodiscard]] std::string_view view() const noexcept { return {buffer_.data(), size_}; }

private:
    std::array<char, 256> buffer_;
    std::size_t size_ = 0;
};

constexpr std::array<std::string_view, 4> states{"runnable", "running", "waiting", "finished"};

}  // namespace

void broken_rule(const char* rule, const char* what) noexcept {
    line text;
    text << "fiber " << this_scheduler().current().name() << ": " << what << " " << rule;
    panic(text.c_str());
}

void stack_overrun(const task& owner) noexcept {
    line text;
    text << "stack overflow: fiber " << owner.name() << " wrote below its stack of " << owner.stack.size << " bytes";
    panic(text.c_str());
}

void report_long_run(const task& one, instant ran) noexcept {
    line text;
    text << "halvm: fiber " << one.name() << " ran for " << ran / 1'000'000 << " ms without yielding\n";
    report_text(text.view());
}

void print_fibers() noexcept {
    this_scheduler().for_each([](const task& one) {
        line text;
        text << "  fiber " << one.name() << ": " << states[static_cast<std::size_t>(one.state)];
        const char* before = " for ";
        for (const waiter* place = one.waits; place != nullptr; place = place->sibling) {
            text << before << place->queue->what();
            before = " or ";
        }
        if (one.pending())
            text << (one.waits == nullptr ? " for a time" : ", with a deadline");
        if (one.stack.size != 0)
            text << ", " << stack_used(one.stack) << " of " << one.stack.size << " bytes of stack used";
        text << "\n";
        report_text(text.view());
    });
}

}  // namespace halvm::fiber
