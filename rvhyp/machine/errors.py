"""The one error the user can mend: an input that cannot be used."""
from __future__ import annotations


class BadInput(Exception):
    """A file, an option or a board description that cannot be used.

    `what` is wrong, `where` (a file, an option, an address range; may be empty), and what to `do` about it (may be
    empty).  `str()` is one line: "where: what; do", whatever was in the file; the command line prints it, exit status 2.
    """

    def __init__(self, what: str, where: str = "", do: str = ""):
        super().__init__(what, where, do)
        self.what, self.where, self.do = what, where, do

    def __str__(self) -> str:
        text = (f"{self.where}: " if self.where else "") + self.what + (f"; {self.do}" if self.do else "")
        return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
