#!/usr/bin/env python3
"""call_sweep - one system call of a program fails, at each place where it is made; the oracle looks at what came of it.

    call_sweep.py --build DIR [--all [--share I/N]] [--seed N] [--jobs N] [--sample N] [--keep] [--only ROLE:CALL:K:ERRNO[:forever]]

The K-th call of each kind that tools/fail_at.c knows answers EIO, ENOSPC, EMFILE, ENOMEM, EINTR, EACCES or ESTALE, once
or from then on (EINTR only once: a call that is interrupted for ever is none), in one of three roles:

    finalizer   jibri-finalize DIR, as Jibri calls it
    worker      a worker of jibri-watcher, which finds a session directory without a finalizer
    watcher     jibri-watcher itself, around it

After the run with the fault nothing that the programs say may be untrue. Then the fault is over: a finalizer is called
again, a watcher goes on (or, where it ended, is started again), and all has to be safe, with one object, one accepted
notice, nothing left open. A worker may not be started more than three times in ten seconds for the same recording.

Without --all it tries a sample, by a seed that is printed. --share 2/8 tries the second eighth of all: each eighth
call, from the second on.
"""

import argparse
import concurrent.futures
import errno
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / 'tools')]
import bucket as bucket_server  # noqa: E402
import oracle  # noqa: E402

CALLS = ('open read pread write pwrite fsync fdatasync ftruncate fstat getdents rename unlink rmdir flock socket connect '
         'mmap').split()
ERRORS = 'EIO ENOSPC EMFILE ENOMEM EINTR EACCES ESTALE'.split()
ROLES = ('finalizer', 'worker', 'watcher')
PART = 5 << 20
LIMIT_S = 60


