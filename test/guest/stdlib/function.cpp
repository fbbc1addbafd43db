// SPDX-License-Identifier: BSD-3-Clause
// feature: `<functional>`, `<variant>`, `<any>`, `<optional>`, `<tuple>`, RTTI
#include "report.hpp"

#include <any>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <variant>

namespace {

struct shape {
    virtual ~shape() = default;
    [[nodiscard]] virtual int corners() const { return 0; }
};
struct square : shape {
    [[nodiscard]] int corners() const override { return 4; }
};

int twice(int value) { return 2 * value; }

}  // namespace

int halvm_main() {
    std::function<int(int)> call = twice;
    HALVM_CHECK(call(21) == 42);
    std::array<int, 32> big = {};
    big[31] = 5;
    call = [big](int value) { return big[31] + value; };
    HALVM_CHECK(call(1) == 6);
    call = nullptr;
    HALVM_CHECK(report::throws<std::bad_function_call>([&] { call(0); }));
    HALVM_CHECK(std::bind(std::minus<>{}, std::placeholders::_2, 1)(0, 8) == 7);
    HALVM_CHECK(std::invoke(&shape::corners, square{}) == 4 && std::mem_fn(&shape::corners)(shape{}) == 0);

    std::variant<int, std::string> either = "text";
    HALVM_CHECK(std::get<std::string>(either) == "text");
    HALVM_CHECK(report::throws<std::bad_variant_access>([&] { std::ignore = std::get<int>(either); }));
    HALVM_CHECK(std::visit([](const auto& value) { return sizeof value; }, either) == sizeof(std::string));
    std::any anything = 2.5;
    HALVM_CHECK(std::any_cast<double>(anything) == 2.5);
    HALVM_CHECK(report::throws<std::bad_any_cast>([&] { std::ignore = std::any_cast<int>(anything); }));
    std::optional<int> maybe;
    HALVM_CHECK(maybe.value_or(3) == 3);
    HALVM_CHECK(report::throws<std::bad_optional_access>([&] { std::ignore = maybe.value(); }));
    HALVM_CHECK(std::apply([](int a, int b) { return a - b; }, std::tuple{9, 2}) == 7);

    const std::unique_ptr<shape> object = std::make_unique<square>();
    const shape& seen = *object;
    HALVM_CHECK(typeid(seen) == typeid(square) && dynamic_cast<square*>(object.get()) != nullptr);
    HALVM_CHECK(report::throws<std::bad_cast>([] {
        shape plain;
        std::ignore = dynamic_cast<square&>(plain);
    }));
    std::unordered_map<std::type_index, int> types{{typeid(int), 1}, {typeid(shape), 2}};
    HALVM_CHECK(types.at(typeid(shape)) == 2);

    const auto shared = std::make_shared<square>();
    const std::weak_ptr<shape> weak = shared;
    HALVM_CHECK(shared.use_count() == 1 && weak.lock()->corners() == 4);
    return report::verdict("function");
}
