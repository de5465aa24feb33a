"""report - what was measured, as tables in Markdown.

Medians of the runs; "×" is the ratio to jibri-finalize, of which less is better for it when it is
above 1.
"""

import platform
import re
import statistics
import time
from pathlib import Path

from . import tools

GIB = 1 << 30
OURS = tools.JibriFinalize.name
PARTS = (tools.Curl.name, tools.Openssl.name)  # the two together do what jibri-finalize does


def median(samples, what):
    return statistics.median(getattr(sample, what) for sample in samples)


def machine():
    cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    cores = len(re.findall(r"^processor\s*:", Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) // (1 << 20)
    release = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return (f"{cpu[1] if cpu else platform.machine()}, {cores} cores, {memory} GiB; "
            f"{release[1] if release else 'Linux'}, Linux {platform.release().split('-')[0]}")


def seconds(value):
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s"


def ratio(value, ours):
    return f" ({value / ours:.2f} ×)" if ours else ""


def case_table(case, samples):
    """The rows of one case."""
    many = case.payload_bytes >= 1 << 26
    counted = any(sample.requests for sample in samples.get(OURS, ()))
    lines = [f"**{case.name}**: {case.about}; {max(map(len, samples.values()))} run(s) each.", "",
             f"| tool | wall time | CPU {'per GiB' if many else 'time'} | peak memory |"
             + (" requests | bytes sent / size |" if counted else ""),
             "| --- | --: | --: | --: |" + (" --: | --: |" if counted else "")]
    per = case.payload_bytes / GIB if many else 1
    ours = samples.get(OURS)
    for name, runs in samples.items():
        wall, cpu = median(runs, "wall_s"), median(runs, "cpu_s") / per
        base = None if name == OURS or not ours else (median(ours, "wall_s"), median(ours, "cpu_s") / per)
        line = (f"| {name} | {seconds(wall)}{ratio(wall, base and base[0])} | "
                f"{seconds(cpu)}{ratio(cpu, base and base[1])} | {max(run.peak_kib for run in runs) / 1024:.1f} MiB |")
        if counted:
            requests, received = median(runs, "requests"), median(runs, "bytes_received")
            line += f" {requests:.0f} | {received / case.payload_bytes:.4f} |" if requests else " – | – |"
        lines.append(line)
    return lines + [""]


def footprint_table(sizes):
    own = sizes["programs"]
    lines = ["**size**: what an image grows by, beyond Debian's minimal system with what Jibri brings along "
             f"(ffmpeg, curl, jq, Java). The two programs, without symbols, have {own / 1024:.0f} KiB.", "",
             "| tool | grows by |", "| --- | --: |"]
    for name, size in sizes.items():
        if name != "programs" and size is not None:
            lines.append(f"| {name} | {size / (1 << 20):.1f} MiB{ratio(size, name != OURS and sizes[OURS])} |")
    return lines + [""]


# ---- the targets --------------------------------------------------------------------------------------


def targets(results, sizes):
    """[(what, limit, found, met), ...] of those that the measured cases can tell of."""
    rows = []

    def add(what, found, limit, unit="×"):
        rows.append((what, f"{limit:g} {unit}", f"{found:.2f} {unit}", found <= limit))

    def of(case, tool, what):
        return median(results[case][tool], what) if tool in results.get(case, {}) else None

    def compare(case, what, label, tool, limit):
        theirs, mine = of(case, tool, what), of(case, OURS, what)
        if theirs and mine:
            add(f"{case}: {label} / that of {tool}", mine / theirs, limit)

    def compare_with_sum(case, names, label, limit):
        theirs, mine = [of(case, name, "cpu_s") for name in names], of(case, OURS, "cpu_s")
        if all(theirs) and mine:
            add(f"{case}: {label}", mine / sum(theirs), limit)

    for case in ("1g", "4g", "tls-1g", "tls-4g"):
        limit = 0.75 if case.startswith("tls") else 0.8
        compare_with_sum(case, PARTS, "CPU / that of curl -T and openssl dgst together", 0.9)
        compare(case, "cpu_s", "CPU", tools.AwsCS3.name, limit)
        compare_with_sum(case, (tools.AwsCS3.name, tools.Openssl.name),
                         "the same, with the hashing that aws-c-s3 leaves out (openssl dgst)", limit)
    for case in ("1g", "4g"):
        compare(case, "cpu_s", "CPU", tools.S5cmd.name, 0.25)
        compare(case, "cpu_s", "CPU", tools.AwsCli.name, 0.2)
        compare(case, "wall_s", "wall time", tools.Openssl.name, 1)
        compare(case, "wall_s", "wall time", tools.AwsCS3.name, 0.65)
        compare(case, "wall_s", "wall time", tools.AwsCli.name, 0.2)
    for case in ("capped", "late"):
        signing = [of(case, tool, "wall_s") for tool in results.get(case, {}) if tool not in (OURS, *PARTS)]
        if signing and of(case, OURS, "wall_s"):
            add(f"{case}: wall time / that of the best of the others", of(case, OURS, "wall_s") / min(signing), 1.1)
    compare("start", "wall_s", "wall time", tools.Curl.name, 3)
    compare("start", "wall_s", "wall time", tools.AwsCli.name, 0.05)
    peaks = [run.peak_kib / 1024 for samples in results.values() for run in samples.get(OURS, ())]
    if peaks:
        add("peak memory, in all cases", max(peaks), 20, "MiB")
    if sizes:
        add("size of the two programs", sizes["programs"] / (1 << 20), 1, "MiB")
        if sizes[OURS] is not None:
            add("what an image with ffmpeg, curl, jq and Java grows by", sizes[OURS] / (1 << 20), 10, "MiB")
    return rows


def targets_table(rows):
    lines = ["| target | at most | measured | |", "| --- | --: | --: | --- |"]
    return lines + [f"| {what} | {limit} | {found} | {'met' if met else '**missed**'} |"
                    for what, limit, found, met in rows] + [""]


def whole(cases, results, sizes, versions, load):
    lines = [f"Measured on {time.strftime('%Y-%m-%d')} with {', '.join(versions)}.", "",
             f"The machine: {machine()}. The load average was {load} when it began; server and tool share the cores.",
             ""]
    lines += targets_table(targets(results, sizes))
    for case in cases:
        if results.get(case.name):
            lines += case_table(case, results[case.name])
    if sizes:
        lines += footprint_table(sizes)
    return "\n".join(lines).rstrip() + "\n"


def summary(results, sizes):
    """The few rows that the README has."""
    shown = [("1g", "1 GiB"), ("tls-1g", "1 GiB over TLS"), ("many", "200 small files"), ("start", "1 KiB")]
    shown = [(case, label) for case, label in shown if results.get(case)]
    names = [tool for tool in (OURS, *tools.COMPARED) if any(tool in results[case] for case, _ in shown)]
    lines = ["| |" + "".join(f" {name} |" for name in names), "| --- |" + " --: |" * len(names)]

    def row(label, text):
        lines.append(f"| {label} |" + "".join(f" {text(name)} |" for name in names))

    for case, label in shown:
        runs = results[case]
        row(f"{label}: wall time", lambda name: seconds(median(runs[name], "wall_s")) if name in runs else "–")
        row(f"{label}: CPU time", lambda name: seconds(median(runs[name], "cpu_s")) if name in runs else "–")
    peaks = {name: max((run.peak_kib for runs in results.values() for run in runs.get(name, ())), default=0)
             for name in names}
    row("peak memory, most of all cases", lambda name: f"{peaks[name] / 1024:.0f} MiB")
    if sizes:
        row("what an image with ffmpeg, curl, jq and Java grows by",
            lambda name: f"{sizes[name] / (1 << 20):.1f} MiB" if sizes.get(name) is not None else "–")
    return "\n".join(lines) + "\n"


def write_into(path, text):
    """Replaces what is between the marks of the document."""
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
    document = path.read_text()
    head, rest = document.split(begin)
    path.write_text(head + begin + text + end + rest.split(end)[1])
