// SPDX-License-Identifier: BSD-3-Clause
// Lists the disks of its machine and reads all of each. With the word `overwrite` on its command line it also fills
// those that it may write to with a pattern, and reads it back.
#include <halvm/block.hpp>
#include <halvm/program.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace {

/// Calls `use(first sector, data)` for the whole disk, piece by piece, until that fails; `data` is the disk's own.
template <class Use>
halvm::result<void> for_each_piece(halvm::disk& disk, Use use) {
    const auto info = disk.info();
    auto buffer = disk.allocate(std::size_t{256} << 10);
    if (!buffer)
        return halvm::failure(buffer.error());
    const halvm::bytes memory = *buffer;
    const std::uint64_t most = memory.size() / info.sector_size;
    for (std::uint64_t first = 0; first < info.sectors; first += most) {
        const auto count = std::min(most, info.sectors - first);
        if (auto done = use(first, memory.first(static_cast<std::size_t>(count * info.sector_size))); !done)
            return done;
    }
    return {};
}

/// Each eight bytes are their own place on the disk, so that no two sectors are alike.
void fill(std::uint64_t offset, halvm::bytes data) {
    for (std::size_t at = 0; at < data.size(); at += sizeof offset, offset += sizeof offset)
        std::memcpy(&data[at], &offset, sizeof offset);
}

void describe(const std::string& name, const halvm::block_info& info) {
    std::printf("%s: %llu sectors of %u bytes, %s, %s, %s\n", name.c_str(),
                static_cast<unsigned long long>(info.sectors), info.sector_size,
                info.read_only ? "read only" : "writable", info.flushes ? "can flush" : "cannot flush",
                info.longest_discard != 0 ? "can discard" : "cannot discard");
}

halvm::result<void> read_all(halvm::disk& disk) {
    const std::size_t sector = disk.info().sector_size;
    unsigned long long used = 0;
    auto done = for_each_piece(disk, [&](std::uint64_t first, halvm::bytes data) {
        auto how = halvm::read(disk, first, data);
        for (std::size_t at = 0; how && at < data.size(); at += sector)
            used += std::ranges::any_of(data.subspan(at, sector), [](std::byte one) { return one != std::byte{}; });
        return how;
    });
    if (done)
        std::printf("  read all of it: %llu sectors hold something\n", used);
    return done;
}

halvm::result<void> overwrite_all(halvm::disk& disk) {
    const std::size_t sector = disk.info().sector_size;
    auto done = for_each_piece(disk, [&](std::uint64_t first, halvm::bytes data) {
        fill(first * sector, data);
        return halvm::write(disk, first, data);
    });
    if (done)
        done = halvm::flush(disk);
    if (!done)
        return done;
    std::printf("  wrote a pattern over it\n");
    unsigned long long wrong = 0;
    std::string expected;
    done = for_each_piece(disk, [&](std::uint64_t first, halvm::bytes data) {
        auto how = halvm::read(disk, first, data);
        expected.resize(data.size());
        fill(first * sector, std::as_writable_bytes(std::span{expected}));
        for (std::size_t at = 0; how && at < data.size(); at += sector)
            wrong += std::memcmp(&data[at], &expected[at], sector) != 0;
        return how;
    });
    if (done)
        std::printf("  read it back: %llu sectors are wrong\n", wrong);
    return done;
}

}  // namespace

int halvm_main() {
    const auto words = halvm::arguments();
    const bool overwrite = std::ranges::find(words, std::string_view{"overwrite"}) != words.end();
    const auto names = halvm::disks().value();
    std::printf("disks: %zu\n", names.size());
    int failures = 0;
    for (const auto& name : names) {
        auto disk = halvm::open_block(name);
        halvm::result<void> done;
        if (!disk) {
            done = halvm::failure(disk.error());
        } else {
            describe(name, disk->info());
            done = read_all(*disk);
            if (done && overwrite && !disk->info().read_only)
                done = overwrite_all(*disk);
        }
        if (!done)
            std::printf("%s: %s\n", name.c_str(), done.error().message().c_str());
        failures += done ? 0 : 1;
    }
    return failures;
}
