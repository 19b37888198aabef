"""The second apt: what it says when something is missing, and that nothing unsigned is taken."""
import shutil

import pytest

from rvhyp.guests import apt
from rvhyp.guests.apt import Apt
from rvhyp.machine.errors import BadInput

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is not installed")
MIRROR = "http://mirror.invalid/debian"


@pytest.fixture
def keyring(tmp_path):
    path = tmp_path / "keys.gpg"
    path.write_bytes(b"")
    return str(path)


@pytest.fixture
def pretend(tmp_path, monkeypatch, keyring):
    """Programs of that name on the PATH that are shell scripts; and an Apt."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(script, **options):
        for name in ("apt-get", "apt-cache", "apt-config"):
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        return Apt(tmp_path / "apt", "trixie", MIRROR, keyring, **options)
    return make


@pytest.mark.parametrize("said, meaning, remedy", [
    ("E: Release file for http://x/InRelease is expired (invalid since 3d). Updates will not be applied.", "has expired",
     "--allow-expired"),
    ("W: Failed to fetch http://x/InRelease  Temporary failure resolving 'x'", "cannot be reached", "--mirror"),
    ("E: Failed to fetch http://x Could not connect to x:80 (1.2.3.4). - connect (111)", "cannot be reached", ""),
    ("E: You don't have enough free space in /cache/archives/.", "disk is full", "free some space"),
    ("E: Write error - write (28: No space left on device)", "disk is full", "free some space"),
    ("W: GPG error: http://x trixie InRelease: NO_PUBKEY 0E98404D386FA1D9\nE: is not signed.", "cannot be verified", "--keyring"),
    ("E: The repository 'http://x trixie Release' does not have a Release file.", "has no trixie for riscv64", "--mirror"),
    ("E: Unable to locate package linux-image-riscv64", "lacks a package", "--mirror"),
    ("E: something nobody has seen", "something nobody has seen", ""),
])
def test_what_apt_says_is_one_message(pretend, said, meaning, remedy):
    made = pretend(f"cat >&2 <<'E'\n{said}\nE\nexit 100")
    with pytest.raises(BadInput) as refused:
        made.update()
    assert meaning in refused.value.what and remedy in refused.value.do and "\n" not in str(refused.value)


def test_apt_reads_our_configuration_alone(pretend):
    made = pretend('cat "$APT_CONFIG"')
    text = made._run([made._get], "x")
    assert 'APT::Architecture "riscv64";' in text and 'Dir::Etc::parts "/dev/null";' in text and str(made.archives) in text
    assert 'Acquire::Check-Valid-Until "true";' in text
    made = pretend('cat "$APT_CONFIG"', allow_expired=True)
    assert 'Acquire::Check-Valid-Until "false";' in made._run([made._get], "x")


def test_progress_is_passed_on(pretend):
    told = []
    made = pretend('for o in "$@"; do case $o in APT::Status-Fd=*) fd=${o#*=};; esac; done\n'
                   "for line in dlstatus:1:42.5:Retrieving nonsense dlstatus:; do echo $line > /dev/fd/$fd; done",
                   progress=lambda *what: told.append(what))
    made.update()
    assert told == [("lists of trixie", 42.5)]


def test_files_of_a_download(pretend):
    made = pretend("""case "$*" in *print-uris*) echo "'http://x/b_1_all.deb' b_1_all.deb 12 SHA256:0"
        echo "'http://x/a_1%3a2_riscv64.deb' a_1%3a2_riscv64.deb 12 SHA256:0";; esac""")
    assert made.download(["a", "b"], "x") == [made.archives / "a_1%3a2_riscv64.deb", made.archives / "b_1_all.deb"]


@needs_apt
def test_what_is_not_signed_is_refused(tmp_path, keyring):
    release = tmp_path / "mirror/dists/trixie/Release"
    release.parent.mkdir(parents=True)
    release.write_text("Origin: x\nSuite: trixie\nCodename: trixie\nArchitectures: riscv64\nComponents: main\nSHA256:\n")
    with pytest.raises(BadInput, match="the signature of trixie cannot be verified"):
        Apt(tmp_path / "apt", "trixie", f"file:{tmp_path}/mirror", keyring).update()


@needs_apt
def test_no_network(tmp_path, keyring, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(apt, "host_proxies", lambda: 'Acquire::Retries "0";\n')
    with pytest.raises(BadInput, match="http://127.0.0.1:1/debian cannot be reached"):
        Apt(tmp_path / "apt", "trixie", "http://127.0.0.1:1/debian", keyring).update()


def test_programs_and_keys_that_are_missing(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no-such-program: is not installed; install the Debian package nothing"):
        apt.find_tool("no-such-program", "nothing")
    with pytest.raises(BadInput, match="no such file.*debian-archive-keyring"):
        apt.find_keyring(str(tmp_path / "none.gpg"))
    monkeypatch.setattr(apt, "KEYRINGS", (str(tmp_path / "a"),))
    with pytest.raises(BadInput, match="no such file.*debian-archive-keyring"):
        apt.find_keyring(None)


@pytest.mark.parametrize("mirror", ["http://x/a b", "http://x/]", 'http://x/"'])
def test_a_mirror_that_is_no_word(tmp_path, pretend, keyring, mirror):
    pretend("true")
    with pytest.raises(BadInput, match="cannot do with spaces"):
        Apt(tmp_path / "apt", "trixie", mirror, keyring)
