"""Where the consoles of guests go: --console, the terminal with its escape key, and several guests on one output."""
from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence

import click

from rvhyp.cli.common import say
from rvhyp.cli.devices import Option
from rvhyp.cli.interruption import stoppable
from rvhyp.machine.console import Input, Output, Prefixed, Terminal
from rvhyp.machine.errors import BadInput
from rvhyp.machine.keyboard import Keyboard
from rvhyp.machine.lines import Line, Pty, Socket

KINDS = "stdio, file:PATH, pty, socket:PATH or none"
HELP = """Ctrl-A h  this help
Ctrl-A x  end the run
Ctrl-A s  show instructions and exits so far
Ctrl-A z  stop, as Ctrl-Z stops other programs
Ctrl-A Ctrl-A  send Ctrl-A to the guest"""

Write = Callable[[bytes], object]


def console_option(command):
    """--console."""
    return click.option("--console", multiple=True, metavar="KIND[,guest=NAME]",
                        help=f"Where the console of a guest is: {KINDS}; without guest=NAME that of all others.  "
                             "[default: stdio]")(command)


def prefixed(names: Sequence[str], output: Write) -> dict[str, Prefixed]:
    """One output for several guests: whole lines, each with whose it is."""
    width = max(map(len, names))
    return {name: Prefixed(f"{name:<{width}} | ", output) for name in names}


def _kinds(names: Sequence[str], options: Sequence[str]) -> dict[str, str]:
    """What each guest has as its console.  BadInput if a guest is unknown, or named twice."""
    given: dict[str, str] = {}
    for text in options:
        option = Option("--console", text, [], ["guest"])
        guest = option.guest_of(names) if option.has("guest") else ""
        if guest in given:
            raise BadInput(f"two consoles for {guest or 'all guests'}", "--console", "give one")
        given[guest] = option.first
    kinds = {name: given.get(name, given.get("", "stdio")) for name in names}
    for path in kinds.values():
        if path.startswith(("file:", "socket:")) and list(kinds.values()).count(path) > 1:
            raise BadInput(f"{path} for several guests", "--console", f"give each its own: --console {path},guest={names[0]}")
    return kinds


def stop_job() -> None:
    """What the terminal does at Ctrl-Z, if it is not raw."""
    os.killpg(os.getpgrp(), signal.SIGTSTP)


class Consoles:
    """The consoles of guests with these names; `descriptor` is where stdio goes.  BadInput for options that cannot be used."""

    def __init__(self, names: Sequence[str], options: Sequence[str], descriptor: int):
        kinds = _kinds(names, options)
        self._terminal, self._keyboard = Terminal(), None
        self._lines: list[Line] = []
        self._files: list[int] = []
        self._hypervisor = None
        on_stdio = [name for name in names if kinds[name] == "stdio"]
        self._is_alone = len(on_stdio) == 1
        shared = prefixed(on_stdio, Output(descriptor)) if on_stdio else {}
        try:
            self._of = {name: self._open(name, kinds[name], descriptor, shared) for name in names}
        except BadInput:
            self.close()
            raise

    def of(self, name: str) -> tuple[Write, Input]:
        """Where a guest's output goes, and its input comes from."""
        return self._of[name]

    def _open(self, name: str, kind: str, descriptor: int, shared: dict[str, Prefixed]) -> tuple[Write, Input]:
        what, _, path = kind.partition(":")
        match what, bool(path):
            case "stdio", False:
                return (Output(descriptor), self._stdin()) if self._is_alone else (shared[name], Input(None))
            case "none", False:
                return (lambda data: None), Input(None)
            case "file", True:
                try:
                    self._files.append(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666))
                except (OSError, ValueError) as error:
                    raise BadInput(f"cannot write it: {getattr(error, 'strerror', error)}", path, "give another path") from error
                return Output(self._files[-1]), Input(None)
            case "pty", False:
                return self._line(name, Pty())
            case "socket", True:
                return self._line(name, Socket(path))
        raise BadInput(f"{kind!r} is no console", "--console", f"give {KINDS}")

    def _line(self, name: str, line: Pty | Socket) -> tuple[Write, Input]:
        self._lines.append(line)
        say(f"the console of {name} is {line.name}")
        return line, line

    def _stdin(self) -> Input:
        """The terminal, raw, with its escape key; or what is piped."""
        if not os.isatty(0):
            return Input(0)
        self._terminal = Terminal(0, is_raw=True)
        commands = {"x": lambda: self._hypervisor.quit(), "s": self._show, "z": stop_job}
        self._keyboard = Keyboard(0, commands, lambda: self._print(HELP))
        return self._keyboard

    @contextlib.contextmanager
    def attended(self, hypervisor) -> Iterator[None]:
        """While the guests run: the terminal is theirs, and its escape key works."""
        self._hypervisor = hypervisor
        if self._keyboard:
            hypervisor.attend = self._keyboard.pump
        try:
            with self._terminal, stoppable(self._terminal):
                yield
        finally:
            self.close()

    def leave(self) -> None:
        """Leave terminal and host as they were found: for an end from outside."""
        self._terminal.restore()
        self.close()

    def close(self) -> None:
        while self._lines:
            self._lines.pop().close()
        while self._files:
            os.close(self._files.pop())

    def _show(self) -> None:
        from rvhyp.cli.run import exit_table
        self._print(f"{exit_table(self._hypervisor.vms)}\ninstructions {self._hypervisor.machine.instret}")

    @staticmethod
    def _print(text: str) -> None:
        click.echo("\n" + text, err=True)