class World:
    """What all cases share: a bucket server, a backend, the files of a recording."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.program = str(self.build / 'finalize/jibri-finalize')
        self.watcher = str(self.build / 'watcher/jibri-watcher')
        self.preload = str(self.build / 'tests/tools/fail-at.so')
        self.work = pathlib.Path(tempfile.mkdtemp(prefix='jibri-calls.'))
        self.server = bucket_server.Server()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.backend_log = str(self.work / 'backend.log')
        self.backend = subprocess.Popen([str(self.build / 'tests/tools/backend-stand-in'), '--port', '0', '--log',
                                         self.backend_log], stdout=subprocess.PIPE, text=True)
        port = self.backend.stdout.readline().strip().partition('=')[2]
        self.base_url = f'http://127.0.0.1:{port}/meet'
        generator = random.Random(1)
        self.media = self.mp4(generator.randbytes(2 * PART + 70000))
        self.metadata = b'{"meeting_url":"https://meet.example.org/12345","participants":[],"share":true}\n'

    @staticmethod
    def mp4(content):
        boxes = struct.pack('>I4s4sI4s', 20, b'ftyp', b'isom', 512, b'isom')
        return (boxes + struct.pack('>I4s', 8 + len(content), b'mdat') + content + struct.pack('>I4s', 1000, b'moov')
                + b'm' * 992)

    def close(self):
        self.backend.terminate()
        self.backend.wait()
        self.server.shutdown()
        shutil.rmtree(self.work, ignore_errors=True)


class Case:
    def __init__(self, world, name, role):
        self.world, self.role = world, role
        self.directory = world.work / name
        self.recordings = self.directory / 'recordings'
        self.session = self.recordings / f'{name}_session'
        self.session.mkdir(parents=True)
        number = int(re.sub(r'\D', '', name)) + 100000
        media = f'{number}_2024-04-23-15-04-05.mp4'
        (self.session / media).write_bytes(world.media)
        (self.session / 'metadata.json').write_bytes(world.metadata)
        self.originals = {f'{self.session.name}/{media}': world.media, f'{self.session.name}/metadata.json': world.metadata}
        self.bucket_name = name
        self.bucket = world.server.bucket(name)
        self.counters = self.directory / 'counters'
        self.log = self.directory / 'log'
        self.environment = {
            'PATH': os.environ['PATH'], 'HOME': str(self.directory), 'TMPDIR': str(self.directory),
            'ASAN_OPTIONS': 'verify_asan_link_order=0',
            'CONFOMEET_S3_URL': world.server.url, 'CONFOMEET_S3_BUCKET': name, 'CONFOMEET_S3_CLIENT_ID': 'id',
            'CONFOMEET_S3_CLIENT_SECRET': 'secret', 'CONFOMEET_S3_PART_SIZE': '5MiB', 'CONFOMEET_S3_RETRY_FOR': '2s',
            'CONFOMEET_FINALIZE_WAIT': '15s', 'CONFOMEET_BASE_URL': world.base_url,
            'CONFOMEET_RECORDINGS_DIR': str(self.recordings), 'CONFOMEET_STATUS_LISTEN': 'off',
            'CONFOMEET_RETRY_MIN': '1s', 'CONFOMEET_RETRY_MAX': '2s', 'CONFOMEET_ORPHAN_AFTER': '1s',
            'CONFOMEET_BACKEND_TIMEOUT': '3s'}

    def fault(self, call='', at=0, error='EIO', forever=False):
        fault = {'LD_PRELOAD': self.world.preload, 'FAIL_COUNTERS': str(self.counters), 'FAIL_CALL': call, 'FAIL_AT': str(at),
                 'FAIL_ERRNO': str(getattr(errno, error))}
        if self.role != 'finalizer':
            fault['FAIL_ROLE'] = '--work' if self.role == 'worker' else '!--work'
        if forever:
            fault['FAIL_FOREVER'] = '1'
        return fault

    def counts(self):
        if not self.counters.exists():
            return dict.fromkeys((*CALLS, 'failed'), 0)
        numbers = struct.unpack('512Q', self.counters.read_bytes())
        return {**dict(zip(CALLS, numbers)), 'failed': numbers[511]}

    # ---- the finalizer

    def finalize(self, fault=None):
        """(exit code, output); None: it did not end."""
        with open(self.log, 'ab') as log:
            log.write(b'--- run %s\n' % repr(fault and fault.get('FAIL_CALL')).encode())
            log.flush()
            at = log.tell()
            process = subprocess.Popen([self.world.program, str(self.session)], env={**self.environment, **(fault or {})},
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                code = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = None
        with open(self.log, 'rb') as log:
            log.seek(at)
            return code, log.read().decode(errors='replace')

    # ---- the watcher

    def start_watcher(self, fault=None):
        past = time.time() - 3600
        for path in (*self.session.glob('*'), self.session) if self.session.exists() else ():
            os.utime(path, (past, past))
        with open(self.log, 'ab') as log:
            return subprocess.Popen([self.world.watcher], env={**self.environment, **(fault or {})}, stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=log)

    def is_safe(self):
        rows = oracle.journal_rows(str(self.recordings / '.jibri-finalize/journal.db'), 'SELECT state FROM recording')
        # A journal that was set aside when all was done has no row; lies_at_the_end() looks for the objects.
        return all(row['state'] == 4 for row in rows or ()) and not any(self.session.glob('*'))

    def wait_until_safe(self, process, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None:
            if self.is_safe():
                return True
            time.sleep(0.1)
        return self.is_safe()

    @staticmethod
    def stop(process):
        """Its exit code; None: it had to be killed."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                return None
        return process.returncode

    def judge(self, **more):
        return oracle.judge(self.world.program, str(self.recordings), self.originals,
                            oracle.Bucket(f'{self.world.server.url}/{self.bucket_name}'), self.world.backend_log,
                            self.bucket_name, self.environment, session=self.session.name, **more)

    def history(self):
        rows = oracle.journal_rows(str(self.recordings / '.jibri-finalize/journal.db'), 'SELECT tries FROM recording')
        return rows[0]['tries'] if rows else 0

    def lies_at_the_end(self, may_repeat):
        lies = self.judge(final=True, may_repeat=may_repeat)
        keys = sorted(self.bucket.objects)
        if len(keys) != len(self.originals):
            lies.append(f'objects: {keys}')
        # Its id was in the journal alone: docs/operations.md says what tidies it.
        journal_lost = any((self.recordings / '.jibri-finalize').glob('journal.db.damaged-*'))
        if self.bucket.uploads and not journal_lost:
            lies.append(f'{len(self.bucket.uploads)} multipart uploads are left open')
        return lies

    def close(self, keep=False):
        self.world.server.forget(self.bucket_name)
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)


def try_finalizer(case, fault):
    code, output = case.finalize(fault)
    if code is None:
        return [f'it did not end within {LIMIT_S} s']
    # A journal that can't be written any more can't say either that the run has ended.
    lies = case.judge(exit_code=code, output=output, may_repeat=True,
                      journal_lost='FAIL_FOREVER' in fault and 'journal' in output)
    for _ in range(3):
        code, output = case.finalize()
        if code is None:
            return lies + ['a run without the fault did not end']
        if code == 0:
            break
    if code == 66 and not case.session.exists():
        code = 0
    if code != 0:
        lies.append(f'exit code {code} of a run without the fault: {output.rstrip()[-300:]}')
    return lies + case.lies_at_the_end(may_repeat=fault['FAIL_CALL'] != '')


