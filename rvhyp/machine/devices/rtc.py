"""The Goldfish real-time clock: nanoseconds since 1970, and an alarm (Android's emulator and QEMU's `virt` have it).

    0x00, 0x04   time, low and high word; reading the low one fixes what the high one reads
    0x08, 0x0C   alarm, low and high word; writing the low one sets it
    0x10         bit 0: the interrupt is enabled
    0x14         writing turns the alarm off
    0x18         1 while the alarm is set and has not rung
    0x1C         writing takes the interrupt back

It keeps no time itself.  Who runs the machine asks when the alarm rings (`due`), and looks then, or a little later (`look`).
"""
from __future__ import annotations

from collections.abc import Callable

from rvhyp.machine.bus import BusError, Irq
from rvhyp.machine.fdt import Node, reg, wired

TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT = range(0, 0x20, 4)
WORD, MASK64 = 0xFFFF_FFFF, (1 << 64) - 1


class Rtc:
    """`wall()` is the time in nanoseconds since 1970, which the guest may set for itself; `irq` is the interrupt line."""

    def __init__(self, wall: Callable[[], int], irq: Irq):
        self._wall, self._irq = wall, irq
        self._offset = 0                        # by which the guest has set it; a battery keeps it over resets
        self._readers: dict[int, Callable[[], int]] = {
            TIME_LOW: self._read_time, TIME_HIGH: lambda: self._high,
            ALARM_LOW: lambda: self._alarm & WORD, ALARM_HIGH: lambda: self._alarm >> 32,
            IRQ_ENABLED: lambda: int(self._is_enabled), ALARM_STATUS: lambda: int(self._is_set),
        }
        self._writers: dict[int, Callable[[int], None]] = {
            TIME_LOW: lambda value: self._set_time(value, WORD), TIME_HIGH: lambda value: self._set_time(value << 32, WORD << 32),
            ALARM_LOW: self._set_alarm, ALARM_HIGH: self._set_alarm_high,
            IRQ_ENABLED: self._enable, CLEAR_ALARM: self._clear_alarm, CLEAR_INTERRUPT: self._clear_interrupt,
        }
        self._is_enabled = self._is_pending = False
        self.reset()

    def reset(self) -> None:
        """As at power-on, but that the time goes on."""
        self._high = self._alarm = 0
        self._is_set = self._is_enabled = self._is_pending = False
        self._drive()

    @property
    def due(self) -> int | None:
        """In how many nanoseconds the alarm rings, 0 or less if it should have by now; None if it is not set."""
        return self._alarm - self._time() if self._is_set else None

    def look(self) -> bool:
        """Ring if it is time; whether it did."""
        if not self._is_set or self._time() < self._alarm:
            return False
        self._is_set, self._is_pending = False, True
        self._drive()
        return True

    def read(self, offset: int, size: int) -> int:
        """A word, 0 where there is none to read.  BusError for other accesses."""
        _check(offset, size)
        self.look()
        return self._readers.get(offset, int)()

    def write(self, offset: int, size: int, value: int) -> None:
        """A word, ignored where there is none to write.  BusError for other accesses."""
        _check(offset, size)
        if offset in self._writers:
            self._writers[offset](value)
        self.look()

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        return [Node(f"rtc@{base:x}", {"compatible": "google,goldfish-rtc", "reg": reg(base, size), **wired(interrupt)})]

    def _time(self) -> int:
        return self._wall() + self._offset & MASK64

    def _read_time(self) -> int:
        time = self._time()
        self._high = time >> 32
        return time & WORD

    def _set_time(self, value: int, mask: int) -> None:
        """Half of it; the other half stays."""
        now = self._time()
        self._offset += (now & ~mask | value) - now

    def _set_alarm(self, value: int) -> None:
        self._alarm = self._alarm & ~WORD | value
        self._is_set = True

    def _set_alarm_high(self, value: int) -> None:
        self._alarm = self._alarm & WORD | value << 32

    def _enable(self, value: int) -> None:
        self._is_enabled = bool(value & 1)
        self._drive()

    def _clear_alarm(self, value: int) -> None:
        self._is_set = False

    def _clear_interrupt(self, value: int) -> None:
        self._is_pending = False
        self._drive()

    def _drive(self) -> None:
        self._irq(self._is_pending and self._is_enabled)


def _check(offset: int, size: int) -> None:
    if size != 4 or offset % 4:
        raise BusError(f"rtc: {size}-byte access at offset {offset:#x}")
