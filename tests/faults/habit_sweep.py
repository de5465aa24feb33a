#!/usr/bin/env python3
"""habit_sweep - each habit of habits.tsv: jibri-finalize against a server that has it, judged by the oracle.

    habit_sweep.py --build DIR [--jobs N] [REGULAR-EXPRESSION]      only the habits whose names match
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'tools')]
import bucket as bucket_server  # noqa: E402
import call_sweep  # noqa: E402
import oracle  # noqa: E402


def rows():
    for line in open(HERE / 'habits.tsv'):
        if line.strip() and not line.startswith('#'):
            yield line.rstrip('\n').split('\t')


class Case(call_sweep.Case):
    def __init__(self, world, number, recording, habits, settings):
        super().__init__(world, f'habit{number:03}', 'finalizer')
        self.bucket.habits = bucket_server.Habits(habits.split(','))
        media = next(path for path in self.session.glob('*.mp4'))
        self.originals = {}
        (self.session / 'metadata.json').unlink()
        media.unlink()
        contents = {'check': [], 'small': [world.media[:300000]], 'parts': [world.media], 'many': [world.media[:5 << 20] * 7 + world.media[:70000]],
                    'segments': [world.media[:300000 + n] for n in range(3)]}[recording]
        for index, content in enumerate(contents):
            path = media.with_name(f'{media.stem}{"_" + str(index) if index else ""}.mp4')
            path.write_bytes(content)
            self.originals[f'{self.session.name}/{path.name}'] = content
        self.bytes = sum(map(len, contents))
        self.environment.update(CONFOMEET_S3_RETRY_FOR='8s', CONFOMEET_FINALIZE_WAIT='40s', CONFOMEET_RETRY_MAX='1h',
                                CONFOMEET_S3_PARALLEL='8')
        self.environment.update(dict(('CONFOMEET_' + one).split('=', 1) for one in settings.split(',') if one != '-'))

    def check(self):
        found = subprocess.run([self.world.program, 'check'], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=call_sweep.LIMIT_S)
        self.log.write_text(found.stdout + found.stderr)
        return found.returncode, found.stdout + found.stderr

    def interrupt(self):
        """A run that gets one part to the bucket, and no further."""
        self.bucket.habits.parts_until_503 = 1
        code, _ = self.finalize({'CONFOMEET_S3_RETRY_FOR': '2s', 'CONFOMEET_FINALIZE_WAIT': '30s'})
        end = time.monotonic() + call_sweep.LIMIT_S
        while self.bucket.under_way and time.monotonic() < end:  # what the run gave up is its own
            time.sleep(0.05)
        self.bucket.habits.parts_until_503 = 0
        self.bucket.log.clear()
        return [] if code == 75 else [f'the run that was to be interrupted ended with {code}']

    def row(self):
        found = oracle.journal_rows(str(self.recordings / '.jibri-finalize/journal.db'), 'SELECT state, next_try_at FROM recording')
        return found[0] if found else {'state': 0, 'next_try_at': 0}


def try_habit(world, number, name, habits, recording, settings, code_wanted, last_wanted, checks):
    case = Case(world, number, recording, habits, settings)
    lies = case.interrupt() if 'interrupted' in checks.split(',') else []
    began = time.monotonic()
    code, output = case.check() if recording == 'check' else case.finalize()
    seconds = time.monotonic() - began
    last = output if recording == 'check' else output.rstrip().rsplit('\n', 1)[-1]
    if code is None:
        lies.append('it did not end')
    elif recording != 'check':
        lies += case.judge(exit_code=code, output=output)
    if str(code) != code_wanted:
        lies.append(f'exit code {code}, not {code_wanted}')
    if not re.search(last_wanted, last, re.M):
        lies.append(f'the last line is nothing like {last_wanted}')
    requests = {}
    for operation, _, _ in case.bucket.log:
        requests[operation] = requests.get(operation, 0) + 1
    sent = sum(size for operation, _, size in case.bucket.log if operation in ('part', 'put')) / max(case.bytes, 1)
    checks = [] if checks == '-' else checks.split(',')
    objects = len(case.originals) if code_wanted == '0' else None
    for check in checks:
        key, comparison, value = re.fullmatch(r'(\w+)(<=|>=|=)?(.*)', check).groups()
        got = {'seconds': seconds, 'sent': round(sent, 2), 'next': case.row()['next_try_at'] - time.time()}.get(key, requests.get(key, 0))
        if key == 'objects':
            objects = int(value)
        elif key == 'failed':
            if case.row()['state'] != 3:
                lies.append(f'a person is needed, and the row says {case.row()["state"]}')
        elif key == 'seconds' and comparison == '<=' and got <= float(value) * max(1, os.getloadavg()[0] / os.cpu_count()):
            pass  # on a busy machine it takes longer
        elif comparison and not (got <= float(value) + (0.01 if key == 'sent' else 0) if comparison == '<=' else got >= float(value)):
            lies.append(f'{key} is {got}, not {comparison} {value}')
    if objects is not None and len(case.bucket.objects) != objects:
        lies.append(f'objects: {sorted(case.bucket.objects)}')
    if code == 0 and 'leftover' not in checks and case.bucket.uploads:
        lies.append(f'{len(case.bucket.uploads)} multipart uploads are left open')
    if 'then' in checks:
        case.bucket.habits = bucket_server.Habits()
        code, output = case.finalize()
        lies += case.judge(exit_code=code, output=output, final=True)
        if case.bucket.uploads:
            lies.append(f'{len(case.bucket.uploads)} multipart uploads are left open in the end')
    log = case.log.read_text(errors='replace')
    case.close()
    return lies, log, f'{seconds:.1f} s, sent {sent:.2f} times, {requests}'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', default=os.environ.get('E2E_BUILD'))
    parser.add_argument('--jobs', type=int, default=6)
    parser.add_argument('pattern', nargs='?', default='')
    arguments = parser.parse_args()
    began = time.monotonic()
    world = call_sweep.World(arguments.build)
    tried = 0
    bad = []
    try:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            wanted = [row for row in rows() if re.search(arguments.pattern, row[0])]
            results = [(row[0], pool.submit(try_habit, world, number, *row)) for number, row in enumerate(wanted, 1)]
            for name, result in results:
                lies, log, summary = result.result()
                tried += 1
                if lies:
                    bad.append(f'{name}: {lies[0]}')
                print(f'{"not ok" if lies else "ok"} - {name} ({summary})')
                for lie in lies:
                    print(f'    {lie}')
                if lies:
                    print('\n'.join('      | ' + line[:400] for line in log.splitlines()[-12:]))
                sys.stdout.flush()
        print(f'habit sweep: {tried} habits tried in {time.monotonic() - began:.0f} s; {len(bad)} not as they should')
        for name in bad:
            print(f'    not ok - {name}')
        return 1 if bad or not tried else 0
    finally:
        world.close()


if __name__ == '__main__':
    sys.exit(main())
