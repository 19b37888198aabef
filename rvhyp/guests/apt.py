"""A second apt for architecture riscv64, with its own lists, cache and empty status file: the host's own is not touched.

apt verifies all it downloads by the signature of the archive; what stopped half-way is resumed.
"""
from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from rvhyp.engine.children import end_with
from rvhyp.machine.errors import BadInput

MIRROR = "http://deb.debian.org/debian"
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
ARCHITECTURE = "riscv64"

Progress = Callable[[str, float], object]       # what is being done, and per cent of it

# What apt says, and what that means.  The first that is found counts.
FAILURES = (
    (r"is expired|is not valid (?:yet|anymore)",
     "the Release file of {suite} has expired: the mirror is out of date, or an archived snapshot; whoever keeps it back could "
     "hide security updates", "give another --mirror, or --allow-expired to take it as it is"),
    (r"No space left on device|enough free space",
     "the disk is full", "free some space; what was downloaded is kept in {folder}"),
    (r"NO_PUBKEY|is not signed|signatures? (?:couldn't|were invalid)|EXPKEYSIG|BADSIG",
     "the signature of {suite} cannot be verified with {keyring}", "update debian-archive-keyring, or give another --keyring"),
    (r"Could not (?:resolve|connect)|Unable to connect|Temporary failure|Connection (?:failed|timed out|refused)|is unreachable",
     "{mirror} cannot be reached", "check the network and http_proxy, or give another --mirror"),
    (r"does not have a Release file|404 ",
     "{mirror} has no {suite} for riscv64, or it changed meanwhile", "try again, or give another --mirror"),
    (r"Unable to locate package|has no installation candidate|Can't find",
     "{suite} of {mirror} lacks a package", "give another --mirror"),
)


def find_tool(name: str, package: str) -> str:
    """The path of a program of the host.  BadInput, naming the package it is in, if it is not there."""
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if path is None:
        raise BadInput("is not installed", name, f"install the Debian package {package}, or what your system calls it")
    return path


