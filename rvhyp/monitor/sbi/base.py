"""BASE: what this SBI is (SBI specification, chapter "Base Extension")."""
from rvhyp.monitor.sbi import SUCCESS, extension, extension_exists, function

EID = extension(0x10, "BASE", "Base")
SPEC_VERSION = 0x0300_0000              # 3.0
IMPLEMENTATION_ID = 0x7276              # "rv": not in the specification's list
IMPLEMENTATION_VERSION = 0x0001_0000


@function(EID, 0)
def get_spec_version(call):
    return SUCCESS, SPEC_VERSION


@function(EID, 1)
def get_impl_id(call):
    return SUCCESS, IMPLEMENTATION_ID


@function(EID, 2)
def get_impl_version(call):
    return SUCCESS, IMPLEMENTATION_VERSION


@function(EID, 3)
def probe_extension(call):
    return SUCCESS, int(extension_exists(call.arguments[0]))


@function(EID, 4)
def get_mvendorid(call):
    return SUCCESS, 0


@function(EID, 5)
def get_marchid(call):
    return SUCCESS, 0


@function(EID, 6)
def get_mimpid(call):
    return SUCCESS, 0
