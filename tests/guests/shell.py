"""Shells of Linux guests, talked to as a person does: a command is given when the one before has ended."""
import queue
import re
import socket
import threading
import time

ESCAPES = re.compile(rb"\r|\x1b\[[0-9;?]*[a-zA-Z]")
PROMPT = b":~# "                        # of the guest debian


def command(console, text, timeout=120):
    """Give a command to the shell at a Session or Line: what was said since the last, and its status."""
    console.send(text + b"; echo status''=$?=\n")
    said = console.expect(b"status=", timeout)
    return ESCAPES.sub(b"", said), int(console.expect(b"=", timeout)[:-1])


class Line:
    """The console of a guest at a Unix socket, read all the time; `expect` and `send` as a Session has them."""

    def __init__(self, path, timeout=60):
        end = time.monotonic() + timeout
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                self._socket.close()
                assert time.monotonic() < end, f"nobody listens at {path}"
                time.sleep(0.05)
        self.seen, self._read = b"", queue.SimpleQueue()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while data := self._socket.recv(65536):
            self._read.put(data)
        self._read.put(b"")

    def expect(self, text, timeout=120):
        end = time.monotonic() + timeout
        while text not in self.seen:
            try:
                data = self._read.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{text!r} did not come; the console shows {self.seen[-500:]!r}") from None
            assert data, f"the console ended before {text!r}: {self.seen[-500:]!r}"
            self.seen += data
        found, _, self.seen = self.seen.partition(text)
        return found + text

    def send(self, text):
        self._socket.sendall(text)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
