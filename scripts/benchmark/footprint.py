"""footprint - how much a program adds to an image, as Debian's packages tell.

The image is taken to be Debian's minimal system with what Jibri brings along itself (BASE). Nothing
is installed: apt-get only says what it would do, from the state of an empty system.
"""

import re
import subprocess
import tempfile
from pathlib import Path

BASE = ("ffmpeg", "curl", "jq", "default-jre-headless", "procps", "ca-certificates")


PROGRAMS = ("finalize/jibri-finalize", "watcher/jibri-watcher")


def packages_of_libraries(program):
    """The packages that hold what the program is linked to, in a set."""
    names = set()
    for path in re.findall(r"=> (/\S+)", subprocess.run(["ldd", program], capture_output=True, text=True).stdout):
        for place in (path, f"/usr{path}"):  # /lib is a link to /usr/lib, which dpkg doesn't know
            owner = subprocess.run(["dpkg-query", "-S", place], capture_output=True, text=True).stdout
            names.update(re.findall(r"^([^:,\s]+)", owner, re.MULTILINE))
    return names


def packages(wanted):
    """{package: bytes installed} of everything that these need, from nothing."""
    with tempfile.TemporaryDirectory() as directory:
        status = Path(directory) / "status"
        status.touch()
        said = subprocess.run(["apt-get", "-s", "-o", f"Dir::State::status={status}", "install",
                               "--no-install-recommends", *wanted], capture_output=True, text=True)
    if said.returncode:
        return None
    names = sorted(set(re.findall(r"^Inst (\S+)", said.stdout, re.MULTILINE)))
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", *names], capture_output=True, text=True).stdout
    sizes = {}
    for paragraph in shown.split("\n\n"):
        name = re.search(r"^Package: (\S+)", paragraph, re.MULTILINE)
        size = re.search(r"^Installed-Size: (\d+)", paragraph, re.MULTILINE)
        if name and size:
            sizes[name[1]] = int(size[1]) * 1024
    return sizes


def growth(base, wanted):
    """Bytes that `wanted` adds to an image that has `base`; None: apt can't tell."""
    whole = packages([*BASE, *wanted])
    if base is None or whole is None:
        return None
    return sum(size for name, size in whole.items() if name not in base)


def stripped_bytes(program):
    with tempfile.TemporaryDirectory() as directory:
        stripped = Path(directory) / "stripped"
        subprocess.run(["strip", "-o", stripped, program], check=True)
        return stripped.stat().st_size


def measure(build, say):
    """{"programs": bytes, what is added: bytes or None, ...}"""
    say("size: asking apt")
    programs = [build / name for name in PROGRAMS]
    own = sum(map(stripped_bytes, programs))
    base = packages(BASE)
    libraries = growth(base, sorted(set().union(*map(packages_of_libraries, programs))))
    return {"programs": own, "jibri-finalize": None if libraries is None else libraries + own,
            "AWS CLI v2": growth(base, ["awscli"]), "rclone": growth(base, ["rclone"]),
            "s3cmd": growth(base, ["s3cmd"])}
