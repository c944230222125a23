# SPDX-License-Identifier: LGPL-2.1-or-later
"""Types a key at `framekeyctl import` on a terminal of its own.

Usage: terminal-import.py FRAMEKEYCTL SESSION type|interrupt

Prints what the terminal showed, then "status N" and "echo on|off" as the tool left them.
"""
import fcntl
import os
import pty
import select
import signal
import sys
import termios


def read_until(fd, text, seconds=20):
    shown = b""
    while text not in shown:
        if not select.select([fd], [], [], seconds)[0]:
            break
        try:
            chunk = os.read(fd, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    return shown


program, session, action = sys.argv[1:]
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever starts the tests may ignore it
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.execv(program, [program, "import", session, "--key-index=4"])
shown = read_until(master, b"(not shown): ")
# The prompt is written before echo is off: wait for that, as a person would not type so fast either.
for _ in range(1000):
    if not termios.tcgetattr(slave)[3] & termios.ECHO:
        break
    select.select([], [], [], 0.01)
os.write(master, b"hunter2hunter2\n" if action == "type" else b"hunter\x03")
_, status = os.waitpid(pid, 0)
echo = termios.tcgetattr(slave)[3] & termios.ECHO
os.close(slave)
shown += read_until(master, b"never shown", 1)
print(shown.decode(errors="replace").replace("\r", ""))
print("status", os.waitstatus_to_exitcode(status))
print("echo", "on" if echo else "off")
