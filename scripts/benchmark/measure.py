"""measure - runs one command and tells what it cost.

Knows nothing of what the command does. Costs are those of the whole process tree.
"""

import os
import subprocess
import threading
import time
from dataclasses import dataclass

TIME = "/usr/bin/time"  # a small program: what forks from Python counts Python's memory as its own


class Failed(Exception):
    """A command that was to be measured did not work."""


@dataclass
class Sample:
    wall_s: float
    cpu_s: float  # user and system, of all processes
    peak_kib: int  # of the largest process
    requests: int = 0  # as the sink counted them; 0: not known
    bytes_received: int = 0


def run(command, environment, scratch, netns=None, patience_s=600):
    """Runs `command`, a list, in the network namespace `netns` where one is given."""
    peak, output = scratch / "peak", scratch / "output"
    prefix = ["ip", "netns", "exec", netns] if netns else []
    with open(output, "wb") as log:
        began = time.monotonic()
        child = subprocess.Popen(prefix + [TIME, "-q", "-f", "%M", "-o", str(peak)] + command, env=environment,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        watchdog = threading.Timer(patience_s, os.killpg, (child.pid, 9))
        watchdog.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:  # Ctrl-C
            os.killpg(child.pid, 9)
            child.wait()
            raise
        finally:
            watchdog.cancel()
        wall_s = time.monotonic() - began
    if child.returncode:
        said = output.read_text(errors="replace").strip().splitlines()
        raise Failed(f"status {child.returncode}: {said[-1] if said else 'it said nothing'}")
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, int(peak.read_text().split()[-1]))
