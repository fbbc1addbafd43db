// SPDX-License-Identifier: BSD-3-Clause
// Two domains beside dom0 that use the simulated XenStore, and dom0 itself.
#pragma once

#include "store.hpp"

#include <halvm/xen/xenstore.hpp>

#include <doctest/doctest.h>

namespace halvm::sim {

using sim_xenstore = xen::basic_xenstore<domain>;

struct store_world {
    explicit store_world(std::uint64_t seed = 1) : host{seed} {
        for (event_world* one : {&dom0, &guest, &other})
            daemon.introduce(*one);
    }

    hypervisor host;
    event_world dom0{host};
    event_world guest{host};
    event_world other{host};
    store_daemon daemon{dom0};
};

/// With a client in one of them.
struct client_world : store_world {
    explicit client_world(std::uint64_t seed = 1) : store_world{seed} {}

    sim_xenstore store{guest.domain, guest.channels};
};

/// For what the test needs to go on.
inline void must(const result<void>& done) { REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message())); }

/// The code of a result that must have failed.
template <class Value>
std::error_code code_of(const result<Value>& answer) {
    return answer ? std::error_code{} : answer.error().code();
}

}  // namespace halvm::sim
