// SPDX-License-Identifier: BSD-3-Clause
// feature: `<cmath>` with its special functions, `<complex>`, `<cfenv>`, `long double`
#include "report.hpp"

#include <cfenv>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

namespace {

bool near(double value, double expected, double within = 1e-12) {
    return std::fabs(value - expected) <= within * std::fabs(expected);
}

}  // namespace

int halvm_main() {
    volatile double half = 0.5;
    HALVM_CHECK(near(std::sin(half), 0.479425538604203) && near(std::exp(half), 1.6487212707001282));
    HALVM_CHECK(near(std::log1p(half), 0.4054651081081644) && near(std::pow(half, -3.5), 11.313708498984761));
    HALVM_CHECK(std::sqrt(half * 8) == 2 && std::cbrt(half * 16) == 2 && std::hypot(half * 6, half * 8) == 5);
    HALVM_CHECK(near(std::tgamma(half), 1.772453850905516) && near(std::erf(half), 0.5204998778130465));
    HALVM_CHECK(near(std::cyl_bessel_j(0, 1.0), 0.7651976865579666) &&
                near(std::riemann_zeta(2.0), 1.6449340668482264));
    HALVM_CHECK(near(std::legendre(3, half), -0.4375) && near(std::beta(2.0, 3.0), 1.0 / 12, 1e-10));
    HALVM_CHECK(std::isnan(std::log(-half)) && std::isinf(std::log(half - half)));
    HALVM_CHECK(std::fma(half, 4, 1) == 3 && std::remainder(7 * half, 2) == -half && std::ilogb(half) == -1);

    const std::complex<double> turn = std::exp(std::complex<double>{0, std::numbers::pi});
    HALVM_CHECK(near(turn.real(), -1) && std::fabs(turn.imag()) < 1e-15);
    HALVM_CHECK(near(std::abs(std::complex<double>{3, 4}), 5) &&
                near(std::sqrt(std::complex<double>{-4, 0}).imag(), 2));

    std::feclearexcept(FE_ALL_EXCEPT);
    volatile double big = std::numeric_limits<double>::max();
    big = big * 2;
    HALVM_CHECK(std::fetestexcept(FE_OVERFLOW) != 0);
    HALVM_CHECK(std::fesetround(FE_UPWARD) == 0 && std::rint(half * 0.2) == 1 && std::fesetround(FE_TONEAREST) == 0);
    volatile long double third = 1.0L / 3;
    HALVM_CHECK(std::fabs(third * 3 - 1) < 1e-18L && std::sin(third) < third);
    volatile float single = 0.1F;
    HALVM_CHECK(static_cast<double>(single * single) != 0.01);
    return report::verdict("math");
}
