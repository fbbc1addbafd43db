# SPDX-License-Identifier: BSD-3-Clause
"""The parts of ldkernel; read command.py first, then link.py."""
