#!/usr/bin/env python3
"""rescue_sweep - jibri-finalize rescue against a server in memory: servers' habits, kills at each of its requests, a
backend that fails, hostile names.

    rescue_sweep.py --build DIR [--jobs N] [REGULAR-EXPRESSION]      only the cases whose names match

What an object is to be is what the finalizer makes of the same bytes on a disk.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'tools')]
import bucket as bucket_server  # noqa: E402
import call_sweep  # noqa: E402

PART = call_sweep.PART
KEY = '12345_2026-11-24-10-00-00.mp4'
MARK = '00112233445566778899aabbccddeeff'
METADATA = [('Content-Type', 'video/mp4'), ('x-amz-meta-jibri-mark', MARK), ('x-amz-meta-jibri-session', 'abc'),
            ('x-amz-meta-jibri-part-size', str(PART))]
LIMIT_S = 300


class Backend:
    def __init__(self, world, name, *fails):
        self.log = world.work / f'{name}.backend'
        command = [str(world.build / 'tests/tools/backend-stand-in'), '--port', '0', '--log', str(self.log)]
        self.process = subprocess.Popen(command + [word for fail in fails for word in ('--fail', fail)], stdout=subprocess.PIPE, text=True)
        self.url = f'http://127.0.0.1:{self.process.stdout.readline().strip().partition("=")[2]}/meet'

    def notices(self):
        return [json.loads(line) for line in open(self.log)] if self.log.exists() else []

    def accepted(self):
        return sum(bool(notice['accepted']) for notice in self.notices())

    def close(self):
        self.process.terminate()
        self.process.wait()


class Case:
    """A bucket with what a recorder left in it, and a backend."""

    def __init__(self, world, name, parts=None, habits=(), fails=()):
        self.world, self.name = world, name
        self.bucket = world.server.bucket(name)
        self.bucket.habits = bucket_server.Habits(habits)
        self.backend = Backend(world, name, *fails)
        self.lies, self.output = [], ''
        self.environment = {
            'PATH': os.environ['PATH'], 'HOME': str(world.work), 'TMPDIR': str(world.work),
            'ASAN_OPTIONS': 'verify_asan_link_order=0', 'CONFOMEET_S3_URL': world.server.url,
            'CONFOMEET_S3_BUCKET': name, 'CONFOMEET_S3_CLIENT_ID': 'id', 'CONFOMEET_S3_CLIENT_SECRET': 'secret',
            'CONFOMEET_S3_PART_SIZE': '5MiB', 'CONFOMEET_BASE_URL': self.backend.url, 'CONFOMEET_BACKEND_TIMEOUT': '2s'}
        if parts:
            self.upload(parts)

    def upload(self, parts, key=KEY, upload_id='first', metadata=METADATA):
        """`parts`: {number: bytes}."""
        upload = bucket_server.Upload(key, metadata)
        for number, content in parts.items():
            upload.parts[number] = (content, self.world.etag(content))
        self.bucket.uploads[upload_id] = upload

    def rescue(self, *arguments, more=None):
        found = subprocess.run([self.world.program, 'rescue', *arguments], env={**self.environment, **(more or {})},
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
        self.output += f'$ rescue {" ".join(arguments)}: {found.returncode}\n' + (found.stdout + found.stderr).decode(errors='replace')
        self.stdout = found.stdout.decode(errors='replace')
        return found.returncode

    def answer(self, answer, *arguments):
        """As rescue(), on a terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen([self.world.program, 'rescue', *arguments], env=self.environment, stdin=slave, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        os.close(slave)
        os.write(master, answer)
        self.stdout = process.communicate(timeout=LIMIT_S)[0].decode(errors='replace')
        os.close(master)
        self.output += f'$ rescue {" ".join(arguments)}, answered {answer}: {process.returncode}\n{self.stdout}'
        return process.returncode

    def expect(self, what, wanted, got):
        if wanted != got:
            wanted, got = (f'{len(one)} bytes' if isinstance(one, bytes) else one for one in (wanted, got))
            self.lies.append(f'{what}: {got}, not {wanted}')

    def expect_rescued(self, content, notices=1):
        """One object with this content, the record, nothing else."""
        self.expect('keys', sorted([KEY, KEY + '.rescued']), sorted(self.bucket.objects))
        if KEY in self.bucket.objects:
            self.expect('object', content, self.bucket.objects[KEY].content)
            self.expect('mark', MARK, dict(self.bucket.objects[KEY].metadata).get('x-amz-meta-jibri-mark'))
        self.expect('open uploads', [], list(self.bucket.uploads))
        self.expect('accepted notices', notices, self.backend.accepted())

    def close(self):
        self.backend.close()
        self.world.server.forget(self.name)


class World(call_sweep.World):
    def __init__(self, build):
        super().__init__(build)
        self.etags = {}
        recording = self.work / 'recording.mp4'
        subprocess.run([sys.executable, str(HERE.parent / 'tools/long_recording.py'),
                        str(HERE.parent / 'fuzz/corpus/mp4_index/ffmpeg-7.1-zerolatency'), str(recording), '15', '58000'], check=True)
        self.recording = recording.read_bytes()
        self.parts = self.split(self.recording)
        self.made = {}

    def etag(self, content):
        if id(content) not in self.etags:
            self.etags[id(content)] = (f'"{bucket_server.hashlib.md5(content).hexdigest()}"', content)
        return self.etags[id(content)][0]

    @staticmethod
    def split(content):
        return {number: content[at:at + PART] for number, at in enumerate(range(0, len(content), PART), 1)}

    def finalized(self, size, content=None):
        """What the finalizer makes of so many bytes of the recording, or of `content`."""
        if size not in self.made:
            case = call_sweep.Case(self, f'made{size}', 'finalizer')
            path = next(case.session.glob('*.mp4'))
            path.write_bytes(content or self.recording[:size])
            code, output = case.finalize()
            assert code == 0, output
            self.made[size] = next(one.content for key, one in case.bucket.objects.items() if key.endswith('.mp4'))
            case.close()
        return self.made[size]


# ---- the cases

def what_is_in_a_row_is_rescued(case):
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)})
    case.expect('exit code', 0, case.rescue('--json', '--force', KEY))
    case.expect('result', [True, True, True, 0], [json.loads(case.stdout)[name] for name in ('plays', 'indexed', 'notified', 'parts_left_out')])
    case.expect_rescued(case.world.finalized(3 * PART))
    case.expect('exit code', 0, case.rescue(KEY))
    case.expect_rescued(case.world.finalized(3 * PART))


