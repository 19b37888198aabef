"""A machine on a switch, made by hand: Ethernet, ARP, IPv4, UDP, DHCP, and as much of TCP as a short talk needs."""
import select
import socket
import struct
import time

from rvhyp.machine.switch import mac_of

ALL = b"\xFF" * 6
ARP, IPV4 = 0x0806, 0x0800
TCP, UDP = 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ROUTER = "10.0.2.2"


def address(text):
    return socket.inet_aton(text)


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol, origin, to, payload):
    """A packet with a right checksum, and one in its UDP or TCP header."""
    pseudo = address(origin) + address(to) + struct.pack(">BBH", 0, protocol, len(payload))
    at = {TCP: 16, UDP: 6}[protocol]
    payload = payload[:at] + checksum(pseudo + payload).to_bytes(2, "big") + payload[at + 2:]
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, address(origin), address(to))
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload


def udp(port, to_port, data):
    return struct.pack(">HHHH", port, to_port, 8 + len(data), 0) + data


def tcp(port, to_port, seq, ack, flags, data=b""):
    return struct.pack(">HHIIBBHHH", port, to_port, seq, ack, 5 << 4, flags, 60000, 0, 0) + data


def dhcp(mac, kind, *options):
    """A request of a client; options are bytes with their code and length."""
    fixed = struct.pack(">BBBBIHH4s4s4s4s16s192x4s", 1, 1, 6, 0, 0x1234, 0, 0, b"", b"", b"", b"", mac, b"\x63\x82\x53\x63")
    return (fixed + bytes((53, 1, kind)) + b"".join(options) + b"\xFF").ljust(300, b"\0")


class Machine:
    """Machine `number` of the network, with this address."""

    def __init__(self, switch, network, number=0, ip="10.0.2.15"):
        self.mac, self.ip, self.got, self._network = mac_of(number), ip, [], network
        self.port = switch.plug(lambda frame: self._receive(frame) or True)
        self.router = ALL

    def _receive(self, frame):
        """Keep it; and answer who asks for our address."""
        self.got.append(frame)
        if frame[12:14] == ARP.to_bytes(2, "big") and frame[21] == 1 and frame[38:42] == address(self.ip):
            self.arp(2, frame[22:28], frame[28:32])

    def send(self, kind, payload, to=None):
        self.port.send(((to or self.router) + self.mac + kind.to_bytes(2, "big") + payload).ljust(60, b"\0"))

    def arp(self, operation, mac, ip):
        self.send(ARP, struct.pack(">HHBBH6s4s6s4s", 1, IPV4, 6, 4, operation, self.mac, address(self.ip), mac, ip), ALL)

    def send_udp(self, to, port, to_port, data):
        self.send(IPV4, ipv4(UDP, self.ip, to, udp(port, to_port, data)))

    def send_tcp(self, to, *fields):
        self.send(IPV4, ipv4(TCP, self.ip, to, tcp(*fields)))

    def wait(self, wanted, seconds=10):
        """The first frame for which wanted(frame) holds, once it has come; None if it does not come."""
        end = time.monotonic() + seconds
        while True:
            while self.got:
                frame = self.got.pop(0)
                if wanted(frame):
                    return frame
            left = end - time.monotonic()
            if left <= 0 or self._network.descriptor is None:
                return None
            select.select([self._network.descriptor], [], [], left)
            self._network.serve()

    def find_router(self, seconds=10):
        """Whether it answers; its address is then known."""
        self.arp(1, bytes(6), address(ROUTER))
        frame = self.wait(lambda frame: frame[12:14] == ARP.to_bytes(2, "big") and frame[21] == 2, seconds)
        self.router = frame[6:12] if frame else ALL
        return frame is not None

    def wait_ipv4(self, protocol, port, flags=0, seconds=10):
        """The header and data of a UDP or TCP packet for a port of ours, with at least those flags."""
        def wanted(frame):
            return (frame[12:14] == IPV4.to_bytes(2, "big") and frame[23] == protocol and frame[30:34] == address(self.ip)
                    and frame[36:38] == port.to_bytes(2, "big") and (protocol == UDP or frame[47] & flags == flags))
        frame = self.wait(wanted, seconds)
        return None if frame is None else frame[34:14 + int.from_bytes(frame[16:18], "big")]
