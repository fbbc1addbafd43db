// SPDX-License-Identifier: BSD-3-Clause
// Does one forbidden thing, named by the first word of the command line. The pass is the crash that follows; a
// program that survives says FAILURE.
#include <halvm/contract.hpp>
#include <halvm/program.hpp>
#include <halvm/result.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

const char constant[] = "a constant";
unsigned char variable[16] = {0xc3};  // ret
volatile int sink;

void poke(std::uintptr_t address) { *reinterpret_cast<volatile unsigned char*>(address) = 0xc3; }
void call(const void* address) { reinterpret_cast<void (*)()>(reinterpret_cast<std::uintptr_t>(address))(); }
std::uintptr_t address_of(void (*function)(std::uintptr_t)) { return reinterpret_cast<std::uintptr_t>(function); }

// The direct map shows the image a second time; neither view may be writable where the other is executable.
constexpr std::uintptr_t direct_map = std::uintptr_t{512} << 20;

void write_text() { poke(address_of(poke)); }
void write_text_alias() { poke(address_of(poke) + direct_map); }
void write_constant() { poke(reinterpret_cast<std::uintptr_t>(constant)); }
void execute_data() { call(variable); }
void execute_text_alias() { call(reinterpret_cast<const void*>(address_of(poke) + direct_map)); }

void execute_heap() {
    auto* const block = static_cast<unsigned char*>(std::malloc(16));
    block[0] = 0xc3;
    call(block);
}

void execute_stack() {
    volatile unsigned char code[16] = {0xc3};
    call(const_cast<const unsigned char*>(code));
}

void read_null() {
    const volatile int* volatile null = nullptr;
    sink = *null;
}
void write_null() { poke(8); }
void call_null() { call(nullptr); }
void read_below_image() { sink = *reinterpret_cast<volatile int*>(0x80000); }
void read_beyond_image() { sink = *reinterpret_cast<volatile int*>(0x3ff000); }

[[gnu::noinline]] int recurse(int depth) {
    volatile char frame[512];
    frame[0] = static_cast<char>(depth);
    return recurse(depth + 1) + frame[0];
}
void overflow_stack() { sink = recurse(0); }

[[gnu::noinline]] void smash(std::size_t size) {
    char small[8];
    std::memset(small, 'x', size);
    sink = small[0];
}
void smash_canary() {
    volatile std::size_t size = 64;
    smash(size);
}

void divide_by_zero() {
    volatile int one = 1, zero = 0;
    sink = one / zero;
}
void trap() { __builtin_trap(); }

void uncaught() { throw std::runtime_error{"nobody catches this"}; }
void uncaught_int() { throw 42; }
void uncaught_error() {
    const halvm::result<int> none =
        halvm::failure(halvm::error{std::make_error_code(std::errc::permission_denied), "open gate {}", 7});
    sink = none.value();
}
void abort_program() { std::abort(); }
void terminate() { std::terminate(); }
void broken_contract() {
    volatile int three = 3;
    Expects(three == 4);
}
void out_of_memory() {
    std::vector<std::vector<char>> all;
    for (;;)
        all.emplace_back(1 << 20);
}
void free_twice() {
    void* volatile block = std::malloc(100);
    std::free(block);
    std::free(block);
}
void free_inside() { std::free(static_cast<char*>(std::malloc(100)) + 16); }
void free_stack() {
    alignas(16) char local[64];
    char* volatile address = local;
    std::free(address);
}

struct fault {
    std::string_view name;
    void (*commit)();
};
constexpr fault faults[]{{"write_text", write_text},
                         {"write_text_alias", write_text_alias},
                         {"write_constant", write_constant},
                         {"execute_data", execute_data},
                         {"execute_text_alias", execute_text_alias},
                         {"execute_heap", execute_heap},
                         {"execute_stack", execute_stack},
                         {"read_null", read_null},
                         {"write_null", write_null},
                         {"call_null", call_null},
                         {"read_below_image", read_below_image},
                         {"read_beyond_image", read_beyond_image},
                         {"overflow_stack", overflow_stack},
                         {"smash_canary", smash_canary},
                         {"divide_by_zero", divide_by_zero},
                         {"trap", trap},
                         {"uncaught", uncaught},
                         {"uncaught_int", uncaught_int},
                         {"uncaught_error", uncaught_error},
                         {"abort", abort_program},
                         {"terminate", terminate},
                         {"broken_contract", broken_contract},
                         {"out_of_memory", out_of_memory},
                         {"free_twice", free_twice},
                         {"free_inside", free_inside},
                         {"free_stack", free_stack}};

}  // namespace

int halvm_main() {
    const std::string_view wanted = halvm::command_line();
    for (const auto& fault : faults)
        if (fault.name == wanted) {
            fault.commit();
            std::printf("halvm test: faults: FAILURE: survived\n");
            return 1;
        }
    std::printf("halvm test: faults: ERROR: no fault of that name\n");
    return 1;
}