def try_watcher(case, fault):
    lies = []
    began = time.monotonic()
    process = case.start_watcher(fault)
    case.wait_until_safe(process, 6)
    tries, lived = case.history(), time.monotonic() - began
    if tries > 4:
        lies.append(f'{tries} runs on one recording in {lived:.1f} s')
    code = case.stop(process)
    if code is None:
        lies.append('the watcher did not end within 15 s of SIGTERM')
    elif code < 0:
        lies.append(f'the watcher ended by signal {-code}')
    lies += case.judge(may_repeat=True, journal_lost='FAIL_FOREVER' in fault and 'journal' in case.log.read_text(errors='replace'))
    if not case.is_safe():
        process = case.start_watcher()
        if not case.wait_until_safe(process, 25):
            lies.append('without the fault it did not become safe within 25 s')
        case.stop(process)
    return lies + case.lies_at_the_end(may_repeat=True)


def try_one(world, name, role, call, at, error, forever, keep):
    case = Case(world, name, role)
    fault = case.fault(call, at, error, forever)
    try:
        lies = (try_finalizer if role == 'finalizer' else try_watcher)(case, fault)
        hit = case.counts()['failed'] > 0
        log = case.log.read_text(errors='replace')
    except Exception as problem:  # the sweep goes on; it counts as a violation
        lies, hit, log = [f'{type(problem).__name__}: {problem}'], True, ''
    case.close(keep and bool(lies))
    return lies, hit, log


def places(world, role):
    """{call: how often a run without faults makes it}"""
    case = Case(world, f'count{ROLES.index(role)}', role)
    lies = (try_finalizer if role == 'finalizer' else try_watcher)(case, case.fault())
    counts = case.counts()
    if lies:
        print(case.log.read_text(errors='replace'))
        raise SystemExit(f'call sweep: {role}: without a fault: {lies}')
    case.close()
    del counts['failed']
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', default=os.environ.get('E2E_BUILD'))
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--share', default='1/1')
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(10 ** 9))
    parser.add_argument('--jobs', type=int, default=6)
    parser.add_argument('--sample', type=int, default=60)
    parser.add_argument('--role', action='append', choices=ROLES)
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--verbose', action='store_true')
    parser.add_argument('--only')
    arguments = parser.parse_args()
    began = time.monotonic()
    world = World(arguments.build)
    try:
        if arguments.only:
            role, call, at, error, *forever = arguments.only.split(':')
            tries = [(role, call, int(at), error, bool(forever))]
        else:
            counts = {role: places(world, role) for role in arguments.role or ROLES}
            tries = [(role, call, at, error, forever) for role, of in counts.items() for call, count in of.items()
                     for at in range(1, count + 1) for error in ERRORS for forever in (False, True)
                     if not (forever and error == 'EINTR')]
            print('call sweep: ' + '; '.join(f'{role}: ' + ' '.join(f'{call} {count}' for call, count in of.items() if count)
                                             for role, of in counts.items()), flush=True)
        total = len(tries)
        if not arguments.all and not arguments.only:
            # As many of each kind of call, in each role: what is rare matters as much as what is frequent.
            generator = random.Random(arguments.seed)
            kinds = {}
            for one in tries:
                kinds.setdefault(one[:2], []).append(one)
            picked = []
            while len(picked) < min(arguments.sample, total):
                for kind in sorted(kinds):
                    if kinds[kind]:
                        picked.append(kinds[kind].pop(generator.randrange(len(kinds[kind]))))
            generator.shuffle(picked)
            tries = picked[:arguments.sample]
        share, shares = (int(number) for number in arguments.share.split('/'))
        tries = tries[share - 1::shares]
        violations, hits = [], 0
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            futures = {pool.submit(try_one, world, f'case{number:05}', *one, arguments.keep): one
                       for number, one in enumerate(tries, 1)}
            for future in concurrent.futures.as_completed(futures):
                lies, hit, log = future.result()
                hits += hit
                if lies:
                    role, call, at, error, forever = futures[future]
                    violations.append(f'VIOLATED {role}:{call}:{at}:{error}{":forever" * forever}')
                    print(violations[-1])
                    for lie in lies:
                        print(f'    {lie}')
                    if arguments.verbose or arguments.only:
                        print('\n'.join('      | ' + line for line in log.splitlines()[-60:]))
                    sys.stdout.flush()
                elif arguments.only:
                    print(log)
        print(f'call sweep: {len(tries)} of {total} failing calls tried (seed {arguments.seed}), {hits} of them reached, in '
              f'{time.monotonic() - began:.0f} s; {len(violations)} violations')
        for violation in violations:
            print(f'    {violation}')
        return 1 if violations else 0
    finally:
        world.close()


if __name__ == '__main__':
    sys.exit(main())
