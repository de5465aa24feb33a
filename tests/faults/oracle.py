#!/usr/bin/env python3
"""oracle - compares what the programs say of recordings with what is true.

What they say: `status --json`, `status --prometheus`, `events --json`, the exit code of the last run. What is true: the
bucket, read by something that is not ours; the rows that the backend accepted; the disk; which processes there are.

    oracle.py --program PROGRAM --recordings DIR --original NAME=FILE... --bucket URL [--aws-key ID:SECRET]
              --backend LOG [--exit-code N] [--session DIR] [--final]         settings: as the program's, in the environment

    NAME=FILE   a file of a session (its path below the recordings directory) as it was before any run
    --bucket    plain GETs of a bucket of tools/bucket.py, or signed ones (by curl) with --aws-key
    --exit-code of a run on the session(s) that has just ended
    --killed    the last run was: the journal could not be told of its end
    --final     nothing is wrong any more and a run has just said that all is done: all of it has to be safe

Prints a line for each lie, and exits with 1 where there is one. As a module: judge().
"""

import argparse
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import shutil
import urllib.error
import urllib.parse
import urllib.request

MEDIA = ('.mp4', '.mkv', '.webm', '.m4a')


class Bucket:
    """The reader: what lies under a key, or None."""

    def __init__(self, url, aws_key=None):
        self.url, self.aws_key = url.rstrip('/'), aws_key

    def get(self, key=None, query=''):
        url = self.url + ('/' + urllib.parse.quote(key, safe='/~') if key is not None else '') + query
        if not self.aws_key:
            try:
                return urllib.request.urlopen(url, timeout=60).read()
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                raise
        with tempfile.NamedTemporaryFile() as out:
            status = subprocess.run(
                ['curl', '-sS', '--noproxy', '*', '--max-time', '60', '--aws-sigv4', 'aws:amz:us-east-1:s3', '--user',
                 self.aws_key, '-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD', '-o', out.name, '-w', '%{http_code}', url],
                check=True, capture_output=True, text=True).stdout
            if status == '404':
                return None
            if status != '200':
                raise RuntimeError(f'{url}: {status}')
            return pathlib.Path(out.name).read_bytes()


def accepted_notices(log, name):
    """{key: [idempotency keys of the notices for it that the backend accepted]}"""
    accepted = {}
    if not os.path.exists(log):
        return accepted
    for line in open(log):
        if name and name not in line:
            continue
        notice = json.loads(line)
        if not notice.get('accepted'):
            continue
        body = notice.get('body') or notice.get('notice') or {}
        if isinstance(body, str):
            body = json.loads(body)
        if name and body.get('bucket') != name:
            continue
        accepted.setdefault(body['key'], []).append(notice['headers'].get('idempotency-key'))
    return accepted


def run(program, arguments, environment):
    return subprocess.run([program, *arguments], env=environment, capture_output=True, timeout=60)


def journal_rows(path, sql):
    """Of a copy, so that nothing is touched: [row], or None where there is no journal that can be read."""
    if not os.path.exists(path):
        return None
    with tempfile.TemporaryDirectory() as copy:
        for end in ('', '-wal', '-journal'):
            try:
                shutil.copy(path + end, os.path.join(copy, 'journal.db' + end))
            except FileNotFoundError:
                pass
        database = sqlite3.connect(os.path.join(copy, 'journal.db'))
        database.row_factory = sqlite3.Row
        try:
            return database.execute(sql).fetchall()
        except sqlite3.Error:
            return None
        finally:
            database.close()


def locked(directory):
    """Whether a process holds the lock on the session directory."""
    try:
        inode = os.stat(directory).st_ino
    except FileNotFoundError:
        return False
    return any(line.split()[1] == 'FLOCK' and line.split()[5].endswith(f':{inode}') for line in open('/proc/locks'))


