#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/restart/fd-store keeps what a service gives it, and nothing else, over its deaths.

Without arguments the test; with "service" the service, which does what a line on a FIFO says.
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile

BUILD = os.environ.get("abs_top_builddir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def notify(text, fds=()):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(os.environ["NOTIFY_SOCKET"])
        socket.send_fds(sock, [text.encode()], list(fds))


def barrier():
    ours, theirs = os.pipe()
    notify("BARRIER=1", [theirs])
    os.close(theirs)
    os.read(ours, 1)


def memfd(content):
    fd = os.memfd_create("test")
    os.pwrite(fd, content.encode(), 0)
    return fd


def service(orders, answers):
    kept = {}
    if int(os.environ.get("LISTEN_PID", "0")) == os.getpid():
        names = os.environ["LISTEN_FDNAMES"].split(":")
        assert len(names) == int(os.environ["LISTEN_FDS"])
        kept = {name: 3 + i for i, name in enumerate(names)}
    notify("READY=1")
    # Opened once a start, so that each end of the FIFOs meets the other.
    with open(orders, encoding="ascii") as lines, open(answers, "w", buffering=1, encoding="ascii") as out:
        for line in lines:
            word, *arguments = line.split()
            if word == "keep":
                notify(f"FDSTORE=1\nFDNAME={arguments[0]}\nFDPOLL=0", [memfd(arguments[1])])
            elif word in ("keep-end", "keep-end-polled"):
                ours, theirs = socket.socketpair()
                notify(f"FDSTORE=1\nFDNAME={arguments[0]}" + ("" if "polled" in word else "\nFDPOLL=0"),
                       [ours.fileno()])
                barrier()
                theirs.close()
            elif word == "drop":
                notify(f"FDSTOREREMOVE=1\nFDNAME={arguments[0]}")
            elif word == "list":
                print(" ".join(sorted(kept)), file=out)
                continue
            elif word == "read":
                print(os.pread(kept[arguments[0]], 100, 0).decode(), file=out)
                continue
            barrier()
            print("done", file=out)


def main():
    with tempfile.TemporaryDirectory() as directory:
        orders, answers = (os.path.join(directory, name) for name in ("orders", "answers"))
        os.mkfifo(orders)
        os.mkfifo(answers)
        with subprocess.Popen([os.path.join(BUILD, "tests/restart/fd-store"), os.path.join(directory, "notify"),
                               sys.executable, os.path.abspath(__file__), "service", orders, answers],
                              stdout=subprocess.PIPE, text=True) as store:
            try:
                check(store, orders, answers)
            finally:
                if store.poll() is None:
                    store.kill()


def check(store, orders, answers):
    def expect_start():
        started, ready = store.stdout.readline().split(), store.stdout.readline().split()
        assert started[0] == "started" and ready == ["ready", started[1]], (started, ready)
        return int(started[1]), open(orders, "w", buffering=1, encoding="ascii"), open(answers, encoding="ascii")

    def ask(line):
        print(line, file=to)
        return back.readline().strip()

    pid, to, back = expect_start()
    assert ask("list") == ""
    for line in ("keep a one", "keep b two", "keep c three", "drop c", "keep-end held", "keep-end-polled gone"):
        assert ask(line) == "done", line
    os.kill(pid, signal.SIGKILL)
    pid, to, back = expect_start()
    assert ask("list") == "a b held", "what nobody has the other end of stays only if it is not polled"
    assert ask("read a") == "one" and ask("read b") == "two"
    assert ask("drop a") == "done"
    store.send_signal(signal.SIGUSR1)
    before = pid
    pid, to, back = expect_start()
    assert pid != before and ask("list") == "b held"
    store.send_signal(signal.SIGTERM)
    store.wait(20)


if __name__ == "__main__":
    if sys.argv[1:2] == ["service"]:
        service(*sys.argv[2:])
    else:
        main()
