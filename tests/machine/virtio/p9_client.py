"""The client's side of 9P2000.L, message by message."""
import os
import struct

from rvhyp.machine.devices.virtio.folder import Folder
from rvhyp.machine.devices.virtio.p9_server import Server
from rvhyp.machine.devices.virtio.p9_wire import HEADER, NOFID, REQUESTS, string

KINDS = {name: kind for kind, (name, _) in REQUESTS.items()}
LETTERS = {"b": "<B", "h": "<H", "w": "<I", "d": "<Q"}
QID = struct.Struct("<BIQ")


class Refused(Exception):
    """An Rlerror."""

    def __init__(self, number):
        super().__init__(os.strerror(number))
        self.errno = number


def encode(name, *arguments, tag=1):
    """A request."""
    body = b""
    for letter, value in zip(REQUESTS[KINDS[name]][1], arguments, strict=True):
        if letter in LETTERS:
            body += struct.pack(LETTERS[letter], value)
        elif letter == "s":
            body += string(value)
        elif letter == "t":
            body += struct.pack("<I", len(value)) + value
        else:
            body += struct.pack("<H", len(value)) + b"".join(map(string, value))
    return HEADER.pack(7 + len(body), KINDS[name], tag) + body


class Client:
    """Calls on `send(request) -> reply`."""

    def __init__(self, send):
        self.send = send
        self.fids = 0

    def call(self, name, *arguments):
        """The fields of the reply as bytes; Refused for an Rlerror."""
        reply = self.send(encode(name, *arguments, tag=7))
        size, kind, tag = HEADER.unpack_from(reply)
        assert size == len(reply) and tag == 7
        if kind == 7:
            raise Refused(struct.unpack("<I", reply[7:])[0])
        assert kind == KINDS[name] + 1
        return reply[7:]

    def start(self):
        """A session; fid 0 is the folder."""
        self.call("version", 1 << 20, b"9P2000.L")
        self.call("attach", 0, NOFID, b"root", b"", 0)

    def walk(self, path, start=0):
        """A new fid for a path, each name a step."""
        names = [part for part in path.split(b"/") if part]
        self.fids += 1
        reply = self.call("walk", start, self.fids, names)
        if struct.unpack_from("<H", reply)[0] < len(names):
            raise Refused(2)
        return self.fids

    def create(self, folder, name, data=b"", mode=0o644):
        fid = self.walk(folder)
        self.call("lcreate", fid, name, os.O_RDWR | os.O_EXCL, mode, 0)
        assert struct.unpack("<I", self.call("write", fid, 0, data))[0] == len(data)
        self.call("clunk", fid)

    def read(self, path, size=1 << 16):
        fid = self.walk(path)
        try:
            self.call("lopen", fid, os.O_RDONLY)
            return self.call("read", fid, 0, size)[4:]
        finally:
            self.call("clunk", fid)

    def names(self, path, count=1 << 16):
        """What is in a folder, with the types readdir gives."""
        fid, offset, found = self.walk(path), 0, {}
        try:
            self.call("lopen", fid, os.O_RDONLY)
            while True:
                data = self.call("readdir", fid, offset, count)[4:]
                if not data:
                    return found
                while data:
                    offset, kind, length = struct.unpack_from("<QBH", data, 13)
                    found[data[24:24 + length]] = kind
                    data = data[24 + length:]
        finally:
            self.call("clunk", fid)

    def mode(self, path):
        fid = self.walk(path)
        reply = self.call("getattr", fid, 0x7FF)
        self.call("clunk", fid)
        return struct.unpack_from("<I", reply, 21)[0]


def connect(folder, is_read_only=False):
    server = Server(Folder(str(folder)), is_read_only)
    client = Client(lambda request: server.answer(request, 1 << 20))
    client.start()
    return client
