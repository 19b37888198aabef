"""The 16550A UART (National Semiconductor PC16550D data sheet), with byte-wide registers next to each other.

The line is infinitely fast: what is written is sent at once.  What the host sends (`receive`) waits on the line until
the guest asks for it, so that piped input is neither lost nor overrun.  A guest asks by enabling the received-data
interrupt, or by reading LSR twice in a row (it spins); drivers that reset the FIFOs or read RBR unseen while they start
up do neither, and a reset puts what was received but not read back on the line.

Piped input comes a line at a time, each when the guest does nothing but ask: one that looks for Ctrl-C now and then, as U-Boot
does while it prints, would swallow the start of the next command.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Callable

from rvhyp.machine.bus import BusError, Irq
from rvhyp.machine.fdt import Node, reg, wired

# Registers by offset; some share one, by direction, or by DLAB, which puts the divisor latch over the first two.
RBR = THR = DLL = 0
IER = DLM = 1
IIR = FCR = 2
LCR, MCR, LSR, MSR, SCR = 3, 4, 5, 6, 7

ERBFI, ETBEI, ELSI, EDSSI = 1, 2, 4, 8                                              # IER
NO_INTERRUPT, MODEM_STATUS, THR_EMPTY, RECEIVED, LINE_STATUS, TIMEOUT = 1, 0, 2, 4, 6, 12    # IIR
FIFOS_ENABLED = 0xC0                                                                # IIR
FIFO_ENABLE, RX_FIFO_RESET, RX_TRIGGER = 1, 2, 0xC0                                 # FCR
DLAB = 0x80                                                                         # LCR
DTR, RTS, OUT1, OUT2, LOOP = 1, 2, 4, 8, 0x10                                       # MCR
DR, OE, THRE, TEMT = 1, 2, 0x20, 0x40                                               # LSR
DCTS, DDSR, TERI, DDCD, CTS, DSR, RI, DCD = 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80      # MSR

FIFO_SIZE = 16
NEWLINE = 10
SPINNING, IDLE = 2, 16                  # reads of LSR in a row
BYTE_OR_WORD = (1, 4)                   # sizes of access
TRIGGER_LEVELS = (1, 4, 8, 14)
CLOCK_FREQUENCY = 3686400               # Hz
LOOPED = 0x100                          # marks a byte that came round the loop, not from the line


class Uart:
    """`write(bytes)` takes what the guest sends; `irq` is the interrupt line; `is_piped` says that nobody types the input."""

    def __init__(self, write: Callable[[bytes], object], irq: Irq, is_piped: bool = False):
        self._is_piped, self._is_line_start = is_piped, True
        self._send, self._irq, self._irq_level = write, irq, False
        self._line: deque[int] = deque()                # sent by the host, not yet received
        self._fifo: deque[int] = deque()
        self._clear()
        self._readers = {RBR: self._read_data, IER: self._read_ier, IIR: self._read_iir, LCR: lambda: self._lcr,
                         MCR: lambda: self._mcr, LSR: self._read_lsr, MSR: self._read_msr, SCR: lambda: self._scr}
        self._writers = {THR: self._write_data, IER: self._write_ier, FCR: self._write_fcr, LCR: self._write_lcr,
                         MCR: self._write_mcr, LSR: self._ignore, MSR: self._ignore, SCR: self._write_scr}

    def _clear(self) -> None:
        self._divisor = 12
        self._ier = self._fcr = self._lcr = self._mcr = self._scr = 0
        self._msr_deltas = 0
        self._overrun = self._thr_emptied = False
        self._lsr_reads = 0                             # in a row, up to now

    def reset(self) -> None:
        """As at power-on; what was received and not read is on the line again."""
        self._reset_fifo()
        self._clear()
        self._settle()

    def receive(self, data: bytes) -> None:
        """Input from the host."""
        self._line.extend(data)
        self._settle()

    @property
    def waiting(self) -> int:
        """How many bytes of input the guest has not read."""
        return len(self._line) + len(self._fifo)

    def read(self, offset: int, size: int) -> int:
        """One register, in the low byte of a wider access.  BusError beyond SCR, or unless `size` is 1 or 4."""
        if offset > SCR or size not in BYTE_OR_WORD:
            raise BusError(f"uart: {size}-byte read at offset {offset:#x}")
        self._lsr_reads = self._lsr_reads + 1 if offset == LSR else 0
        value = self._readers[offset]()
        self._settle()
        return value

    def write(self, offset: int, size: int, value: int) -> None:
        """One register, from the low byte of a wider access.  BusError as for `read`."""
        if offset > SCR or size not in BYTE_OR_WORD:
            raise BusError(f"uart: {size}-byte write at offset {offset:#x}")
        self._lsr_reads = 0
        self._writers[offset](value & 0xFF)
        self._settle()

    def nodes(self, base: int, size: int, interrupt: int) -> list[Node]:
        return [Node(f"serial@{base:x}", {"compatible": "ns16550a", "reg": reg(base, size), "reg-shift": 0,
                                          "clock-frequency": CLOCK_FREQUENCY, **wired(interrupt)})]

    # Receiving

    def _fill(self, stop: int | None = None) -> None:
        """Receive from the line what there is room for, or up to a byte.  The loop cuts the line off."""
        room = FIFO_SIZE if self._fcr & FIFO_ENABLE else 1
        while self._line and len(self._fifo) < room and not self._mcr & LOOP:
            self._fifo.append(self._line.popleft())
            self._is_line_start = self._fifo[-1] == NEWLINE
            if self._fifo[-1] == stop:
                break

    def _fill_for_poll(self) -> None:
        """Receive what a guest gets that reads LSR again and again."""
        if not self._is_piped:
            if self._lsr_reads >= SPINNING:
                self._fill()
        elif not self._fifo and self._lsr_reads >= (IDLE if self._is_line_start else SPINNING):
            self._fill(NEWLINE)

    def _loop(self, value: int) -> None:
        """Receive what was just sent.  The FIFO keeps its contents on overrun, the buffer without FIFO loses them."""
        room = FIFO_SIZE if self._fcr & FIFO_ENABLE else 1
        if len(self._fifo) == room:
            self._overrun = True
            if room > 1:
                return
            self._fifo.clear()
        self._fifo.append(value | LOOPED)

    def _reset_fifo(self) -> None:
        self._line.extendleft(byte for byte in reversed(self._fifo) if not byte & LOOPED)
        self._fifo.clear()

    # Registers

    def _read_data(self) -> int:
        if self._lcr & DLAB:
            return self._divisor & 0xFF
        return self._fifo.popleft() & 0xFF if self._fifo else 0

    def _write_data(self, value: int) -> None:
        if self._lcr & DLAB:
            self._divisor = self._divisor & 0xFF00 | value
            return
        self._thr_emptied = True
        if self._mcr & LOOP:
            self._loop(value)
        else:
            self._send(bytes((value,)))

    def _read_ier(self) -> int:
        return self._divisor >> 8 if self._lcr & DLAB else self._ier

    def _write_ier(self, value: int) -> None:
        if self._lcr & DLAB:
            self._divisor = value << 8 | self._divisor & 0xFF
            return
        if value & ~self._ier & ETBEI:                  # THR is always empty: enabling the interrupt causes one
            self._thr_emptied = True
        self._ier = value & (ERBFI | ETBEI | ELSI | EDSSI)

    def _read_iir(self) -> int:
        cause = self._cause()
        if cause == THR_EMPTY:                          # "Reading the IIR (if source of interrupt)" resets it
            self._thr_emptied = False
        return cause | (FIFOS_ENABLED if self._fcr & FIFO_ENABLE else 0)

    def _write_fcr(self, value: int) -> None:
        if (value ^ self._fcr) & FIFO_ENABLE or value & FIFO_ENABLE and value & RX_FIFO_RESET:
            self._reset_fifo()
        self._fcr = value & (FIFO_ENABLE | RX_TRIGGER) if value & FIFO_ENABLE else 0

    def _write_lcr(self, value: int) -> None:
        self._lcr = value

    def _write_mcr(self, value: int) -> None:
        before = self._modem_inputs()
        self._mcr = value & (DTR | RTS | OUT1 | OUT2 | LOOP)
        after = self._modem_inputs()
        self._msr_deltas |= (before ^ after) >> 4 & (DCTS | DDSR | DDCD)
        if before & ~after & RI:                        # the trailing edge of the ring indicator
            self._msr_deltas |= TERI

    def _read_lsr(self) -> int:
        self._fill_for_poll()
        value = THRE | TEMT | (DR if self._fifo else 0) | (OE if self._overrun else 0)
        self._overrun = False
        return value

    def _read_msr(self) -> int:
        value = self._modem_inputs() | self._msr_deltas
        self._msr_deltas = 0
        return value

    def _write_scr(self, value: int) -> None:
        self._scr = value

    def _ignore(self, value: int) -> None:
        """LSR and MSR: writing is for factory tests."""

    def _modem_inputs(self) -> int:
        """A modem that is connected and ready; in loopback, our own outputs."""
        if not self._mcr & LOOP:
            return CTS | DSR | DCD
        return sum(seen for driven, seen in ((RTS, CTS), (DTR, DSR), (OUT1, RI), (OUT2, DCD)) if self._mcr & driven)

    # Interrupts

    def _cause(self) -> int:
        """The interrupt of highest priority, as IIR reports it (table 4).  A timeout takes no time on this line."""
        if self._ier & ELSI and self._overrun:
            return LINE_STATUS
        if self._ier & ERBFI and self._fifo:
            return RECEIVED if len(self._fifo) >= TRIGGER_LEVELS[self._fcr >> 6] else TIMEOUT
        if self._ier & ETBEI and self._thr_emptied:
            return THR_EMPTY
        if self._ier & EDSSI and self._msr_deltas:
            return MODEM_STATUS
        return NO_INTERRUPT

    def _settle(self) -> None:
        """After any change: receive if the guest waits for interrupts, and drive the line."""
        if self._ier & ERBFI:
            self._fill()
        level = self._ier != 0 and self._cause() != NO_INTERRUPT
        if level != self._irq_level:
            self._irq_level = level
            self._irq(level)
