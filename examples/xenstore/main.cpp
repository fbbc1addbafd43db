// SPDX-License-Identifier: BSD-3-Clause
// A shell for the XenStore: `help` lists what it knows.
#include <halvm/fiber.hpp>
#include <halvm/xen/store.hpp>

#include <cstdio>
#include <cstring>
#include <list>
#include <sstream>
#include <string>
#include <string_view>

namespace {

using halvm::failure;
using halvm::result;

class shell {
public:
    shell() : store_{halvm::xen::store()}, here_{home()} {}

    /// False after `quit`.
    bool carry_out(const std::string& line) {
        std::istringstream words{line};
        std::string command, path;
        words >> command >> path;
        std::string value;
        std::getline(words >> std::ws, value);
        const auto at = absolute(path);
        result<void> done;
        if (command == "quit")
            return false;
        if (command == "help")
            std::puts("ls [PATH]  cd [PATH]  pwd  read PATH  write PATH VALUE  mkdir PATH  rm PATH  watch PATH  quit");
        else if (command == "pwd")
            std::puts(here_.c_str());
        else if (command == "cd")
            done = change(path.empty() ? home() : at);
        else if (command == "ls")
            done = list(path.empty() ? here_ : at);
        else if (command == "read")
            done = read(at);
        else if (command == "write")
            done = store_.write(at, value);
        else if (command == "mkdir")
            done = store_.mkdir(at);
        else if (command == "rm")
            done = store_.remove(at);
        else if (command == "watch")
            done = watch(at);
        else if (!command.empty())
            std::puts("What? Try help.");
        if (!done)
            std::puts(done.error().message().c_str());
        return true;
    }

private:
    std::string home() {
        const auto id = store_.read_number<domid_t>("domid");
        return id ? "/local/domain/" + std::to_string(*id) : "/";
    }

    /// The path from here, without its ".." and ".".
    std::string absolute(std::string_view path) const {
        std::istringstream names{path.starts_with('/') ? std::string{path} : here_ + '/' + std::string{path}};
        std::string whole;
        for (std::string name; std::getline(names, name, '/');)
            if (name == "..")
                whole.erase(whole.empty() ? 0 : whole.rfind('/'));
            else if (!name.empty() && name != ".")
                whole += '/' + name;
        return whole.empty() ? "/" : whole;
    }

    result<void> change(const std::string& to) {
        const auto there = store_.exists(to);
        if (!there)
            return failure(there.error());
        if (*there)
            here_ = to;
        else
            std::puts("There is no such node.");
        return {};
    }

    result<void> list(const std::string& path) {
        const auto names = store_.directory(path);
        if (!names)
            return failure(names.error());
        for (const auto& name : *names) {
            const auto value = store_.read(path == "/" ? '/' + name : path + '/' + name);
            std::printf("%s = %s\n", name.c_str(), value ? value->c_str() : value.error().code().message().c_str());
        }
        return {};
    }

    result<void> read(const std::string& path) {
        const auto value = store_.read(path);
        if (!value)
            return failure(value.error());
        std::puts(value->c_str());
        return {};
    }

    /// The shell goes on meanwhile: each watch has a fiber of its own.
    result<void> watch(const std::string& path) {
        auto watch = store_.watch_path(path);
        if (!watch)
            return failure(watch.error());
        watches_.push_back(halvm::fiber::spawn([watch = std::move(*watch)](std::stop_token stop) mutable {
            while (const auto event = watch.next(stop))
                std::printf("changed: %s\n", event->path.c_str());
        }));
        return {};
    }

    halvm::xen::xenstore& store_;
    std::string here_;
    std::list<halvm::fiber::handle<void>> watches_;
};

}  // namespace

int halvm_main() {
    shell own;
    char line[4096];
    for (;;) {
        std::printf("> ");
        std::fflush(stdout);
        if (std::fgets(line, sizeof line, stdin) == nullptr || !own.carry_out({line, std::strcspn(line, "\r\n")}))
            return 0;
    }
}
