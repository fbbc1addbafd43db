# SPDX-License-Identifier: BSD-3-Clause
"""examples/echo in a domain, and dom0's kernel, which asks who has its address, pings it, sends it datagrams and connects.

echo_test.py PROGRAM
"""

import hashlib
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from lab.domain import Domain, Guest
from lab.lab import Lab
from lab.network import ISOLATED, Nic

PATIENCE = 300.0
NIC, ADDRESS, DOM0 = Nic(ISOLATED, "00:16:3e:00:88:03"), "10.0.1.77", "10.0.1.1"
# Whole and in fragments, with an odd last one; busybox's ping knows the data that must come back.
SIZES = (0, 1, 56, 1471, 1472, 1473, 2961, 8000, 65507)
# By TCP, a stream that fills windows and segments.
TEXT = "".join(f"{number}\n" for number in range(1, 100_001)).encode()
STEPS = {
    f"arping -c 1 -w 5 -I {ISOLATED} {ADDRESS}": "1 response",
    **{f"ping -c 1 -W 5 -s {size} {ADDRESS}": " 0% packet loss" for size in SIZES},
    # Of what is in dom0, only bash speaks UDP, and busybox's nc TCP.
    f"bash -c 'exec 3<>/dev/udp/{ADDRESS}/7; echo a datagram >&3; timeout 20 head -n 1 <&3'": "a datagram",
    f"bash -c 'exec 3<>/dev/tcp/{ADDRESS}/7; seq 1 100000 >&3 & timeout 60 head -c {len(TEXT)} <&3 | md5sum'":
        hashlib.md5(TEXT).hexdigest(),
}  # fmt: skip


def main() -> None:
    kernel = Path(sys.argv[1])
    extra = f"ip={ADDRESS}/24 {DOM0}"
    with Lab() as lab, ExitStack() as stack:
        lanes = [stack.enter_context(lab.lane()) for _ in range(2)]
        guest = Guest("echo", kernel, memory_mb=32, nics=(NIC,), command_line=extra)
        domain = stack.enter_context(Domain(lab, lanes[0], guest))
        deadline = time.monotonic() + PATIENCE
        while "ready" not in domain.result.console and not domain.over and time.monotonic() < deadline:
            domain.poll(0.1)
        print(domain.result.console)
        if f"{DOM0}: {DOM0}, answers" not in domain.result.console:
            sys.exit("it has not pinged dom0")
        for command, expected in STEPS.items():
            answer = lanes[1].run(command)
            print(answer.text)
            if expected not in answer.text:
                sys.exit(f"{command}: {expected!r} is not there")


if __name__ == "__main__":
    main()
