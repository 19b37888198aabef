"""A link to the outside: frames come in the host's time, to a guest that waits, with a timer or without, or that computes."""
import socket
import threading

import pytest

from rvhyp import Hypervisor, VmConfig
from rvhyp.machine.devices.virtio.net import Net
from rvhyp.machine.switch import Switch, mac_of
from tests.monitor.guest import engine, program
from tests.monitor.test_network import NIC

FRAME = (b"\xFF" * 6 + mac_of(0) + b"\0\0" + b"\x2A").ljust(60, b"\0")           # what NIC waits for
TIMER_SET = """
    rdtime s3
    li   t0, 600000000          # in a minute
    add  s3, s3, t0
    mv   a0, s3
    li   a7, 0x54494d45
    li   a6, 0
    ecall
    li   t0, 1 << 9 | 1 << 5
    csrw sie, t0
1:  wfi
    li   a0, 9
    rdtime t0
    bgeu t0, s3, exit
"""
WAITS = NIC
WAITS_WITH_A_TIMER = NIC.replace("1:  wfi\n", TIMER_SET)
COMPUTES = NIC.replace("1:  wfi\n", "1:  nop\n")


class Late:
    """The other side sends its frame when the guest has been waited for, or has run, for a while."""

    def __init__(self, switch, seconds):
        self._link, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._port = switch.plug(lambda frame: True)
        self._timer = threading.Timer(seconds, self._far.send, [FRAME])
        self._timer.start()
        self.served = 0

    @property
    def descriptor(self):
        return self._link.fileno()

    def serve(self):
        try:
            self._port.send(self._link.recv(2000, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False
        self.served += 1
        return True

    def close(self):
        self._timer.join()
        self._far.close()
        self._link.close()


def run(source, seconds=0.1, devices=True):
    """A guest that waits for a frame from a link."""
    switch = Switch()
    cards = [Net(switch, mac_of(1))] if devices else []
    link = Late(switch, seconds)
    hypervisor = Hypervisor([VmConfig("guest", program(source), 16 << 20, virtio=cards)], engine())
    hypervisor.connect(link)
    try:
        hypervisor.run(seconds=30)
    finally:
        link.close()
    return hypervisor, link


@pytest.mark.parametrize("source", [WAITS, WAITS_WITH_A_TIMER, COMPUTES])
def test_a_frame_comes_to_a_guest_whatever_it_does_meanwhile(source):
    hypervisor, link = run(source)
    assert hypervisor.vms[0].status == 0 and link.served == 1


def test_who_has_no_card_does_not_wait_for_a_link():
    hypervisor, link = run("1: wfi\n j 1b", devices=False)
    assert "nothing can raise" in hypervisor.vms[0].report and not link.served
