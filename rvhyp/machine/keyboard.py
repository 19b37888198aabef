"""The terminal as the console of one guest: keys go to it as they are typed, but for an escape key with commands for us."""
from __future__ import annotations

from collections.abc import Callable, Mapping

from rvhyp.machine.console import Input

ESCAPE = 0x01                           # Ctrl-A, as QEMU has it
MOST_TYPED = 1 << 16                    # bytes kept for a guest that does not read them


class Keyboard(Input):
    """Input from a raw terminal.  After Ctrl-A a key of `commands` calls it, a second Ctrl-A is one, all others call `help`.

    `pump` must be called now and then: a guest that reads nothing cannot keep the escape key from working.
    """

    is_piped = False

    def __init__(self, descriptor: int, commands: Mapping[str, Callable[[], object]], help: Callable[[], object]):
        super().__init__(descriptor)
        self._commands, self._help = commands, help
        self._typed, self._is_escaped = bytearray(), False

    @property
    def is_open(self) -> bool:
        return bool(self._typed) or super().is_open

    def pump(self, timeout: float = 0) -> None:
        """Take what was typed, or is within `timeout` seconds, and do what is for us."""
        for byte in super().read(timeout):
            if not self._is_escaped and byte == ESCAPE:
                self._is_escaped = True
                continue
            if self._is_escaped and byte != ESCAPE:
                self._commands.get(chr(byte).lower(), self._help)()
            elif len(self._typed) < MOST_TYPED:
                self._typed.append(byte)
            self._is_escaped = False

    def read(self, timeout: float = 0) -> bytes:
        """What is there for the guest now, or comes within `timeout` seconds."""
        self.pump(0 if self._typed else timeout)
        data = bytes(self._typed)
        self._typed.clear()
        return data
