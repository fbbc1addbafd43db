# SPDX-License-Identifier: BSD-3-Clause
"""The halvm command: one module a subcommand."""
