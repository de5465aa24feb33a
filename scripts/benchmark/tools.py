"""tools - what could be used to bring a file to a bucket, each with its own default settings.

A tool is asked for the command and the environment of one upload. `signs` is False for what does
only a part of the work, and is there to compare with; `own_port` is True for what can't be told the
server's port.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Upload:
    """One upload: all files of `source`, a directory that holds nothing else."""

    source: Path
    url: str
    backend: str  # base address
    scratch: Path  # empty, for the tool's own files
    ca_file: str | None = None
    bucket: str = "bucket"
    access_key: str = "BENCHACCESSKEY"
    secret_key: str = "benchSecretKey0123456789"
    checked: bool = False  # the server checks signatures

    @property
    def files(self):
        return sorted(self.source.iterdir())


def base_environment(upload):
    return {"PATH": os.environ["PATH"], "HOME": str(upload.scratch), "LC_ALL": "C.UTF-8"}


class JibriFinalize:
    name, signs, own_port = "jibri-finalize", True, False

    def __init__(self, build):
        self.program = str(build / "finalize/jibri-finalize")

    def version(self):
        return first_line([self.program, "--version"])

    def command(self, upload):
        environment = base_environment(upload)
        environment |= {"CONFOMEET_S3_URL": upload.url, "CONFOMEET_S3_BUCKET": upload.bucket,
                        "CONFOMEET_S3_CLIENT_ID": upload.access_key, "CONFOMEET_S3_CLIENT_SECRET": upload.secret_key,
                        "CONFOMEET_BASE_URL": upload.backend}
        if upload.ca_file:
            environment["CONFOMEET_CA_FILE"] = upload.ca_file
        session = upload.scratch / "recordings" / "session"
        session.mkdir(parents=True)
        for file in upload.files:  # it removes what it has uploaded
            os.link(file, session / file.name)
        return [self.program, str(session)], environment


class AwsCli:
    name, signs, own_port = "AWS CLI v2", True, False

    def __init__(self):
        self.program = find("aws", lambda program: "aws-cli/2." in first_line([program, "--version"]))

    def version(self):
        return first_line([self.program, "--version"]).split()[0].replace("/", " ")

    def command(self, upload):
        environment = base_environment(upload) | aws_environment(upload)
        command = [self.program, "--endpoint-url", upload.url, "s3", "cp", "--no-progress"]
        if upload.ca_file:
            command += ["--ca-bundle", upload.ca_file]
        if len(upload.files) > 1:
            return command + ["--recursive", str(upload.source), f"s3://{upload.bucket}/aws/"], environment
        return command + [str(upload.files[0]), f"s3://{upload.bucket}/aws/"], environment


class Rclone:
    name, signs, own_port = "rclone", True, False

    def __init__(self):
        self.program = find("rclone")

    def version(self):
        return first_line([self.program, "version"])

    def command(self, upload):
        environment = base_environment(upload)
        command = [self.program, "copy", "--config", str(upload.scratch / "rclone.conf"), "--s3-provider", "Other",
                   "--s3-endpoint", upload.url, "--s3-access-key-id", upload.access_key,
                   "--s3-secret-access-key", upload.secret_key]
        if upload.ca_file:
            command += ["--ca-cert", upload.ca_file]
        (upload.scratch / "rclone.conf").touch()
        # Each time to another place: it doesn't send what is there already.
        return command + [str(upload.source), f":s3:{upload.bucket}/{upload.scratch.parent.name}"], environment


class S3cmd:
    name, signs, own_port = "s3cmd", True, False

    def __init__(self):
        self.program = find("s3cmd")

    def version(self):
        return first_line([self.program, "--version"]).replace("version ", "")

    def command(self, upload):
        scheme, host = upload.url.split("://")
        config = upload.scratch / "s3cfg"
        config.write_text(f"[default]\naccess_key = {upload.access_key}\nsecret_key = {upload.secret_key}\n"
                          f"host_base = {host}\nhost_bucket = {host}\nuse_https = {scheme == 'https'}\n"
                          f"bucket_location = us-east-1\n")
        command = [self.program, "-c", str(config), "--no-progress", "put"]
        if upload.ca_file:
            command += ["--ca-certs", upload.ca_file]
        return (command + [str(file) for file in upload.files] + [f"s3://{upload.bucket}/s3cmd/"],
                base_environment(upload))


class S5cmd:
    name, signs, own_port = "s5cmd", True, False

    def __init__(self):
        self.program = find("s5cmd")

    def version(self):
        return "s5cmd " + first_line([self.program, "version"])

    def command(self, upload):
        command = [self.program, "--endpoint-url", upload.url] + (["--no-verify-ssl"] if upload.ca_file else [])
        return (command + ["cp", f"{upload.source}/", f"s3://{upload.bucket}/s5cmd/"],
                base_environment(upload) | aws_environment(upload))


class AwsCS3:
    """By its binding for Python, as its sample program knows no server but Amazon's own."""

    name, signs, own_port = "aws-c-s3", True, True

    def __init__(self):
        fits = not os.geteuid() and not subprocess.run([DEBIAN_PYTHON, "-c", "import awscrt.s3"],
                                                       capture_output=True).returncode
        self.program = DEBIAN_PYTHON if fits else None

    def version(self):
        package = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "python3-awscrt"], capture_output=True,
                                 text=True).stdout
        return f"aws-c-s3 (python3-awscrt {package})"

    def command(self, upload):
        return ([self.program, "-B", str(Path(__file__).with_name("aws_c_s3.py")), upload.url, upload.bucket, "aws-c-s3",
                 upload.ca_file or "-"] + [str(file) for file in upload.files],
                base_environment(upload) | aws_environment(upload))