def what_looks_like_a_fragment_in_the_media_is_none(case):
    content = bytearray(case.world.recording[:4 * PART])
    for at in range(10 << 20, 12 << 20, 50000):  # the second half is read from about there on, beside the first
        if not any(content[at:at + 100]):
            content[at:at + 48] = struct.pack('>I4sI4sII16xI4s', 40, b'moof', 16, b'mfhd', 0, 1, 700000, b'mdat')
    content = bytes(content)
    case.upload(case.world.split(content))
    case.expect('exit code', 0, case.rescue('--force', KEY))
    case.expect_rescued(case.world.finalized(999, content))


def what_comes_after_a_gap_is_left_out(case):
    case.upload({n: case.world.parts[n] for n in (1, 2, 4)})
    case.rescue()
    case.expect('the list tells of it', True, '(of 3 parts: there is a gap)' in case.stdout)
    case.expect('exit code', 0, case.rescue('--force', KEY))
    case.expect('it is said', True, '1 part(s) after a gap were left out' in case.stdout)
    case.expect_rescued(case.world.finalized(2 * PART))


def what_comes_after_a_gap_is_left_out_where_complete_takes_some(case):
    case.bucket.habits.takes_subset = True
    what_comes_after_a_gap_is_left_out(case)


def where_the_server_does_not_copy_it_stays_in_fragments(case):
    case.bucket.habits.no_copy = True
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)})
    case.expect('exit code', 0, case.rescue('--json', '--force', KEY))
    case.expect('result', [True, False, True], [json.loads(case.stdout)[name] for name in ('plays', 'indexed', 'notified')])
    case.expect_rescued(case.world.recording[:3 * PART])


