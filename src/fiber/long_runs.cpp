// SPDX-License-Identifier: BSD-3-Clause
#include "fiber/long_runs.hpp"

#include "fiber/report.hpp"
#include "text/line_writer.hpp"

namespace halvm::fiber {

void long_runs::stop() noexcept {
    if (this_scheduler().watched_by() == this)
        this_scheduler().watch(nullptr);
}

void long_runs::stretch_ends(const task& one) noexcept {
    const instant now = this_scheduler().now();
    if (const instant ran = now - since_; ran > limit_) {
        line_writer text;
        text.text("halvm: fiber ");
        text.text(one.name());
        text.text(" ran for ");
        text.decimal(ran / 1'000'000);
        text.text(" ms without yielding\n");
        report_text(text.view());
    }
    since_ = now;
}

}  // namespace halvm::fiber
