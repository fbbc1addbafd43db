// SPDX-License-Identifier: BSD-3-Clause
// Files as disks: by io_uring, by threads, and with an engine that fails as a test says.
#include "block_conformance.hpp"
#include "child.hpp"
#include "file_disk.hpp"
#include "interposed.hpp"

#include <halvm/fiber.hpp>
#include <halvm/linux/disks.hpp>
#include <halvm/linux/file_block.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <optional>
#include <string>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

// Nothing is interposed in this program.
extern "C" void* halvm_system_function(const char* name) noexcept { return dlsym(RTLD_DEFAULT, name); }

namespace {

using namespace halvm;
using process::file_block;
using process::file_block_options;
using process::file_part;
using test::pattern;

/// A file of zeroes, as long as the test.
class scratch_file {
public:
    explicit scratch_file(std::uint64_t size) {
        const int file = mkstemp(path_.data());
        REQUIRE(file >= 0);
        REQUIRE(ftruncate(file, static_cast<off_t>(size)) == 0);
        close(file);
    }
    ~scratch_file() { unlink(path_.c_str()); }
    scratch_file(const scratch_file&) = delete;
    scratch_file& operator=(const scratch_file&) = delete;
    const std::string& path() const { return path_; }
    void resize(std::uint64_t size) const { std::filesystem::resize_file(path_, size); }

private:
    std::string path_ = std::filesystem::temp_directory_path() / "halvm_disk_XXXXXX";
};

constexpr std::uint64_t megabyte = 1 << 20;

std::errc code_of(const auto& how) {
    return how ? std::errc{} : static_cast<std::errc>(how.error().code().default_error_condition().value());
}

TEST_CASE("file disk: is a Block by either engine, past the page cache or through it, with sectors of each size") {
    for (const bool ring : {true, false})
        for (const bool direct : {true, false})
            for (const std::uint32_t sector : {0U, 4096U}) {
                CAPTURE(ring);
                CAPTURE(direct);
                CAPTURE(sector);
                scratch_file file{megabyte};
                auto disk =
                    file_block::open(file.path(), {.sector_size = sector, .direct = direct, .ring = ring}).value();
                CHECK(disk.info().sector_size == (sector == 0 ? 512 : sector));
                CHECK((ring || !disk.state().ring));
                CHECK((direct || !disk.state().direct));
                test::check_block(disk);
            }
}

/// From here on the process may not use io_uring, as in many containers.
void refuse_rings() {
    const auto jump = [](std::uint16_t what, std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
        return sock_filter{what, yes, no, value};
    };
    std::array filter{
        jump(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0), jump(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        jump(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0), jump(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0)};
    const sock_fprog program{filter.size(), filter.data()};
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

TEST_CASE("file disk: where io_uring is refused, threads do the same") {
    scratch_file file{megabyte};
    const auto end = test::in_child([&] {
        refuse_rings();
        auto disk = file_block::open(file.path()).value();
        if (disk.state().ring)
            return 2;
        const auto data = pattern(8192, 1);
        std::vector<std::byte> back(8192);
        return write(disk, 3, data) && flush(disk) && read(disk, 3, back) && back == data ? 0 : 1;
    });
    CHECK(end.errors == "");
    CHECK(end.exit_status == 0);
}

TEST_CASE("file disk: what is written is in the file, and what the file held is read") {
    for (const bool ring : {true, false}) {
        scratch_file file{megabyte};
        const auto data = pattern(megabyte, 7);
        {
            auto disk = file_block::open(file.path(), {.ring = ring}).value();
            REQUIRE(write(disk, 0, data));
            REQUIRE(flush(disk));
        }
        auto disk = file_block::open(file.path(), {.read_only = true, .ring = ring}).value();
        std::vector<std::byte> back(megabyte);
        REQUIRE(read(disk, 0, back));
        CHECK(back == data);
        CHECK(code_of(write(disk, 0, bytes{back}.first(512))) == std::errc::read_only_file_system);
        CHECK(code_of(discard(disk, 0, 1)) == std::errc::read_only_file_system);
        CHECK(flush(disk));
    }
}

TEST_CASE("file disk: requests longer than a call, in more pieces than one takes, from memory that is not aligned") {
    for (const bool ring : {true, false}) {
        scratch_file file{8 * megabyte};
        auto disk = file_block::open(file.path(), {.ring = ring}).value();
        const auto data = pattern(5 * megabyte + 1, 3);
        // Every other piece begins at an odd address.
        std::vector<const_bytes> out;
        for (std::size_t at = 0; at + 1 < data.size(); at += 512)
            out.push_back(const_bytes{data}.subspan(at + at / 512 % 2, 512));
        std::vector<std::byte> expected;
        for (const auto piece : out)
            expected.insert(expected.end(), piece.begin(), piece.end());
        block_request one{.operation = block_operation::write, .first = 5, .out = out};
        const bool direct = disk.state().direct;
        REQUIRE(disk.transfer({&one, 1}));
        CHECK(disk.state().direct == direct);
        CHECK((disk.state().bounced != 0) == direct);
        auto own = disk.allocate(5 * megabyte).value();
        const auto before = disk.state();
        REQUIRE(read(disk, 5, bytes{own}));
        CHECK(disk.state().parts == before.parts + 5);
        CHECK(disk.state().bounced == before.bounced);
        CHECK(std::ranges::equal(bytes{own}, expected));
    }
}

TEST_CASE("file disk: a fiber that waits for it keeps no other, and many of them are under way at once") {
    for (const bool ring : {true, false}) {
        scratch_file file{8 * megabyte};
        auto disk = file_block::open(file.path(), {.ring = ring}).value();
        int turns = 0;
        bool over = false;
        auto other = fiber::spawn([&] {
            for (; !over; ++turns)
                fiber::yield();
        });
        std::vector<fiber::handle<void>> writers;
        // More than can be under way.
        for (std::uint64_t i = 0; i < 200; ++i)
            writers.push_back(fiber::spawn([&, i] {
                const auto data = pattern(8192, i);
                std::vector<std::byte> back(8192);
                CHECK(write(disk, i * 16, data));
                CHECK(flush(disk));
                CHECK(read(disk, i * 16, back));
                CHECK(back == data);
            }));
        for (auto& one : writers)
            one.join();
        over = true;
        other.join();
        CHECK(turns > 1);
    }
}

TEST_CASE("file disk: it ends when what is under way has ended") {
    for (const bool ring : {true, false}) {
        scratch_file file{8 * megabyte};
        std::optional disk = file_block::open(file.path(), {.ring = ring}).value();
        const auto data = pattern(8 * megabyte, 5);
        auto writer = fiber::spawn([&] { return write(*disk, 0, data).has_value(); });
        fiber::yield();
        disk.reset();
        CHECK(writer.join());
        disk = file_block::open(file.path(), {.ring = ring}).value();
        std::vector<std::byte> back(data.size());
        REQUIRE(read(*disk, 0, back));
        CHECK(back == data);
    }
}

TEST_CASE("file disk: discarded sectors take no room any more") {
    for (const bool ring : {true, false}) {
        scratch_file file{megabyte};
        auto disk = file_block::open(file.path(), {.ring = ring}).value();
        if (disk.info().longest_discard == 0)
            continue;
        REQUIRE(write(disk, 0, pattern(megabyte, 1)));
        REQUIRE(flush(disk));
        struct stat full {};
        struct stat empty {};
        REQUIRE(stat(file.path().c_str(), &full) == 0);
        REQUIRE(discard(disk, 0, disk.info().sectors));
        REQUIRE(stat(file.path().c_str(), &empty) == 0);
        CHECK(empty.st_blocks < full.st_blocks);
        CHECK(empty.st_size == full.st_size);
    }
}

TEST_CASE("file disk: of a file that became shorter, what is left is there, and the rest is an error of its requests") {
    for (const bool ring : {true, false}) {
        scratch_file file{megabyte};
        auto disk = file_block::open(file.path(), {.ring = ring}).value();
        REQUIRE(write(disk, 0, pattern(megabyte, 1)));
        file.resize(megabyte / 2 + 100);
        std::vector<std::byte> back(megabyte / 2);
        CHECK(read(disk, 0, back));
        const auto how = read(disk, 512, back);
        CHECK(code_of(how) == std::errc::io_error);
        CHECK(how.error().message().find("read from the disk") == 0);
        CHECK(disk.info().sectors == 1024);
        CHECK(code_of(read(disk, 1024, bytes{back}.first(512))) == std::errc::result_out_of_range);
        CHECK(read(disk, 1023, bytes{back}.first(512)));
    }
}

TEST_CASE("file disk: what is no disk is refused, and says why") {
    const auto why = [](const std::string& path, const file_block_options& options = {}) {
        return code_of(file_block::open(path, options));
    };
    scratch_file file{megabyte};
    CHECK(why("/nonexistent") == std::errc::no_such_file_or_directory);
    CHECK(why("/tmp") == std::errc::is_a_directory);
    CHECK(why("/dev/null") == std::errc::not_supported);
    CHECK(why(file.path(), {.sector_size = 777}) == std::errc::invalid_argument);
    CHECK(why(file.path(), {.sector_size = 8192}) == std::errc::invalid_argument);
    file.resize(777);
    CHECK(why(file.path()) == std::errc::invalid_argument);
    file.resize(0);
    const auto empty = file_block::open(file.path());
    CHECK(code_of(empty) == std::errc::invalid_argument);
    CHECK(empty.error().message().find("empty") != std::string::npos);
    CHECK(empty.error().message().find("halvm_disk_") != std::string::npos);
}

TEST_CASE("file disk: has one writer, or any number of readers") {
    scratch_file file{megabyte};
    {
        auto writer = file_block::open(file.path()).value();
        CHECK(code_of(file_block::open(file.path())) == std::errc::device_or_resource_busy);
        CHECK(code_of(file_block::open(file.path(), {.read_only = true})) == std::errc::device_or_resource_busy);
    }
    auto first = file_block::open(file.path(), {.read_only = true}).value();
    CHECK(file_block::open(file.path(), {.read_only = true}));
    CHECK(code_of(file_block::open(file.path())) == std::errc::device_or_resource_busy);
}

/// Does what a test says instead of what it is asked, once for each answer; then everything well.
struct scripted_engine final : process::file_engine {
    explicit scripted_engine(int signal) : done{signal} {}
    std::uint32_t depth() const noexcept override { return 4; }
    void begin(file_part& one) noexcept override {
        offsets.push_back(one.offset);
        directs.push_back(one.direct);
        one.result = static_cast<long>(one.size);
        if (!answers.empty()) {
            one.result = answers.front();
            answers.pop_front();
        }
        finished.push_back(&one);
    }
    void publish() noexcept override { eventfd_write(done, 1); }
    file_part* take() noexcept override {
        if (finished.empty())
            return nullptr;
        file_part* const one = finished.front();
        finished.pop_front();
        return one;
    }

    int done;
    static inline std::deque<long> answers;
    static inline std::vector<std::uint64_t> offsets;
    static inline std::vector<bool> directs;
    std::deque<file_part*> finished;
};

file_block scripted(const scratch_file& file, std::deque<long> answers, bool direct = false) {
    scripted_engine::answers = std::move(answers);
    scripted_engine::offsets.clear();
    scripted_engine::directs.clear();
    process::opened_file opened{.file = process::descriptor{open(file.path().c_str(), O_RDWR | O_CLOEXEC)},
                                .path = file.path(),
                                .info = {.sectors = 2048, .longest_discard = 2048},
                                .direct = direct};
    const auto make = [](int signal) -> result<std::unique_ptr<process::file_engine>> {
        return std::make_unique<scripted_engine>(signal);
    };
    return file_block{file_block::disk::make(opened, make, true).value()};
}

TEST_CASE("file disk: an error of the kernel's is that of its request, and of no other") {
    scratch_file file{megabyte};
    for (const auto& [number, why] : std::vector<std::pair<int, std::errc>>{{ENOSPC, std::errc::no_space_on_device},
                                                                            {EIO, std::errc::io_error},
                                                                            {EDQUOT, std::errc{EDQUOT}},
                                                                            {EFBIG, std::errc::file_too_large}}) {
        auto disk = scripted(file, {512, -number});
        std::vector<std::byte> data(512);
        const_bytes piece{data};
        std::array<block_request, 3> batch;
        for (std::size_t i = 0; i < batch.size(); ++i)
            batch[i] = {.operation = block_operation::write, .first = i, .out = {&piece, 1}};
        CHECK(code_of(disk.transfer(batch)) == why);
        CHECK(batch[0].outcome);
        CHECK(code_of(batch[1].outcome) == why);
        CHECK(batch[2].outcome);
    }
    auto disk = scripted(file, {-EIO, -EOPNOTSUPP});
    CHECK(code_of(flush(disk)) == std::errc::io_error);
    CHECK(code_of(discard(disk, 0, 8)) == std::errc::operation_not_supported);
    CHECK(discard(disk, 0, 8));
}

TEST_CASE("file disk: what the kernel did in part, or was kept from, is asked for again") {
    scratch_file file{megabyte};
    std::vector<std::byte> data(4096);
    {
        auto disk = scripted(file, {-EINTR, -EAGAIN, 1024 + 3, 512, 2048 + 512});
        CHECK(write(disk, 8, data));
        CHECK(scripted_engine::offsets == std::vector<std::uint64_t>{4096, 4096, 4096, 5120, 5632});
        CHECK(disk.state().repeated == 4);
    }
    // Less than a sector is nothing.
    auto disk = scripted(file, {1024, 511});
    CHECK(code_of(read(disk, 8, data)) == std::errc::io_error);
    CHECK(scripted_engine::offsets == std::vector<std::uint64_t>{4096, 5120});
}

TEST_CASE("file disk: when direct transfers are not supported any more, it goes on by the page cache") {
    scratch_file file{megabyte};
    auto disk = scripted(file, {-EINVAL}, true);
    CHECK(disk.state().direct);
    std::vector<std::byte> data(512);
    CHECK(read(disk, 0, data));
    CHECK(scripted_engine::directs == std::vector<bool>{true, false});
    CHECK_FALSE(disk.state().direct);
    // Then it is the request that is wrong.
    scripted_engine::answers = {-EINVAL};
    CHECK(code_of(read(disk, 0, data)) == std::errc::invalid_argument);
}

TEST_CASE("HALVM_DISKS: disks by name, with options, and with ':' and ',' in their files' names") {
    const auto disks = process::parse_disks(R"(xvda=/a:xvdb=b\:c\,d\\e,ro,sector=4096::51744=x=y,cached)").value();
    REQUIRE(disks.size() == 3);
    CHECK(disks[0].name == "xvda");
    CHECK(disks[0].path == "/a");
    CHECK_FALSE(disks[0].options.read_only);
    CHECK(disks[0].options.direct);
    CHECK(disks[1].path == R"(b:c,d\e)");
    CHECK(disks[1].options.read_only);
    CHECK(disks[1].options.sector_size == 4096);
    CHECK(disks[2].name == "51744");
    CHECK(disks[2].path == "x=y");
    CHECK_FALSE(disks[2].options.direct);
    CHECK(process::parse_disks("").value().empty());
    for (const char* wrong :
         {"xvda", "=f", "xvda=", "xvda=f,rw", "xvda=f,sector=x", "xvda=f,sector=", "xvda=f:xvda=g", "xvda=f:51712=g"}) {
        CAPTURE(wrong);
        const auto refused = process::parse_disks(wrong);
        CHECK(code_of(refused) == std::errc::invalid_argument);
    }
}

TEST_CASE("HALVM_DISKS: is where the disks of the process are") {
    scratch_file file{megabyte};
    unsetenv("HALVM_DISKS");
    CHECK(process::disks().value().empty());
    CHECK(process::open_disk("xvda").error().message() == "open a disk: this machine has none: No such device");
    setenv("HALVM_DISKS", ("xvda=" + file.path() + ":xvdb=/nonexistent").c_str(), 1);
    CHECK(process::disks().value() == std::vector<std::string>{"xvda", "xvdb"});
    CHECK(process::open_disk("51712").value().info().sectors == 2048);
    CHECK(process::open_disk("xvdb").error().message() == "open the disk /nonexistent: No such file or directory");
    CHECK(process::open_disk("sda").error().message() == "open a disk: there are only xvda xvdb: No such device");
    unsetenv("HALVM_DISKS");
}

}  // namespace