def all_pages_are_read(case):
    case.bucket.habits.page = 2
    keys = [f'{n}_2026-11-24-10-00-0{n}.mp4' for n in range(7)]
    for key in (*keys, 'backup.tar', '12345.mp4'):
        case.upload({n: case.world.parts[n] for n in (1, 2, 3)}, key, f'of-{key}')
    case.expect('exit code', 0, case.rescue('--json'))
    case.expect('keys', keys, [upload['key'] for upload in json.loads(case.stdout)['uploads']])
    case.expect('parts', {3}, {upload['parts_in_a_row'] for upload in json.loads(case.stdout)['uploads']})
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)})
    case.expect('exit code', 0, case.rescue('--force', KEY))
    case.expect('object', case.world.finalized(3 * PART), case.bucket.objects[KEY].content)


def a_person_is_asked_on_a_terminal(case):
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)})
    for answer in (b'n\n', b'\n', b'\x04'):
        case.expect('exit code', 0, case.answer(answer, KEY))
        case.expect('it says so', True, '[y/N] nothing was done' in case.stdout)
        case.expect('objects', [], list(case.bucket.objects))
    case.expect('exit code', 0, case.answer(b'y\n', KEY))
    case.expect_rescued(case.world.finalized(3 * PART))


def without_a_terminal_a_recent_part_needs_force(case):
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)})
    case.expect('exit code', 64, case.rescue(KEY))
    case.expect('objects', [], list(case.bucket.objects))
    case.bucket.habits.hours_ago = 2
    case.expect('exit code', 0, case.rescue(KEY))
    case.expect_rescued(case.world.finalized(3 * PART))


def what_a_recorder_left_between_its_last_requests_is_rescued(case):
    indexed = case.world.split(case.world.finalized(len(case.world.recording)))
    whole = case.world.finalized(len(case.world.recording))
    for name, parts, wanted in (('no tail', {n: indexed[n] for n in (1, 2, 3, 4)}, case.world.finalized(4 * PART)),
                                ('two parts', {n: indexed[n] for n in (1, 2)}, case.world.finalized(2 * PART)),
                                ('one part', {1: indexed[1]}, case.world.finalized(PART)),
                                ('a gap before the tail', {n: indexed[n] for n in (1, 2, 3, 5)}, case.world.finalized(3 * PART)),
                                ('the old first part', {**indexed, 1: case.world.parts[1]}, whole),
                                ('all', indexed, whole)):
        case.bucket.objects.clear()
        case.upload(parts)
        case.expect(f'{name}: exit code', 0, case.rescue('--force', KEY))
        case.expect(f'{name}: object', wanted, case.bucket.objects[KEY].content)
        case.expect(f'{name}: open uploads', [], list(case.bucket.uploads))


def a_backend_that_fails_is_told_by_the_next_call(case):
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)})
    case.expect('exit code of 500', 75, case.rescue('--force', KEY))
    case.expect('it says that it is there', True, 'plays up to 9 s; the backend was not told' in case.output)
    case.expect('exit code of a time-out', 75, case.rescue(KEY))
    case.expect('exit code of 400', 1, case.rescue(KEY))
    case.expect('accepted notices', 0, case.backend.accepted())
    case.expect('exit code', 0, case.rescue(KEY))
    case.expect_rescued(case.world.finalized(3 * PART))
    case.expect('one recording for the backend', 1, len({notice['headers']['idempotency-key'] for notice in case.backend.notices()}))


def nothing_is_found_in_an_empty_bucket(case):
    case.expect('exit code', 0, case.rescue())
    case.expect('text', 'the bucket has no open multipart upload of a recording\n', case.stdout)
    case.expect('exit code', 0, case.rescue('--json'))
    case.expect('uploads', [], json.loads(case.stdout)['uploads'])
    case.expect('exit code', 66, case.rescue('--force', KEY))
    case.expect('objects', [], list(case.bucket.objects))


def of_two_uploads_of_a_key_the_longer_one_is_rescued(case):
    case.upload({1: case.world.parts[1]}, upload_id='a')
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)}, upload_id='b')
    case.upload({n: case.world.parts[n] for n in (1, 2)}, upload_id='c')
    case.expect('exit code', 0, case.rescue('--force', KEY))
    case.expect('it is said', True, 'leaves 2 other multipart upload(s) of this key open' in case.output)
    case.expect('object', case.world.finalized(3 * PART), case.bucket.objects[KEY].content)
    case.expect('open uploads', ['a', 'c'], sorted(case.bucket.uploads))
    case.expect('exit code', 0, case.rescue('--force', KEY))
    case.expect('object', case.world.finalized(3 * PART), case.bucket.objects[KEY].content)
    case.expect('accepted notices', 1, case.backend.accepted())


