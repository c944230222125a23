#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""steal-keys.py PID open|closed <PATTERNS: the ways there are, for root outside of a process, to its secret memory.

Reads lines "LABEL HEX" and looks for them wherever a way leads. With "closed", no page of secret memory may be given
away by any way and nothing be found; with "open", for a process whose keys lie in plain memory, the ways of reading must
find something: so they are ways. Exit status: 0 as expected, 1 not.
"""

import ctypes
import mmap
import os
import re
import subprocess
import sys
import tempfile

PAGE = mmap.PAGESIZE
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438

pid, expected = int(sys.argv[1]), sys.argv[2]
patterns = [bytes.fromhex(line.split()[1]) for line in sys.stdin]
libc = ctypes.CDLL(None, use_errno=True)
failed = False


def claim(text, good):
    global failed
    print(("ok: " if good else "NOT OK: ") + text)
    failed = failed or not good


def found_in(data):
    return any(pattern in data for pattern in patterns)


class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def by_vm_readv(start, length):
    buffer = ctypes.create_string_buffer(length)
    local, remote = IoVec(ctypes.addressof(buffer), length), IoVec(start, length)
    n = libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    return buffer.raw[:n] if n > 0 else b""


def by_proc_mem(start, length):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        try:
            return os.pread(memory.fileno(), length, start)
        except OSError:
            return b""


def by_gdb(start, length):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["gdb", "-nx", "-batch", "-p", str(pid), "-ex", f"dump binary memory {file.name} {start} {start + length}"],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        return open(file.name, "rb").read()


def mappings():
    with open(f"/proc/{pid}/smaps") as smaps:
        current = None
        for line in smaps:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            if head:
                if current:
                    yield current
                current = {"start": int(head[1], 16), "end": int(head[2], 16), "access": head[3], "name": head[4]}
            else:
                key, value = line.split(":", 1)
                current[key] = value.strip()
        yield current


regions = list(mappings())
locked = [r for r in regions if "lo" in r["VmFlags"].split() and "r" in r["access"]]
secret = [r for r in locked if "secretmem" in r["name"]]
arenas = secret if expected == "closed" else locked
claim(f"memory for secrets is there: {sum(r['end'] - r['start'] for r in arenas)} bytes", arenas)
claim("it is locked, no core file has it, no child of a fork", all({"lo", "dd", "dc"} <= set(r["VmFlags"].split()) for r in arenas))
claim("nothing of it was ever swapped out", all(r.get("Swap", "0 kB") == "0 kB" for r in arenas))

# The ways of reading. gdb stops the process; it reads in pieces, the others page by page.
for name, read, step in (("process_vm_readv", by_vm_readv, PAGE), ("/proc/PID/mem", by_proc_mem, PAGE), ("gdb", by_gdb, 0)):
    given, hits = 0, False
    for region in arenas:
        length = region["end"] - region["start"]
        for at in range(region["start"], region["end"], step or length):
            data = read(at, step or length)
            given += len(data)
            hits = hits or found_in(data)
    if expected == "closed":
        claim(f"{name} gets none of it", given == 0)
    else:
        claim(f"{name} gets keys", hits)

with tempfile.TemporaryDirectory() as directory:
    subprocess.run(["gcore", "-a", "-o", directory + "/core", str(pid)], stdin=subprocess.DEVNULL, capture_output=True,
                   timeout=120, check=False)
    names = os.listdir(directory)
    core = open(f"{directory}/{names[0]}", "rb").read() if names else b""
    claim("gcore makes a core file of the process", b"org.framekey1" in core)
    if expected == "closed":
        claim("with no key in it, though it was told to dump all there is", not found_in(core))
    else:
        claim("with keys in it, since it was told to dump all there is", found_in(core))

# Copies of the process's descriptors: what they are, and what can be mapped of them.
pidfd = libc.syscall(SYS_PIDFD_OPEN, pid, 0)
copied = kept_closed = 0
hits = False
for entry in os.listdir(f"/proc/{pid}/fd"):
    target = os.readlink(f"/proc/{pid}/fd/{entry}")
    fd = libc.syscall(SYS_PIDFD_GETFD, pidfd, int(entry), 0)
    if fd < 0:
        continue
    copied += 1
    kept_closed += "secretmem" not in target
    try:
        size = os.fstat(fd).st_size
        if size:
            with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
                hits = hits or found_in(memory[:])
    except (OSError, ValueError):
        pass
    os.close(fd)
claim(f"pidfd_getfd copies descriptors: {copied}", copied > 5)
claim("none of them is of secret memory", kept_closed == copied)
claim("no key lies in what can be mapped of them", not hits)

if expected == "closed":
    opened = 0
    for region in secret:
        try:
            os.close(os.open(f"/proc/{pid}/map_files/{region['start']:x}-{region['end']:x}", os.O_RDONLY))
            opened += 1
        except OSError:
            pass
    claim("it cannot be opened by /proc/PID/map_files", opened == 0)
sys.exit(failed)
