# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completes command lines in a real interactive shell.

Usage: shell-complete.py bash|zsh|fish FILE < LINES

FILE is the completion to load. For each line "== LINE" is printed, and what the shell offers for its end, one a
line, as it would stand on the command line. A line that begins with "!" is completed and then run; printed are
the first line of its output and "status N".
"""
import os
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time

shell, completion = sys.argv[1], os.path.abspath(sys.argv[2])
place = tempfile.mkdtemp()
answer = os.path.join(place, "answer")
environment = dict(os.environ, HOME=place, XDG_CONFIG_HOME=place, XDG_DATA_HOME=place, ZDOTDIR=place, ANSWER=answer,
                   TERM="dumb", PS1="$ ", HISTFILE="/dev/null", INPUTRC="/dev/null")

SETUP = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], rf"""
        . /usr/share/bash-completion/bash_completion
        . {completion}
        probe() {{ _framekeyctl "$@"; printf '%s\n' "${{COMPREPLY[@]}}" END >>$ANSWER; }}
        complete -F probe framekeyctl
        bind 'set completion-query-items 0' 'set page-completions off'
    """),
    "zsh": (["zsh", "-f", "-i"], r"""
        fpath=($HOME/functions $fpath)
        autoload -Uz compinit && compinit -D -u
        unsetopt zle_bracketed_paste beep
        LISTMAX=10000
        compadd() { local -a hits; builtin compadd -O hits "$@"; print -rl -- $hits >>$ANSWER; builtin compadd "$@" }
        probe() { zle complete-word; print END >>$ANSWER }
        zle -N probe; bindkey '^I' probe
    """),
    "fish": (["fish", "--private"], ""),
}


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{shell} does not get to {what}")
        # Whoever does not read lets the shell wait.
        if select.select([master], [], [], 0.02)[0]:
            try:
                os.read(master, 65536)
            except OSError:
                sys.exit(f"{shell} has ended before {what}")


def said(marker):
    def check():
        try:
            with open(answer) as f:
                return marker in f.read().split("\n")
        except FileNotFoundError:
            return False
    return check


def take():
    with open(answer) as f:
        lines = f.read().split("\n")
    os.unlink(answer)
    return lines


def type_in(text):
    os.write(master, text.encode())


def offers(line):
    if shell == "fish":
        run = subprocess.run(["fish", "--no-config", "--private", "-c", f"source {completion}; complete -C $argv[1]", line],
                             env=environment, capture_output=True, text=True, check=True)
        return [found.split("\t")[0] for found in run.stdout.splitlines()]
    type_in("\x15" + line + "\t")
    wait_for(said("END"), f"the end of '{line}'")
    return [found for found in take() if found not in ("", "END")]


def run(line):
    status = "$status" if shell == "fish" else "$?"
    type_in("\x15" + line + "\t")
    if shell == "fish":
        time.sleep(1)  # it says nowhere that it is done
    else:
        wait_for(said("END"), f"the end of '{line}'")
        take()
    type_in(f" >$HOME/out 2>&1; echo status {status} >$ANSWER; echo END >>$ANSWER\n")
    wait_for(said("END"), f"the end of '{line}'")
    with open(os.path.join(place, "out")) as f:
        print(f.readline(), end="")
    print(take()[0])


argv, setup = SETUP[shell]
os.makedirs(os.path.join(place, "functions"))
shutil.copy(completion, os.path.join(place, "functions", "_framekeyctl"))
os.makedirs(os.path.join(place, "fish", "completions"))
shutil.copy(completion, os.path.join(place, "fish", "completions", "framekeyctl.fish"))
pid, master = pty.fork()
if pid == 0:
    os.execvpe(argv[0], argv, environment)
with open(os.path.join(place, "setup"), "w") as f:
    f.write(setup)
type_in(f". $HOME/setup; echo END >$ANSWER\n")
wait_for(said("END"), "its prompt")
take()
for line in sys.stdin.read().splitlines():
    print("==", line)
    if line.startswith("!"):
        run(line[1:])
    else:
        print("\n".join(offers(line)))
os.close(master)
# A shell that was killed may leave a child that still writes.
shutil.rmtree(place, ignore_errors=True)