class Curl:
    """Unsigned where the server checks nothing; else the body at least is unsigned."""

    name, signs, own_port = "curl -T", False, False

    def __init__(self):
        self.program = find("curl")

    def version(self):
        return " ".join(first_line([self.program, "--version"]).split()[:2])

    def command(self, upload):
        command = [self.program, "-sS", "--fail", "--noproxy", "*"]
        if upload.ca_file:
            command += ["--cacert", upload.ca_file]
        if upload.checked:
            command += ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{upload.access_key}:{upload.secret_key}",
                        "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        for file in upload.files:
            command += ["-T", str(file), f"{upload.url}/{upload.bucket}/curl/{file.name}"]
        return command, base_environment(upload)


class Openssl:
    name, signs, own_port = "openssl dgst -sha256", False, False

    def __init__(self):
        self.program = find("openssl")

    def version(self):
        return " ".join(first_line([self.program, "version"]).split()[:2])

    def command(self, upload):
        return [self.program, "dgst", "-sha256"] + [str(file) for file in upload.files], base_environment(upload)


# What a user would pick instead.
COMPARED = (AwsCli.name, Rclone.name, S3cmd.name, S5cmd.name, AwsCS3.name)

DEBIAN_PYTHON = "/usr/bin/python3"  # another one in PATH doesn't find the packages' modules


def aws_environment(upload):
    nothing = str(upload.scratch / "aws")
    return {"AWS_ACCESS_KEY_ID": upload.access_key, "AWS_SECRET_ACCESS_KEY": upload.secret_key,
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": nothing, "AWS_SHARED_CREDENTIALS_FILE": nothing}


def find(name, fits=lambda program: True):
    """The first of that name in PATH that fits; None: there is none."""
    for directory in os.environ["PATH"].split(":"):
        program = shutil.which(name, path=directory)
        if program and fits(program):
            return program
    return None


def first_line(command):
    said = subprocess.run(command, capture_output=True, text=True).stdout
    return said.splitlines()[0] if said else ""


def here(build):
    """Those that are installed, ours first."""
    return [tool for tool in (JibriFinalize(build), AwsCli(), Rclone(), S3cmd(), S5cmd(), AwsCS3(), Curl(),
                               Openssl())
            if tool.program]
