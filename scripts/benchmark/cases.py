"""cases - what is measured: which files, to where, by which way, how often.

To add one, add a row to CASES; when it needs more than Case can say, a field here and its meaning
in measure_case(). (The closing of a recording that was uploaded while it grew is measured by
scripts/bench-live.)
"""

import contextlib
import os
import shutil
from dataclasses import dataclass, replace

from . import measure, servers, tools

MIB = 1 << 20
NAME = "12345_2024-04-23-15-04-05"  # as Jibri names them; a notice is sent for each


@dataclass(frozen=True)
class Case:
    name: str
    about: str
    size_bytes: int  # of each file
    runs: int
    quick_runs: int  # 0: not in a quick run
    files: int = 1
    server: str = "sink"  # or "s3": scripts/s3-server
    tls: bool = False
    sink_options: tuple = ()
    link: tuple = ()  # megabit/s, ms in each direction
    without: tuple = ()  # tools that need minutes for it
    warm_up: bool = False  # one more run before, not counted: what is measured takes milliseconds

    @property
    def payload_bytes(self):
        return self.size_bytes * self.files


SINK = "to a server that takes everything and is never the bottleneck"

CASES = [
    Case("start", f"one file of 1 KiB, {SINK}", 1024, runs=9, quick_runs=7, warm_up=True),
    Case("many", f"200 files of 16 KiB, {SINK}", 16 * 1024, runs=3, quick_runs=1, files=200),
    Case("64m", f"64 MiB, {SINK}", 64 * MIB, runs=5, quick_runs=3),
    Case("1g", f"1 GiB, {SINK}", 1024 * MIB, runs=5, quick_runs=3),
    Case("4g", f"4 GiB, {SINK}", 4096 * MIB, runs=3, quick_runs=0),
    Case("tls-64m", f"64 MiB over TLS, {SINK}", 64 * MIB, runs=5, quick_runs=1, tls=True),
    Case("tls-1g", f"1 GiB over TLS, {SINK}", 1024 * MIB, runs=3, quick_runs=1, tls=True),
    Case("tls-4g", f"4 GiB over TLS, {SINK}", 4096 * MIB, runs=1, quick_runs=0, tls=True),
    Case("capped", "256 MiB to a server that takes at most 50 Mbit/s from each connection", 256 * MIB, runs=1,
         quick_runs=1, sink_options=("--rate-mbps", "50"), without=("curl -T",)),
    Case("late", "256 MiB to a server whose replies are 50 ms late", 256 * MIB, runs=5, quick_runs=3,
         sink_options=("--latency-ms", "50")),
    Case("link", "64 MiB over a line of 50 Mbit/s with a round trip of 50 ms", 64 * MIB, runs=1, quick_runs=1,
         link=(50, 25)),
    Case("s3-64m", "64 MiB to a Ceph Object Gateway", 64 * MIB, runs=3, quick_runs=1, server="s3"),
    Case("s3-1g", "1 GiB to a Ceph Object Gateway", 1024 * MIB, runs=1, quick_runs=0, server="s3"),
    Case("s3-tls-64m", "64 MiB over TLS to a Ceph Object Gateway", 64 * MIB, runs=3, quick_runs=0, server="s3",
         tls=True),
]


class Workshop:
    """What the cases share: the build, the tools, the files to upload, a certificate, the servers."""

    def __init__(self, root, build, state, stack):
        self.root, self.build, self.state, self.stack = root, build, state, stack
        self.tools = tools.here(build)
        self.certificate = servers.certificate(state)
        self.s3_settings = None
        self.scratches = 0

    def source(self, case):
        """A directory with the case's files, of random bytes that are in the page cache."""
        directory = self.state / f"{case.files}x{case.size_bytes}"
        if not directory.exists():
            making = directory.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            for number in range(case.files):
                write_random(making / f"{NAME}{f'-{number}' if number else ''}.mp4", case.size_bytes)
            making.rename(directory)
        for file in directory.iterdir():
            with open(file, "rb", buffering=0) as data:
                while data.read(MIB):
                    pass
        return directory

    def s3(self):
        if not self.s3_settings:
            self.s3_settings = self.stack.enter_context(servers.s3_server(self.root, self.state / "s3"))
        return self.s3_settings

    @contextlib.contextmanager
    def scratch(self):
        self.scratches += 1
        directory = self.state / f"scratch-{os.getpid()}-{self.scratches}"
        directory.mkdir()
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def write_random(path, size):
    with open(path, "wb") as out:
        while size:
            out.write(os.urandom(min(size, MIB)))
            size -= min(size, MIB)


def measure_once(workshop, case, tool, source, netns):
    """One upload by one tool, to a server of its own where that is the sink."""
    upload = tools.Upload(source=source, url="", backend="", scratch=None)
    with contextlib.ExitStack() as stack:
        sink = None
        client, server = netns
        scratch = stack.enter_context(workshop.scratch())
        own = scratch / "own"
        own.mkdir()
        if case.server == "s3":
            settings = workshop.s3()
            upload = replace(upload, url=settings["S3_TLS_ENDPOINT" if case.tls else "S3_ENDPOINT"],
                             bucket=settings["S3_BUCKET"], access_key=settings["S3_ACCESS_KEY"],
                             secret_key=settings["S3_SECRET_KEY"], checked=True)
        else:
            sink = stack.enter_context(servers.Sink(
                workshop.build, case.sink_options, workshop.certificate if case.tls else None,
                servers.SHAPED_SERVER if server else "127.0.0.1", server, tool.own_port))
            upload = replace(upload, url=sink.url)
        if case.tls:
            ca_file = settings["S3_TLS_CERT"] if case.server == "s3" else workshop.certificate[0]
            upload = replace(upload, ca_file=ca_file)
        backend = stack.enter_context(servers.backend(workshop.build, client))
        command, environment = tool.command(replace(upload, backend=backend, scratch=own))
        sample = measure.run(command, environment, scratch, client)
    if sink and tool.name != "openssl dgst -sha256":
        sample = replace(sample, requests=sink.requests, bytes_received=sink.bytes_received)
    return sample


def measure_case(workshop, case, runs, say):
    """Returns {tool's name: [Sample, ...]}; the tools take turns, so that all see the same machine."""
    samples = {}
    source = workshop.source(case)
    with contextlib.ExitStack() as stack:
        netns = stack.enter_context(servers.shaped_link(workshop.build, *case.link)) if case.link else (None, None)
        going = [tool for tool in workshop.tools
                 if tool.name not in case.without and not (tool.own_port and case.server == "s3")]
        for number in range(-1 if case.warm_up else 0, runs):
            for tool in list(going):
                say(f"{case.name}: {tool.name}, {'warming up' if number < 0 else f'{number + 1} of {runs}'}")
                try:
                    sample = measure_once(workshop, case, tool, source, netns)
                except (measure.Failed, servers.NotHere) as failure:
                    say(f"{case.name}: {tool.name} failed: {failure}", stays=True)
                    going.remove(tool)
                    continue
                if number >= 0:
                    samples.setdefault(tool.name, []).append(sample)
    return samples
