#!/usr/bin/env python3
"""peak_memory FILE COMMAND... - runs the command and writes to FILE the most memory that it had, in KiB: private
(RssAnon) and all that was resident, shared pages of libraries included.

The kernel keeps the peak of the resident memory itself; RssAnon is read every two milliseconds. Signals to stop go on
to the command, and its exit code comes back.
"""
import os
import signal
import sys
import time

EVERY_S = 0.002


def read_anon_kib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


def main():
    out, command = sys.argv[1], sys.argv[2:]
    child = os.posix_spawnp(command[0], command, os.environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: os.kill(child, got))
    anon = 0
    while True:
        anon = max(anon, read_anon_kib(child))
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        time.sleep(EVERY_S)
    with open(out, "w", encoding="ascii") as peaks:
        print(anon, usage.ru_maxrss, file=peaks)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


sys.exit(main())
