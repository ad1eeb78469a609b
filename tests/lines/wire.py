"""Carries packets between network namespaces, and loses, delays or cuts them off as it is told. What is lost is lost without a word,
as on a bad line: nobody gets an error.

    wire.py SEED DEVICE...

It makes a TUN device for each name, says "ready", and carries each IPv4 packet to the device whose place is the third number of the
packet's destination: 10.77.PLACE.x. Standard input has one rule a line, as JSON, for what comes from a place ("up") or goes to it
("down"); the other fields are those of a Rule. It ends with its input.

The same seed draws the same numbers. Never more than MOST_IN_A_ROW packets in a row are lost one way by chance, so that a test on a
bad line has a bound and no luck.
"""

import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MOST_IN_A_ROW = 3


class Rule:
    """What happens to packets one way at one place."""

    def __init__(self, loss=0.0, delay=0.0, jitter=0.0, cut=False):
        self.loss, self.delay, self.jitter, self.cut = loss, delay, jitter, cut
        self.lost_in_a_row = 0

    def loses(self, luck):
        """Whether the next packet is lost."""
        by_chance = luck.random() < self.loss and self.lost_in_a_row < MOST_IN_A_ROW
        self.lost_in_a_row = self.lost_in_a_row + 1 if by_chance else 0
        return self.cut or by_chance

    def takes(self, luck):
        """How long the next packet takes, in seconds."""
        return max(0.0, self.delay + luck.uniform(-self.jitter, self.jitter))


def device(name):
    """A new TUN device."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def main():
    luck = random.Random(int(sys.argv[1]))
    devices = [device(name) for name in sys.argv[2:]]
    rules = {(place, way): Rule() for place in range(len(devices)) for way in ("up", "down")}
    on_the_way, count, told = [], 0, b""
    print("ready", flush=True)
    poll = select.poll()
    for source in [0, *devices]:
        poll.register(source, select.POLLIN)
    while True:
        wait = max(0.0, on_the_way[0][0] - time.monotonic()) if on_the_way else None
        for source, _ in poll.poll(None if wait is None else wait * 1000):
            if source == 0:
                more = os.read(0, 65536)
                if not more:
                    return
                *lines, told = (told + more).split(b"\n")
                for line in lines:
                    rule = json.loads(line)
                    where = rule.pop("place"), rule.pop("way")
                    rules[where] = Rule(**rule)
                continue
            try:
                packet = os.read(source, 65536)
            except OSError:
                continue
            place = devices.index(source)
            if packet[0] >> 4 != 4 or packet[18] >= len(devices):
                continue
            ways = [rules[place, "up"], rules[packet[18], "down"]]
            # Both are asked, so that the numbers that are drawn do not depend on the outcome.
            if any([rule.loses(luck) for rule in ways]):
                continue
            count += 1
            at = time.monotonic() + sum(rule.takes(luck) for rule in ways)
            heapq.heappush(on_the_way, (at, count, devices[packet[18]], packet))
        while on_the_way and on_the_way[0][0] <= time.monotonic():
            _, _, target, packet = heapq.heappop(on_the_way)
            try:
                os.write(target, packet)
            except OSError:
                pass  # The namespace is about to end.


main()
