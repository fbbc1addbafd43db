# SPDX-License-Identifier: BSD-3-Clause
"""HTTP without a network, counted in a domain: heads parsed, requests answered over a stream in memory."""

import counted


def main() -> None:
    counted.print_lines("http_counted")


main()
