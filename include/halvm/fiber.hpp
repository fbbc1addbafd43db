// SPDX-License-Identifier: BSD-3-Clause
// The front door to fibers: threads without a kernel. One runs at a time, until it waits or yields.
//
//   auto worker = halvm::fiber::spawn([] { return 42; });
//   worker.join();
//
// Everything that waits takes a limit: fiber::within(10ms), fiber::until(deadline), a std::stop_token, or both.
#pragma once

#include <halvm/fiber/await.hpp>
#include <halvm/fiber/channel.hpp>
#include <halvm/fiber/clock.hpp>
#include <halvm/fiber/condition.hpp>
#include <halvm/fiber/coroutine.hpp>
#include <halvm/fiber/mutex.hpp>
#include <halvm/fiber/select.hpp>
#include <halvm/fiber/spawn.hpp>
#include <halvm/fiber/watchdog.hpp>

namespace halvm {

using fiber::channel;
using fiber::mvar;

}  // namespace halvm
