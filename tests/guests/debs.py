"""Small packages, made with dpkg-deb."""
import io
import shutil
import subprocess
import tarfile

import pytest

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")


def deb(folder, name, files, version="1.0", more=""):
    """A package with those files ({name: bytes}); ("link", target) makes a symbolic link, None a folder."""
    tree = folder / f"{name}.tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: riscv64\n"
                                         f"Maintainer: us <us@localhost>\n{more}Description: small\n and made up\n")
    (tree / "DEBIAN").chmod(0o755)
    for path, contents in files.items():
        at = tree / path
        at.parent.mkdir(parents=True, exist_ok=True)
        if contents is None:
            at.mkdir()
        elif isinstance(contents, tuple):
            at.symlink_to(contents[1])
        else:
            at.write_bytes(contents)
    result = folder / f"{name}_{version}_riscv64.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(result)], check=True, capture_output=True)
    return result


def raw_deb(folder, name, members):
    """A package whose data archive has just these tar members, honest or not."""
    def packed(entries):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
            for member, contents in entries:
                member.size = len(contents)
                archive.addfile(member, io.BytesIO(contents))
        return data.getvalue()

    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: us\nDescription: x\n".encode()
    parts = [("debian-binary", b"2.0\n"), ("control.tar.gz", packed([(tarfile.TarInfo("./control"), control)])),
             ("data.tar.gz", packed(members))]
    path = folder / f"{name}_1_all.deb"
    with open(path, "wb") as file:                      # ar, as deb(5) has it
        file.write(b"!<arch>\n")
        for part, data in parts:
            file.write(f"{part:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2))
    return path
