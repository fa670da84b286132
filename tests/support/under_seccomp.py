#!/usr/bin/python3
"""Runs a program under a seccomp profile as container engines have them, without an engine.

    under_seccomp.py PROFILE.json [+CALL…] PROGRAM [ARGUMENT…]

Of the format that is understood which our profile uses. `+CALL` is allowed beside it: for what sanitizers do behind a program's back.
"""
import ctypes
import json
import os
import sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
OPERATORS = {"SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
NO_CALL = -1  # of libseccomp: it is no system call of any architecture; other negative numbers are of others


class Condition(ctypes.Structure):
    _fields_ = [("index", ctypes.c_uint), ("op", ctypes.c_int), ("value", ctypes.c_uint64), ("value_two", ctypes.c_uint64)]


def library():
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    seccomp.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Condition)]
    return seccomp


def number(seccomp, name):
    found = seccomp.seccomp_syscall_resolve_name(name.encode())
    if found == NO_CALL:
        raise ValueError("%s is no system call" % name)
    return found


def action(rule):
    if rule["action"] == "SCMP_ACT_ALLOW":
        return ALLOW
    if rule["action"] == "SCMP_ACT_ERRNO":
        return ERRNO | rule["errnoRet"]
    raise ValueError(rule["action"])


def conditions(rule):
    """What masks compare with is in valueTwo there, the mask in value: as libseccomp has it."""
    found = [Condition(arg["index"], OPERATORS[arg["op"]], arg["value"], arg.get("valueTwo", 0)) for arg in rule.get("args", [])]
    return len(found), (Condition * max(1, len(found)))(*found)


def check(status, what):
    if status != 0:
        raise OSError(-status, "%s: %s" % (what, os.strerror(-status)))


def confine(profile, further):
    seccomp = library()
    context = seccomp.seccomp_init(ERRNO | profile["defaultErrnoRet"])
    for rule in profile["syscalls"]:
        for name in rule["names"]:
            if name not in further:
                check(seccomp.seccomp_rule_add_array(context, action(rule), number(seccomp, name), *conditions(rule)), name)
    for name in further:
        check(seccomp.seccomp_rule_add_array(context, ALLOW, number(seccomp, name), *conditions({})), name)
    check(seccomp.seccomp_load(context), "load")


def main(path, *words):
    further = [word[1:] for word in words if word.startswith("+")]
    program = words[len(further):]
    with open(path) as file:
        confine(json.load(file), further)
    os.execv(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
