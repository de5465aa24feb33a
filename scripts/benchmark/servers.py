"""servers - what is uploaded to, and what is on the way there: each started and stopped here.

Every one is a context manager; whatever ends the benchmark ends them.
"""

import contextlib
import os
import random
import re
import signal
import subprocess


class NotHere(Exception):
    """This machine can't do what a case needs."""


def start(command, environment=None):
    """Starts a server that says with its first line that it is ready; returns it and the line."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                              start_new_session=True)
    line = server.stdout.readline().strip()
    if not line:
        raise NotHere(f"{command[0]} does not start: {server.stderr.read().strip()}")
    return server, line


def stop(server):
    server.send_signal(signal.SIGTERM)
    try:
        return server.communicate(timeout=20)[1]
    except subprocess.TimeoutExpired:
        server.kill()
        return server.communicate()[1]


def in_namespace(netns, command):
    return (["ip", "netns", "exec", netns] if netns else []) + command


class Sink:
    """tests/tools/sink.c: takes everything, checks nothing, keeps nothing. Counts while it is open."""

    def __init__(self, build, options=(), tls=None, address="127.0.0.1", netns=None, own_port=False):
        """With `own_port` it listens on the scheme's port, which only root may."""
        port = "0" if not own_port else "443" if tls else "80"
        self.command = in_namespace(netns, [str(build / "tests/tools/sink"), "--address", address, "--port", port, "--stats"])
        self.command += list(options) + (["--tls", tls[0], tls[1]] if tls else [])
        self.scheme, self.address = "https" if tls else "http", address
        self.requests = self.bytes_received = 0

    def __enter__(self):
        self.process, line = start(self.command)
        port = line.removeprefix("port=")
        self.url = f"{self.scheme}://{self.address}" + ("" if port in ("80", "443") else f":{port}")
        return self

    def __exit__(self, *_):
        totals = re.search(r"(\d+) requests, \d+ failed, (\d+) bytes, \d+ uploads open", stop(self.process))
        if totals:
            self.requests, self.bytes_received = int(totals[1]), int(totals[2])


@contextlib.contextmanager
def backend(build, netns=None):
    """The stand-in for the ConfOMeet backend; gives its base address."""
    process, line = start(in_namespace(netns, [str(build / "tests/tools/backend-stand-in"), "--port", "0"]))
    try:
        yield f"http://127.0.0.1:{line.removeprefix('port=')}/meet"
    finally:
        stop(process)


@contextlib.contextmanager
def s3_server(root, state):
    """scripts/s3-server; gives its settings (S3_ENDPOINT, S3_TLS_ENDPOINT, ...)."""
    script = str(root / "scripts/s3-server")
    for _ in range(10):
        port = 20000 + random.randrange(120) * 100
        environment = dict(os.environ, S3_STATE=str(state), S3_STORE="bluestore", S3_STORE_SIZE=str(64 << 30),
                           S3_PORT=str(port), S3_TLS_PORT=str(port + 1), S3_CEPH_PORT=str(port + 10))
        started = subprocess.run([script, "start"], env=environment, capture_output=True, text=True)
        if started.returncode == 0 or " is in use;" not in started.stderr:
            break
    try:
        if started.returncode:
            raise NotHere(started.stderr.strip())
        lines = subprocess.run([script, "env"], env=environment, capture_output=True, text=True, check=True).stdout
        yield dict(line.split("=", 1) for line in lines.splitlines())
    finally:
        subprocess.run([script, "stop"], env=environment, capture_output=True)


@contextlib.contextmanager
def shaped_link(build, rate_mbps, delay_ms):
    """Two network namespaces with a slow line between them; gives their names: client, server.

    Nothing of the machine's own network is touched, and what goes over the line stays in there.
    """
    names = [f"bench-{os.getpid()}-{end}" for end in ("client", "server")]
    if os.geteuid() or not os.path.exists("/dev/net/tun"):
        raise NotHere("a shaped link needs root and /dev/net/tun")
    link = None
    try:
        for name in names:
            ip("netns", "add", name)
        link, _ = start([str(build / "tests/tools/shaped-link"), "--netns", names[0], "--netns", names[1],
                         "--rate-mbps", str(rate_mbps), "--delay-ms", str(delay_ms)])
        for number, name in enumerate(names, 1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "link0")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "link0", "up")
        yield names
    finally:
        if link:
            stop(link)
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


SHAPED_SERVER = "10.77.0.2"


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotHere(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def certificate(directory):
    """A self-signed one for 127.0.0.1; returns (certificate, key), paths."""
    made = str(directory / "cert.pem"), str(directory / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made[1], "-out", made[0]],
                   check=True, capture_output=True)
    return made
