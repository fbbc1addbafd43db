// SPDX-License-Identifier: BSD-3-Clause
// feature: constructors and destructors of static and thread_local objects, `atexit`, `exit`
#include "report.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

std::string& journal() {
    static std::string text;
    return text;
}

struct entry {
    explicit entry(const char* letter) : letter_{letter} { journal() += letter_; }
    ~entry() { journal() += letter_; }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;

private:
    const char* letter_;
};

// Made first and destroyed last but for the journal: it has the verdict.
struct judge {
    judge() { journal() += "("; }
    ~judge() {
        HALVM_CHECK(journal() == "(ABtL)tfgLBA");
        if (report::verdict("lifetime") != 0)
            std::_Exit(1);
    }
} const last_word;

const entry first{"A"};
const entry second{"B"};

int made_early = 0;
[[gnu::constructor(200)]] void early() { made_early = 1; }

void with_local_static() { static const entry local{"L"}; }

thread_local const entry of_thread{"t"};
thread_local int counter = 5;
alignas(256) thread_local char aligned_text[] = "of a thread";
alignas(512) thread_local int aligned_zero;

}  // namespace

int halvm_main() {
    HALVM_CHECK(reinterpret_cast<std::uintptr_t>(aligned_text) % 256 == 0 && aligned_text[3] == 'a');
    HALVM_CHECK(reinterpret_cast<std::uintptr_t>(&aligned_zero) % 512 == 0 && aligned_zero == 0);
    HALVM_CHECK(made_early == 1 && counter++ == 5 && counter == 6);
    const volatile entry* volatile touched = &of_thread;
    HALVM_CHECK(touched != nullptr);
    with_local_static();
    with_local_static();
    std::atexit([] { journal() += 'g'; });
    std::atexit([] { journal() += 'f'; });
    journal() += ')';
    std::exit(0);
}
