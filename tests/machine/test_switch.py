"""The switch: where frames go, what is dropped, and the pcap file."""
import struct

import pytest

from rvhyp.machine.errors import BadInput
from rvhyp.machine.switch import KNOWN, LONGEST, Pcap, Switch, mac_of

ALL = b"\xFF" * 6


def frame(to, origin, size=60):
    return (to + origin + b"\x88\xB5").ljust(size, b"x")


class Lan:
    """A switch with ports whose machines keep what they get."""

    def __init__(self, count=3, pcap=None):
        self.switch, self.got, self.has_room = Switch(pcap), [[] for _ in range(count)], [True] * count
        self.ports = [self.switch.plug(self.taker(number)) for number in range(count)]

    def taker(self, number):
        def take(data):
            if self.has_room[number]:
                self.got[number].append(data)
            return self.has_room[number]
        return take

    def send(self, number, data, ticks=0):
        """Who gets it."""
        before = [len(each) for each in self.got]
        self.ports[number].send(data, ticks)
        return [n for n, each in enumerate(self.got) if len(each) > before[n]]


def test_a_frame_for_an_unknown_machine_goes_to_all_others_and_then_to_it_alone():
    lan = Lan()
    assert lan.send(0, frame(mac_of(1), mac_of(0))) == [1, 2]
    assert lan.send(1, frame(mac_of(0), mac_of(1))) == [0]
    assert lan.send(0, frame(mac_of(1), mac_of(0))) == [1]
    assert lan.send(2, frame(ALL, mac_of(2))) == [0, 1]
    assert lan.send(2, frame(b"\x33\x33\0\0\0\1", mac_of(2))) == [0, 1]


def test_a_machine_that_moves_is_found_again():
    lan = Lan()
    lan.send(0, frame(ALL, mac_of(7)))
    lan.send(1, frame(ALL, mac_of(7)))
    assert lan.send(2, frame(mac_of(7), mac_of(2))) == [1]


def test_a_frame_does_not_come_back_to_the_port_it_came_from():
    lan = Lan()
    lan.send(0, frame(ALL, mac_of(7)))
    assert lan.send(0, frame(mac_of(7), mac_of(8))) == []


def test_an_address_of_many_is_not_learned():
    lan = Lan()
    lan.send(0, frame(ALL, ALL))
    assert lan.send(1, frame(ALL, mac_of(1))) == [0, 2]


def test_one_port_cannot_fill_the_table():
    lan = Lan()
    for number in range(KNOWN + 50):
        lan.send(0, frame(ALL, mac_of(number)))
    assert lan.send(1, frame(mac_of(KNOWN - 1), mac_of(999))) == [0]
    assert lan.send(1, frame(mac_of(KNOWN + 1), mac_of(999))) == [0, 2]
    assert lan.send(2, frame(mac_of(999), mac_of(998))) == [1]


@pytest.mark.parametrize("size, taken", [(0, False), (13, False), (14, True), (LONGEST, True), (LONGEST + 1, False)])
def test_what_is_no_frame_is_refused(size, taken):
    lan = Lan()
    assert bool(lan.send(0, frame(ALL, mac_of(0), LONGEST + 1)[:size])) is taken
    assert (lan.ports[0].sent, lan.ports[0].refused) == (int(taken), int(not taken))


def test_drops_are_counted_where_there_is_no_room():
    lan = Lan()
    lan.has_room[1] = False
    lan.send(0, frame(ALL, mac_of(0)))
    assert [(port.received, port.dropped) for port in lan.ports] == [(0, 0), (0, 1), (1, 0)]


def test_addresses_are_unicast_local_and_different():
    addresses = [mac_of(guest) for guest in range(31)]
    assert len(set(addresses)) == 31 and all(each[0] & 3 == 2 and len(each) == 6 for each in addresses)


def test_the_pcap_file_has_each_frame_once_with_its_time(tmp_path):
    path = tmp_path / "net.pcap"
    lan = Lan(pcap=Pcap(str(path)))
    first, second = frame(ALL, mac_of(0)), frame(mac_of(0), mac_of(1), 99)
    lan.send(0, first, 5)
    lan.send(1, second, 30_000_001)
    assert lan.switch.close() == ""
    data = path.read_bytes()
    assert struct.unpack_from("<IHHiIII", data) == (0xA1B23C4D, 2, 4, 0, 0, LONGEST, 1)
    assert struct.unpack_from("<IIII", data, 24) == (0, 500, 60, 60) and data[40:100] == first
    assert struct.unpack_from("<IIII", data, 100) == (3, 100, 99, 99) and data[116:] == second


def test_a_pcap_file_that_cannot_be_written(tmp_path):
    with pytest.raises(BadInput, match=r"cannot write it: No such file or directory"):
        Pcap(str(tmp_path / "no" / "net.pcap"))


def test_a_pcap_file_on_a_full_disk_ends_there_and_frames_go_on():
    lan = Lan(pcap=Pcap("/dev/full"))
    for _ in range(200):
        assert lan.send(0, frame(ALL, mac_of(0), 1500)) == [1, 2]
    assert "/dev/full: No space left on device" in lan.switch.close() and lan.switch.close() == ""
