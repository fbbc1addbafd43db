// SPDX-License-Identifier: BSD-3-Clause
// Waits for the toolstack, which asks it to end in every way that there is; toolstack_test.py is the other side.
#include <halvm/fiber.hpp>
#include <halvm/program.hpp>
#include <halvm/shutdown.hpp>
#include <halvm/xen/domain_control.hpp>
#include <halvm/xen/store.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

struct says_so {
    ~says_so() { std::printf("static destructor\n"); }
} object;

}  // namespace

int halvm_main() {
    using namespace halvm;
    const std::string_view how = arguments()[0];
    std::atexit([] { std::printf("atexit\n"); });
    fiber::event never;
    if (how == "default") {
        // Waits for the toolstack without saying so.
        auto asleep = fiber::spawn([] { fiber::sleep(fiber::within(std::chrono::hours{1})); });
        asleep.detach();
    } else if (how == "token") {
        const auto stop = shutdown_token();
        std::printf("ready\n");
        static_cast<void>(never.wait(stop));
        std::printf("asked to stop\n");
        return 3;
    } else if (how == "hook") {
        xen::on_shutdown([&](xen::shutdown_kind kind) {
            std::printf("asked for %d\n", static_cast<int>(kind));
            if (kind == xen::shutdown_kind::halt)
                never.set();
        });
        xen::on_sysrq([](char key) { std::printf("sysrq %c\n", key); });
    } else if (how == "watch") {
        auto watch = xen::store().watch_path("data/from-dom0").value();
        static_cast<void>(watch.next());
        std::printf("ready\n");
        for (;;) {
            const auto event = watch.next().value();
            const auto value = xen::store().read(event.path);
            std::printf("%s is %s\n", event.path.c_str(), value ? value->c_str() : "gone");
            if (!value)
                return 0;
        }
    } else if (how == "list") {
        auto watch = xen::store().watch_path("data/many").value();
        static_cast<void>(watch.next());
        std::printf("ready\n");
        while (watch.next().value().path != "data/many/last") {}
        std::size_t bytes = 0;
        const auto names = xen::store().directory("data/many").value();
        for (const auto& name : names)
            bytes += name.size() + 1;
        std::printf("%zu names of %zu bytes\n", names.size(), bytes);
        return 0;
    }
    // What is ready has said what it understands.
    while (!xen::store().exists("control/feature-reboot").value() ||
           xen::store().read("control/feature-reboot").value() != "1")
        fiber::yield();
    std::printf("ready\n");
    never.wait();
    return 4;
}