class Apt:
    """apt for one suite of Debian ("trixie"), its files below `folder`.

    BadInput, here and everywhere, if a program or the keyring is missing, the network does not work, or a signature does not fit.
    """

    def __init__(self, folder: Path, suite: str, mirror: str = MIRROR, keyring: str | None = None, allow_expired: bool = False,
                 progress: Progress = lambda what, percent: None):
        self.suite, self.mirror, self._folder, self._progress = suite, mirror, folder, progress
        self._process: subprocess.Popen | None = None
        self._get, self._cache = find_tool("apt-get", "apt"), find_tool("apt-cache", "apt")
        self._keyring = find_keyring(keyring)
        self.archives = folder / "archives"
        for each in ("state", f"{suite}/lists/partial", f"{suite}/cache", "archives/partial"):
            (folder / each).mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "state/status").touch()
        self._sources = folder / suite / "sources.list"
        self._sources.write_text(f"deb [signed-by={_quoted(self._keyring)}] {_quoted(mirror)} {suite} main\n")
        self._configuration = folder / suite / "apt.conf"
        self._configuration.write_text(self._options(allow_expired))

    def _options(self, allow_expired: bool) -> str:
        folder, own = self._folder, self._folder / self.suite
        options = {
            "APT::Architecture": ARCHITECTURE, "APT::Architectures": ARCHITECTURE, "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false", "APT::Update::Error-Mode": "any", "APT::Get::AllowUnauthenticated": "false",
            "Dir::State": folder / "state", "Dir::State::status": folder / "state/status", "Dir::State::lists": own / "lists",
            "Dir::Cache": own / "cache", "Dir::Cache::archives": self.archives,
            "Dir::Etc::sourcelist": self._sources, "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::main": "/dev/null", "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::Etc::trusted": "/dev/null", "Dir::Etc::trustedparts": "/dev/null",
            "Acquire::Languages": "none", "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false", "Acquire::Retries": 2, "Acquire::http::Timeout": 30,
            "Acquire::Check-Valid-Until": str(not allow_expired).lower(), "Dpkg::Use-Pty": "false", "quiet": 1,
        }
        lines = [f'{name} "{value}";\n' for name, value in options.items()]
        return "".join(lines) + host_proxies() + "#clear DPkg::Post-Invoke;\n#clear APT::Update::Post-Invoke;\n"

    def _run(self, command: Sequence[str], what: str, cwd: Path | None = None) -> str:
        """Run apt to its end; what it printed.  Its progress is passed on."""
        reading, writing = os.pipe()
        environment = os.environ | {"APT_CONFIG": str(self._configuration), "LC_ALL": "C.UTF-8"}
        command = [command[0], "-o", f"APT::Status-Fd={writing}", *command[1:]]
        try:
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=environment, cwd=cwd, pass_fds=[writing],
                                  preexec_fn=partial(end_with, os.getpid(), signal.SIGTERM)) as process:
                self._process = process
                os.close(writing)
                writing = -1
                try:
                    said = self._follow(process, reading, what)
                except BaseException:
                    process.terminate()
                    raise
        finally:
            for each in (reading, writing):
                if each >= 0:
                    os.close(each)
        if process.returncode:
            raise self._failure(said[process.stderr] + said[process.stdout], what)
        return said[process.stdout]

    def stop(self) -> None:
        """End what apt is doing; it can be resumed."""
        if self._process:
            self._process.terminate()

    def _follow(self, process: subprocess.Popen, status: int, what: str) -> dict:
        """What it writes to stdout and stderr, once it has closed them."""
        said = {process.stdout: b"", process.stderr: b"", status: b""}
        there = list(said)
        while there:
            for each in select.select(there, [], [])[0]:
                data = os.read(each if each == status else each.fileno(), 1 << 16)
                said[each] += data
                if not data:
                    there.remove(each)
                elif each == status:
                    *lines, said[status] = said[status].split(b"\n")
                    for line in lines:
                        self._tell(line.decode("utf-8", "replace"), what)
        return {each: data.decode("utf-8", "replace") for each, data in said.items()}

    def _tell(self, line: str, what: str) -> None:
        """A line of the status: `dlstatus:number:per cent:text`."""
        kind, _, rest = line.partition(":")
        if kind == "dlstatus":
            try:
                self._progress(what, float(rest.split(":")[1]))
            except (IndexError, ValueError):
                return

    def _failure(self, said: str, what: str) -> BadInput:
        words = {"suite": self.suite, "mirror": self.mirror, "keyring": self._keyring, "folder": self.archives}
        for pattern, meaning, remedy in FAILURES:
            if re.search(pattern, said):
                return BadInput(meaning.format(**words), what, remedy.format(**words))
        errors = [line[2:].strip() for line in said.splitlines() if line.startswith(("E:", "W:"))]
        return BadInput(f"apt failed: {(errors or said.splitlines() or ['it said nothing'])[-1].strip()}", what)

    def update(self) -> None:
        """Get the lists of packages, if they changed."""
        self._run([self._get, "update"], f"lists of {self.suite}")

    def show(self, package: str) -> dict[str, str]:
        """The fields of the newest version of a package."""
        said = self._run([self._cache, "show", "--no-all-versions", package], package)
        fields = re.findall(r"^([A-Za-z0-9-]+): (.*)$", said.split("\n\n")[0], re.MULTILINE)
        return dict(fields)

    def download(self, packages: Iterable[str], what: str, with_dependencies: bool = False) -> list[Path]:
        """The .deb files of packages, and of all they depend on, by name."""
        names, elsewhere = list(packages), self._folder / self.suite / "none"       # where no file is: then all are listed
        (elsewhere / "partial").mkdir(parents=True, exist_ok=True)
        command = [self._get, "install", "--yes", "--download-only"] if with_dependencies else [self._get, "download"]
        listed = self._run([*command, "--print-uris", "-o", f"Dir::Cache::archives={elsewhere}", *names], what, elsewhere)
        files = re.findall(r"^'[^']*' (\S+\.deb) \d+", listed, re.MULTILINE)
        self._run([*command, *names], what, self.archives)
        return [self.archives / name for name in sorted(files)]


def find_keyring(given: str | None) -> str:
    """The keys that Debian's archive is signed with."""
    for path in [given] if given else KEYRINGS:
        if os.path.isfile(path):
            return os.path.abspath(path)
    raise BadInput("no such file: without it nothing of Debian's can be verified", given or KEYRINGS[0],
                   "install the package debian-archive-keyring, or give --keyring")


def _quoted(text: str) -> str:
    """A word of sources.list."""
    if re.search(r"[\s\]\[\"#]", text):
        raise BadInput("apt cannot do with spaces, quotes or brackets in it", text, "give another one")
    return text


def host_proxies() -> str:
    """The proxies of the host's apt, which we need as well."""
    found = shutil.which("apt-config")
    if found is None:
        return ""
    said = subprocess.run([found, "dump", "Acquire"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    return "".join(f"{line}\n" for line in said.splitlines() if re.match(r"Acquire::https?::(?:\S+::)?Proxy\S* ", line))
