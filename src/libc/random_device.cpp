// SPDX-License-Identifier: BSD-3-Clause
// std::random_device over the core's entropy. libstdc++'s own can also open a file, and would ask for open().
#include "core/entropy.hpp"

#include <random>
#include <stdexcept>

namespace std {

void random_device::_M_init(const string& token) {
    if (token != "default" && token != "hw" && token != "hardware")
        throw runtime_error{"random_device: the token \"" + token + "\" names no source of this machine"};
}

void random_device::_M_init(const char* token, size_t size) { _M_init(string{token, size}); }

void random_device::_M_init_pretr1(const string& token) { _M_init(token); }

void random_device::_M_fini() {}

random_device::result_type random_device::_M_getval() {
    result_type value;
    halvm::core::entropy_fill(&value, sizeof value);
    return value;
}

random_device::result_type random_device::_M_getval_pretr1() { return _M_getval(); }

double random_device::_M_getentropy() const noexcept {
    return halvm::core::entropy_is_hardware() ? numeric_limits<result_type>::digits : 0;
}

}  // namespace std
