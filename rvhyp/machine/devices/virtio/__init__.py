"""Virtio 1.2 over MMIO: a transport, split virtqueues, and a file for each type of device.

`VirtioMmio` is what the bus sees; it holds one `VirtioDevice`, a subclass for each type.  The driver is never trusted: what
breaks a rule ends that device until the driver resets it (DEVICE_NEEDS_RESET), and nothing else.
"""