def what_has_no_first_part_is_said_to_be_lost(case):
    case.upload({n: case.world.parts[n] for n in (2, 3)})
    case.upload({}, '5_2026-11-24-10-00-00.mp4', 'second')
    case.expect('exit code', 0, case.rescue())
    case.expect('list', True, 'its first part is missing: nothing of it plays' in case.stdout and '(no part has come)' in case.stdout)
    case.expect('exit code', 66, case.rescue(KEY))
    case.expect('exit code of an empty one', 66, case.rescue('5_2026-11-24-10-00-00.mp4'))
    case.expect('objects', [], list(case.bucket.objects))


def the_object_of_another_is_left_alone(case):
    case.bucket.objects[KEY] = bucket_server.Object(b'another one', [], '"00"')
    case.upload({n: case.world.parts[n] for n in (1, 2, 3)})
    case.expect('exit code', 1, case.rescue('--force', KEY))
    case.expect('object', b'another one', case.bucket.objects[KEY].content)
    case.expect('keys', [KEY], list(case.bucket.objects))
    case.expect('open uploads', ['first'], list(case.bucket.uploads))


def hostile_names_are_only_names(case):
    names = ['5_<&>"\'`$(touch x);.._2026-11-24-10-00-00.mp4', '6_\u009b31m\u202e\n_2026-11-24-10-00-00.mp4', '7_Москва %0A+#~2_2026-11-24-10-00-00.mp4',
             '8_' + 'я' * 480 + '_2026-11-24-10-00-00.mp4']
    for name in names:
        case.upload({n: case.world.parts[n] for n in (1, 2, 3)}, name, f'of{len(name)}')
    case.expect('exit code', 0, case.rescue('--json'))
    case.expect('keys', sorted(names), sorted(upload['key'] for upload in json.loads(case.stdout)['uploads']))
    case.expect('exit code', 0, case.rescue())
    case.expect('lines', len(names) + 2, case.stdout.count('\n'))  # a header, and what to call
    case.expect('what a terminal acts on', [], re.findall('[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]', case.stdout))
    for name in names:
        case.expect(f'exit code of {name!r}', 0, case.rescue('--force', name))
        case.expect(f'object {name!r}', case.world.finalized(3 * PART), case.bucket.objects.get(name, bucket_server.Object(b'', [], '')).content)
        case.expect('what a terminal acts on', [], re.findall('[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]', case.stdout))
    case.expect('notices', sorted(names), sorted(notice['body']['key'] for notice in case.backend.notices()))


def an_upload_that_a_killed_rescue_left_is_no_recorder_at_work(case):
    content = case.world.recording[:3 * PART]
    record = f'Bytes of its parts: {len(content)}\nIts index is put in by the upload: second\n'.encode()
    case.bucket.objects[KEY] = bucket_server.Object(content, METADATA, '"00-3"')
    case.bucket.objects[KEY + '.rescued'] = bucket_server.Object(record, [], '"00"')
    case.upload({n: case.world.parts[n] for n in (1, 2)}, upload_id='second')
    case.expect('exit code', 0, case.rescue('--json'))
    case.expect('list', [True], [upload['of_rescue'] for upload in json.loads(case.stdout)['uploads']])
    case.expect('exit code', 0, case.rescue())
    case.expect('the list says what to do', True, 'call it again' in case.stdout)
    case.expect('exit code', 0, case.rescue(KEY))
    case.expect_rescued(case.world.finalized(3 * PART))


def killed_at(case, parts, habits, number):
    """Killed there, and called again until it is done: one object, whole, and nothing else."""
    one = Case(case.world, f'{case.name}-{number}', parts, habits)
    preload = {'LD_PRELOAD': str(case.world.build / 'tests/tools/kill-at.so'), 'KILL_AT': str(number)}
    code = one.rescue('--force', KEY, more=preload)
    if code not in (-9, 0):  # a reply in fewer pieces has fewer instants
        one.lies.append(f'exit code {code}')
    # What the killed call asked for may end beside the next one, which then says to call it again.
    for _ in range(3):
        code = one.rescue('--force', KEY)
        if code != 75:
            break
    one.expect('exit code', 0, code)
    notices = one.backend.notices()
    if one.backend.accepted() == 2:  # its answer was lost
        one.expect('Idempotency-Key', 1, len({notice['headers']['idempotency-key'] for notice in notices}))
    one.expect_rescued(case.world.finalized(2 * PART if 3 not in parts else 3 * PART), 2 if one.backend.accepted() == 2 else 1)
    one.close()
    return [f'killed at {number}: {lie}\n{one.output}' for lie in one.lies]