def judge(program, recordings, originals, bucket, backend_log, bucket_name, environment, exit_code=None, output='', final=False,
          journal=None, may_repeat=False, session=None, journal_lost=False):
    """The lies, one text each. originals: {path below recordings: bytes}. may_repeat: a notice's fate may have been unknown, so
    that the backend may have two rows. journal_lost: the run could not write its journal any more."""
    lies = []
    accepted = accepted_notices(backend_log, bucket_name)
    journal = journal or os.path.join(recordings, '.jibri-finalize', 'journal.db')
    uploaded = {}

    def equals(key, content):
        if key not in uploaded:
            uploaded[key] = bucket.get(key)
        return uploaded[key] == content

    def is_media(path):
        return path.lower().endswith(MEDIA)

    # ---- the disk: what is gone is in the bucket, and the backend knows
    rows = journal_rows(journal, 'SELECT CAST(r.directory AS TEXT) AS directory, CAST(f.path AS TEXT) AS path, f.key, f.state, '
                                 'f.notice, r.state AS recording_state, r.next_try_at, r.last_error '
                                 'FROM recording r LEFT JOIN file f ON f.recording_id = r.id') or []
    # The journal names directories as they are below the recordings directory.
    rows = [dict(row, directory=os.path.join(recordings, row['directory'])) for row in rows]
    verdict = journal_rows(journal, 'PRAGMA integrity_check')
    if verdict and verdict[0][0] != 'ok':
        lies.append(f'the journal is damaged: {verdict[0][0]}')
    key_of = {os.path.relpath(os.path.join(row['directory'], row['path']), recordings): row['key'] for row in rows if row['path']}

    def true_safe(path):
        """Whether the object equals the file, and the backend was told of a recording."""
        # Where the journal was lost, what is no recording is below its session's name.
        key = key_of.get(path) or (os.path.basename(path) if is_media(path) else path)
        content = originals[path]
        if os.path.basename(path) == 'metadata.json' and not equals(key, content):
            # It may have been redacted; the judge compares what is left of it.
            return uploaded[key] is not None
        return equals(key, content) and (not is_media(path) or key in accepted)

    for path in originals:
        if not os.path.exists(os.path.join(recordings, path)) and not true_safe(path):
            lies.append(f'{path} is gone from the disk, and not safe')

    # ---- status
    try:
        status = run(program, ['status', '--json', '--all'], environment)
        if status.returncode == 64:
            status = run(program, ['status', '--json'], environment)
        said = json.loads(status.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        lies.append('status --json says nothing that can be read: '
                    + (status.stderr[-300:].decode(errors='replace') if 'status' in locals() else ''))
        said = {'recordings': []}
    now = time.time()
    states = {}
    for recording in said['recordings']:
        states[recording['directory']] = recording['state']
        of = {path: content for path, content in originals.items()
              if os.path.join(recordings, path).startswith(recording['directory'] + '/')}
        for file in recording['files']:
            path = os.path.relpath(os.path.join(recording['directory'], file['path']), recordings)
            if path not in originals:
                continue
            if file['state'] == 'safe' and not true_safe(path):
                lies.append(f'status says safe of {path}, which is not')
            if file['state'] == 'uploaded' and not equals(file['key'], originals[path]) and not path.endswith('metadata.json'):
                lies.append(f'status says uploaded of {path}, which is not')
            if file['notice'] == 'accepted' and file['key'] not in accepted:
                lies.append(f'status says that the notice for {path} was accepted, which it was not')
        if recording['state'] == 'safe':
            lies += [f'status says safe of the recording of {path}, which is not' for path in of if not true_safe(path)]
        if recording['state'] == 'waiting' and not recording['next_try_at']:
            lies.append(f'{recording["directory"]} is waiting, without a next try')
        if recording['state'] in ('waiting', 'failed', 'lost') and not recording['last_error'] and \
                not any(file['last_error'] for file in recording['files']):
            lies.append(f'{recording["directory"]} is {recording["state"]}, without a reason')
        if recording['state'] == 'uploading' and not locked(recording['directory']):
            lies.append(f'{recording["directory"]} is said to be worked on, and no process does')

    # ---- the journal's rows
    for row in {row['directory']: row for row in rows}.values():
        if row['recording_state'] == 1 and not journal_lost and not locked(row['directory']):
            lies.append(f'the row of {row["directory"]} says WORKING, and no process works on it')
        if row['recording_state'] == 2 and not row['next_try_at']:
            lies.append(f'the row of {row["directory"]} says WAITING, without a next try')

    # ---- metrics
    metrics = run(program, ['status', '--prometheus'], environment).stdout.decode()
    shown = {match[1]: int(match[2]) for match in
             re.finditer(r'^jibri_upload_recordings\{[^}]*state="(\w+)"[^}]*\} (\d+)', metrics, re.M)}
    if shown and rows:
        done = {row['directory'] for row in rows if row['recording_state'] == 4}
        truly = sum(all(true_safe(path) for path in originals if os.path.join(recordings, path).startswith(directory + '/'))
                    for directory in done)
        if shown['done'] > truly:
            lies.append(f'metrics count {shown["done"]} recordings as done, of which {truly} are')
        if shown['working'] and not any(locked(row['directory']) for row in rows) and not journal_lost:
            lies.append(f'metrics count {shown["working"]} recordings as worked on, and no process works')

    # ---- events
    if any(row['recording_state'] for row in rows):
        texts = run(program, ['events', '--json'], environment)
        try:
            events = json.loads(texts.stdout)['events']
        except (ValueError, KeyError):
            lies.append('events --json says nothing that can be read')
            events = []
        for event in events:
            if re.match(r'(safe\b|done\b|all (is )?safe)', event['text']):
                directory = event['session']
                lies += [f'an event says {event["text"]!r}, and {path} is not safe' for path in originals
                         if path.startswith(directory + '/') and (not event.get('file') or path.endswith('/' + event['file']))
                         and not true_safe(path)]

    # ---- the exit code, and what the run said last
    if exit_code is not None:
        of = [path for path in originals if session is None or path.startswith(session + '/')]
        if exit_code == 0:
            lies += [f'exit code 0, and {path} is not safe' for path in of if not true_safe(path)]
        elif exit_code not in (1, 64, 66, 75, 78):
            lies.append(f'exit code {exit_code}')
        last = output.rstrip().rsplit('\n', 1)[-1]
        if exit_code == 0 and ': safe' not in last and 'safe' not in last:
            lies.append(f'exit code 0, but its last line says: {last}')
        if exit_code != 0 and re.search(r': safe: ', last):
            lies.append(f'exit code {exit_code}, but its last line says: {last}')

    # ---- twice
    ours = {row['key'] for row in rows} | {os.path.basename(path) for path in originals}
    for key, tokens in accepted.items():
        if key not in ours:
            continue
        if len(tokens) > 1 and not may_repeat:
            lies.append(f'the backend accepted {len(tokens)} notices for {key}')
        if len(set(tokens)) > 1:
            lies.append(f'notices for {key} have {len(set(tokens))} Idempotency-Keys')

    # ---- at the end
    if final:
        lies += [f'at the end {path} is not safe' for path in originals if not true_safe(path)]
        lies += [f'at the end status says {state} of {directory}' for directory, state in states.items() if state != 'safe']
    return lies


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', required=True)
    parser.add_argument('--recordings', required=True)
    parser.add_argument('--original', action='append', default=[])
    parser.add_argument('--bucket', required=True)
    parser.add_argument('--aws-key')
    parser.add_argument('--backend', required=True)
    parser.add_argument('--exit-code', type=int)
    parser.add_argument('--output', default='')
    parser.add_argument('--session')
    parser.add_argument('--may-repeat', action='store_true')
    parser.add_argument('--final', action='store_true')
    parser.add_argument('--killed', action='store_true')
    arguments = parser.parse_args()
    originals = {}
    for original in arguments.original:
        name, _, path = original.partition('=')
        originals[name] = pathlib.Path(path).read_bytes()
    output = pathlib.Path(arguments.output).read_text(errors='replace') if arguments.output else ': safe' if arguments.exit_code == 0 else ''
    lies = judge(arguments.program, arguments.recordings, originals, Bucket(arguments.bucket, arguments.aws_key),
                 arguments.backend, arguments.bucket.rstrip('/').rsplit('/', 1)[-1], dict(os.environ), arguments.exit_code, output,
                 arguments.final, may_repeat=arguments.may_repeat, session=arguments.session,
                 journal_lost=arguments.killed)
    for lie in lies:
        print(f'oracle: {lie}')
    return 1 if lies else 0


if __name__ == '__main__':
    sys.exit(main())
