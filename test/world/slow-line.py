"""Run in the internet's room: holds every packet of a laptop back, in both directions, as a line with a long way does.

Arguments: the laptop's address, delay of one direction in milliseconds. The kernel has no netem here: packets are routed into a
tun device by rules, wait in this program, and are routed on when they come out. Prints {"type":"ready"}, and then a line for each new
TCP connection and for each handshake of WireGuard, with the time at which it came by.
"""

import collections
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
TCP, UDP, SYN, ACK = 6, 17, 0x02, 0x10
# The first message of a handshake: type 1 and three reserved bytes.
HANDSHAKE = b"\x01\x00\x00\x00"
TABLE, NAME = "300", "slow"


def ip(*arguments):
    return subprocess.run(["/sbin/ip", *arguments], check=True, capture_output=True, text=True).stdout


def tell(**event):
    print(json.dumps(event), flush=True)


def describe(packet):
    """Tells what begins with this packet (IPv4 only)."""
    if len(packet) < 40 or packet[0] >> 4 != 4:
        return
    header = (packet[0] & 15) * 4
    port = struct.unpack(">H", packet[header + 2 : header + 4])[0]
    if packet[9] == TCP and packet[header + 13] & (SYN | ACK) == SYN:
        tell(type="connection", port=port, at=time.time() * 1000)
    if packet[9] == UDP and packet[header + 8 : header + 12] == HANDSHAKE:
        tell(type="handshake", port=port, at=time.time() * 1000)


def main(address, delay):
    device = ip("-o", "route", "get", address).split(" dev ")[1].split()[0]
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", NAME.encode(), IFF_TUN | IFF_NO_PI))
    ip("link", "set", NAME, "up", "txqueuelen", "10000")
    ip("route", "add", "default", "dev", NAME, "table", TABLE)
    ip("rule", "add", "iif", device, "lookup", TABLE)
    ip("rule", "add", "iif", "slice", "to", address, "lookup", TABLE)
    for where in ("all", NAME):
        with open(f"/proc/sys/net/ipv4/conf/{where}/rp_filter", "w", encoding="ascii") as file:
            file.write("0")
    waiting = collections.deque()
    tell(type="ready")
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([tun], [], [], timeout)[0]:
            packet = os.read(tun, 65536)
            waiting.append((time.monotonic() + delay, packet))
            describe(packet)
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(tun, waiting.popleft()[1])


main(sys.argv[1], float(sys.argv[2]) / 1000)