def killed_at_each_request(case, parts, reads=''):
    habits = ()
    events = case.world.work / f'{case.name}.events'
    one = Case(case.world, f'{case.name}-0', parts, habits)
    one.rescue('--force', KEY, more={'LD_PRELOAD': str(case.world.build / 'tests/tools/kill-at.so'), 'KILL_EVENTS': str(events)})
    one.close()
    instants = [line.split(' ', 1) for line in events.read_text().splitlines()]
    chosen, seen = [], {}
    for number, instant in instants:
        if re.match(f'all of (part|complete|put|create|notice|delete{reads})', instant):
            seen[instant] = seen.get(instant, 0) + 1
            if seen[instant] <= (2 if 'get' in instant else 4):  # of what is only read, the first ones
                chosen.append(int(number))
    case.output += f'{len(instants)} instants, {len(chosen)} tried; {seen}\n'
    if len(chosen) < 10:
        case.lies.append(f'only {len(chosen)} instants')
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for lies in pool.map(lambda number: killed_at(case, parts, habits, number), chosen):
            case.lies += lies


def killed_at_each_request_and_called_again_it_comes_to_the_same(case):
    killed_at_each_request(case, {n: case.world.parts[n] for n in (1, 2, 3)}, '|get|head|list')


def killed_at_each_request_with_a_gap_it_comes_to_the_same(case):
    killed_at_each_request(case, {n: case.world.parts[n] for n in (1, 2, 4)})


CASES = [what_is_in_a_row_is_rescued, what_looks_like_a_fragment_in_the_media_is_none,
         what_comes_after_a_gap_is_left_out, what_comes_after_a_gap_is_left_out_where_complete_takes_some,
         where_the_server_does_not_copy_it_stays_in_fragments, all_pages_are_read, a_person_is_asked_on_a_terminal,
         without_a_terminal_a_recent_part_needs_force, what_a_recorder_left_between_its_last_requests_is_rescued,
         a_backend_that_fails_is_told_by_the_next_call, nothing_is_found_in_an_empty_bucket,
         of_two_uploads_of_a_key_the_longer_one_is_rescued, what_has_no_first_part_is_said_to_be_lost, the_object_of_another_is_left_alone, hostile_names_are_only_names,
         an_upload_that_a_killed_rescue_left_is_no_recorder_at_work,
         killed_at_each_request_and_called_again_it_comes_to_the_same, killed_at_each_request_with_a_gap_it_comes_to_the_same]


def run(world, number, function):
    began = time.monotonic()
    fails = ('500:1', 'hang:1', '400:1') if 'backend' in function.__name__ else ()
    case = Case(world, f'rescue{number:02}', fails=fails)
    try:
        function(case)
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        case.lies.append(repr(error))
    finally:
        case.close()
    return case, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', default=os.environ.get('E2E_BUILD'))
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('pattern', nargs='?', default='')
    arguments = parser.parse_args()
    world = World(arguments.build)
    for size in (PART, 2 * PART, 3 * PART, 4 * PART, len(world.recording)):
        world.finalized(size)
    bad = tried = 0
    try:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            wanted = [one for one in CASES if re.search(arguments.pattern, one.__name__)]
            for function, (case, seconds) in zip(wanted, pool.map(lambda one: run(world, CASES.index(one), one), wanted)):
                tried += 1
                bad += bool(case.lies)
                print(f'{"not ok" if case.lies else "ok"} - {function.__name__.replace("_", " ")} ({seconds:.1f} s)')
                for lie in case.lies[:20]:
                    print('    ' + lie[:3000])
                if case.lies:
                    print('\n'.join('      | ' + line[:400] for line in case.output.splitlines()[-30:]))
                sys.stdout.flush()
        return 1 if bad or not tried else 0
    finally:
        world.close()


if __name__ == '__main__':
    sys.exit(main())
