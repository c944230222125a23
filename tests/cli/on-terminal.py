# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command on a terminal of its own and does what a person in front of it would.

Usage: on-terminal.py [STEP...] -- COMMAND...

Steps, in order:
  size:ROWSxCOLUMNS  how large the terminal is (24x80); later on, the window is resized
  expect:TEXT        waits until this was shown after the last step
  type:TEXT          types it; \\xNN and the like as in Python
  signal:NAME        sends it to the command: TERM, WINCH, ...
  stopped:           waits until it has stopped; the terminal must be as before
  run:COMMAND        runs another one meanwhile
  wait:SECONDS
Then the command has to end by itself. Prints what was shown, "status N", and "terminal as before" or what differs.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

split = sys.argv.index("--")
steps, command = [s.split(":", 1) for s in sys.argv[1:split]], sys.argv[split + 1:]
shown = b""
seen = 0


def resize(size):
    rows, columns = map(int, size.split("x"))
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read(seconds):
    """Whether something came."""
    global shown
    if not select.select([master], [], [], seconds)[0]:
        return False
    shown += os.read(master, 65536)
    return True


def expect(text):
    global seen
    end = time.monotonic() + 20
    while text.encode() not in shown[seen:]:
        read(0.1)
        if time.monotonic() > end or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) and not read(0.1):
            # It may have been shown and then have ended.
            if text.encode() in shown[seen:]:
                break
            print(shown.decode(errors="replace"))
            print(f"not shown: {text}")
            os.kill(pid, signal.SIGKILL)
            sys.exit(1)
    seen = shown.index(text.encode(), seen) + len(text.encode())


master, slave = pty.openpty()
resize("24x80")
if steps and steps[0][0] == "size":
    resize(steps.pop(0)[1])
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.closerange(3, 256)
    os.execvp(command[0], command)
for name, value in steps:
    if name == "size":
        resize(value)
        os.kill(pid, signal.SIGWINCH)
    elif name == "expect":
        expect(value)
    elif name == "type":
        os.write(master, value.encode().decode("unicode_escape").encode())
    elif name == "signal":
        os.kill(pid, getattr(signal, "SIG" + value))
    elif name == "run":
        subprocess.run(value, shell=True, check=True)
    elif name == "stopped":
        while not os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG):
            read(0.05)
        print("stopped,", "as before" if termios.tcgetattr(slave) == before else "terminal changed")
    elif name == "wait":
        end = time.monotonic() + float(value)
        while time.monotonic() < end:
            read(0.05)
end = time.monotonic() + 20
ended = 0
while not ended and time.monotonic() < end:
    read(0.05)
    ended, status = os.waitpid(pid, os.WNOHANG)
if not ended:
    print(shown.decode(errors="replace"))
    print("does not end")
    os.kill(pid, signal.SIGKILL)
    sys.exit(1)
after = termios.tcgetattr(slave)
while read(0.1):
    pass
print(shown.decode(errors="replace").replace("\r\n", "\n"))
print("status", os.waitstatus_to_exitcode(status))
print("terminal", "as before" if after == before else f"changed: {before} {after}")
