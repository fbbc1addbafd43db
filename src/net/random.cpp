// SPDX-License-Identifier: BSD-3-Clause
#include <halvm/net/random.hpp>

#include <random>

namespace halvm::net {

random_source& system_random() noexcept {
    class device final : public random_source {
    public:
        std::uint64_t next() noexcept override {
            std::random_device numbers;
            return static_cast<std::uint64_t>(numbers()) << 32 | numbers();
        }
    };
    static device only;
    return only;
}

}  // namespace halvm::net
