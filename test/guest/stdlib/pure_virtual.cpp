// SPDX-License-Identifier: BSD-3-Clause
// feature: a call of a pure virtual function
// status: panics
// detail: by `std::terminate`

// Not in an anonymous namespace, where the compiler would know that only one function can be meant.
struct shape {
    shape() {
        shape* volatile unknown_type = this;
        unknown_type->corners();
    }
    virtual ~shape() = default;
    virtual int corners() = 0;
};

struct square : shape {
    int corners() override { return 4; }
};

int halvm_main() { return square{}.corners(); }
