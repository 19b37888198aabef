"""What the monitor needs of its hart where the manual leaves a choice."""
from __future__ import annotations

from rvhyp.isa.choices import CHOICES
from rvhyp.isa.configuration import Configuration
from rvhyp.machine.errors import BadInput

# (choice, values that will do, why)
NEEDS = (
    ("guest-page-fault-tval2", ("address",), "its monitor learns from htval where a guest went"),
    ("widest-mode", ("sv57", "sv48", "sv39"), "its monitor maps guests with Sv39x4"),
    ("medeleg", (CHOICES["medeleg"].default,), "nobody is in M-mode below its monitor"),
    ("time", ("csr",), "its monitor does not emulate the time CSR"),
)


def check(choices: Configuration, guests: int) -> None:
    """BadInput for a configuration with which the monitor cannot run that many guests."""
    for name, good, why in NEEDS:
        if choices[name] not in good:
            raise BadInput(f"guests cannot run with {name} = {CHOICES[name].text(choices[name])}", do=why)
    if guests >> choices["vmid-bits"]:
        raise BadInput(f"{guests} guest{'s' * (guests > 1)} cannot run with vmid-bits = {choices['vmid-bits']}",
                       do="its monitor gives each a VMID from 1 on")
