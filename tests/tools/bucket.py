"""bucket - an S3 server in memory that keeps what it is given, and has the habits of other people's servers.

    bucket.py [--address A] [--port N] [--habit NAME]...      prints "port=N" when ready

A test's program sends to it, and a judge reads it back: plain GETs, unsigned. Signatures are not checked. As real
servers do, it refuses parts below 5 MiB before the last one, and a Complete that names a part it doesn't have.

Habits are those of the class Habits below; as a module, each bucket has its own: Server.bucket(name).habits.
"""

import argparse
import contextlib
import hashlib
import html
import http.server
import itertools
import re
import secrets
import socket
import struct
import sys
import threading
import time
import urllib.parse

MIB = 1 << 20


class Habits:
    """One attribute for each habit. tests/faults/habits.tsv says where each was observed."""

    def __init__(self, names=()):
        self.no_metadata = False  # x-amz-meta-* headers are dropped
        self.other_size = False  # HEAD shows another size, as of an object that a gateway transformed
        self.kms_etags = False  # 32 hex digits that are no MD5
        self.opaque_etags = False  # not even hex
        self.head_etag_differs = False
        self.equal_parts = False
        self.at_most = 0  # requests at once; above it 500
        self.sick_connection = False  # the first connection that sends a part gets 503 from then on
        self.body_limit = 0  # 413 above it
        self.cut_bodies = 0  # how many parts are cut off in the middle
        self.list_refused = 0  # 403, 405 or 501
        self.parts_until_503 = 0  # how many parts are accepted; later ones get 503
        self.if_none_match = 0  # 412 or 409: the reply when an object would be replaced; 501: the header is refused
        self.if_none_match_of_put = 0  # the same, for PutObject only
        self.taken_after_heads = 0  # after this many HeadObjects, another client's object has the key
        self.list_fails = False  # 500
        self.list_stands = False  # ListParts says that there are more, and repeats the same page
        self.head_late_s = 0.0  # how long HEAD does not show a new object
        self.create_reply_lost = 0  # how many replies are lost
        self.complete_spaces_s = 0.0  # white space before the reply
        self.complete_silence_s = 0.0
        self.complete_504_then_done = False
        self.complete_invalid_part = 0  # how many times
        self.retry_after_s = 0  # 503 to each part and PUT
        self.region = ''  # the bucket's region; requests signed for another are redirected
        self.no_checksums = False  # 501 to checksum headers and trailers
        self.abort_fails = False  # 500
        self.abort_refused = 0  # 403, 405 or 501
        self.tls_port = False  # plain HTTP is answered as nginx answers it on a TLS port
        self.content_md5_demanded = False
        self.no_copy = False  # 501 to UploadPartCopy
        self.page = 0  # entries of a listing at once
        self.takes_subset = False  # Complete may name fewer parts than there are
        self.hours_ago = 0  # the age of uploads and parts, as listed
        self.latency_ms = 0  # of a GET
        self.fails_from = 0  # 503 to this request and all later ones
        for name in names:
            name, _, value = name.partition('=')
            name = name.replace('-', '_')
            if not hasattr(self, name):
                raise SystemExit(f'bucket: there is no habit {name}')
            old = getattr(self, name)
            setattr(self, name, type(old)(value) if value else True if isinstance(old, bool) else 1)


class Bucket:
    def __init__(self, habits):
        self.habits = habits
        self.objects = {}  # key: Object
        self.uploads = {}  # id: Upload
        self.log = []  # (operation, status, bytes)
        self.under_way = 0
        self.sick = None


class Object:
    def __init__(self, content, metadata, etag):
        self.content, self.metadata, self.etag = content, metadata, etag
        self.at = time.monotonic()


class Upload:
    def __init__(self, key, metadata):
        self.key, self.metadata, self.parts = key, metadata, {}
        self.began = time.time()
        self.requests = itertools.count()  # for parts; one of several threads at a time gets a number


def operation_of(method, query, key):
    of_upload, uploads = 'uploadId' in query, 'uploads' in query
    return {'HEAD': 'head', 'PUT': 'part' if of_upload else 'put',
            'POST': 'create' if uploads else 'complete' if of_upload else 'other',
            'DELETE': 'abort' if of_upload else 'delete',
            'GET': 'list_uploads' if uploads else 'list_parts' if of_upload else 'get' if key else 'list'}.get(method, 'other')


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = 65536
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.close_connection = True

    # ---- replies

    def reply(self, status, body=b'', headers=()):
        if isinstance(body, str):
            body = body.encode()
        self.status = status
        self.send_response(status)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            self.send_header(name, value)
        if 'content-length' not in names:
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
        self.wfile.flush()

    def refuse_operation(self, status):
        self.refuse(status, {403: 'AccessDenied', 405: 'MethodNotAllowed'}.get(status, 'NotImplemented'))

    def refuse(self, status, code, more='', headers=()):
        self.reply(status, f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}, as this '
                           f'server is wont to.</Message>{more}</Error>', (('Content-Type', 'application/xml'), *headers))

    # ---- requests

    def answer(self):
        path, _, query = self.path.partition('?')
        query = urllib.parse.parse_qs(query, keep_blank_values=True)
        _, name, *rest = urllib.parse.unquote(path).split('/', 2)
        self.key, self.query, self.status, self.body = rest[0] if rest else '', query, 0, b''
        self.bucket = self.server.bucket(name)
        self.operation = operation_of(self.command, query, self.key)
        bucket, habits = self.bucket, self.bucket.habits
        ours = self.headers.get('Authorization') is not None or self.command != 'GET'
        with self.server.lock:
            bucket.under_way += ours
            crowded = ours and habits.at_most and bucket.under_way > habits.at_most
        try:
            length = int(self.headers.get('Content-Length') or 0)
            if habits.cut_bodies and self.operation == 'part':
                habits.cut_bodies -= 1
                self.rfile.read(length // 2)
                self.reset()
                return
            if habits.body_limit and length > habits.body_limit and self.operation in ('part', 'put'):
                self.close_connection = True
                self.reply(413, '<html><head><title>413 Request Entity Too Large</title></head></html>\r\n',
                           (('Server', 'nginx'), ('Content-Type', 'text/html'), ('Connection', 'close')))
                # As nginx does: what still arrives is read, or the reply may be lost with the connection.
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_WR)
                    self.rfile.read(length)
                return
            self.body = self.rfile.read(length)
            if len(self.body) < length:
                self.close_connection = True
                return
            if not ours:
                self.answer_reader()
            elif crowded:
                time.sleep(0.02)
                self.refuse(500, 'InternalError')
            else:
                self.answer_by_habit()
        finally:
            with self.server.lock:
                bucket.under_way -= ours
                if ours:
                    bucket.log.append((self.operation, self.status, len(self.body)))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def answer_reader(self):
        """The judge: no habits, and what is there."""
        if self.operation == 'list':
            self.reply(200, '\n'.join(f'{len(o.content)} {key}' for key, o in sorted(self.bucket.objects.items())))
        elif self.operation == 'list_uploads':
            self.reply(200, '\n'.join(f'{upload_id} {upload.key}' for upload_id, upload in self.bucket.uploads.items()))
        elif self.key in self.bucket.objects:
            self.reply(200, self.bucket.objects[self.key].content)
        else:
            self.reply(404)

    def answer_by_habit(self):
        habits, bucket = self.bucket.habits, self.bucket
        scope = self.headers.get('Authorization', '')
        if habits.tls_port:
            self.close_connection = True
            self.reply(400, '<html><body><center>The plain HTTP request was sent to HTTPS port</center></body></html>\r\n',
                       (('Server', 'nginx'), ('Content-Type', 'text/html'), ('Connection', 'close')))
            return
        if habits.fails_from and len(bucket.log) + 1 >= habits.fails_from:
            self.refuse(503, 'ServiceUnavailable')
            return
        if habits.region and f'/{habits.region}/' not in scope:
            self.refuse(301, 'PermanentRedirect', f'<Region>{habits.region}</Region>', (('x-amz-bucket-region', habits.region),))
            return
        if habits.no_checksums and any(re.match('x-amz-(checksum|sdk-checksum|trailer|decoded)', name, re.I) for name in self.headers):
            self.refuse(501, 'NotImplemented')
            return
        if habits.content_md5_demanded and self.operation in ('part', 'put') and not self.headers.get('Content-MD5'):
            self.refuse(400, 'InvalidRequest')
            return
        if habits.sick_connection:
            if bucket.sick is None and self.operation == 'part':
                bucket.sick = self.connection
            if bucket.sick is self.connection:
                self.refuse(503, 'ServiceUnavailable')
                return
        if habits.retry_after_s and self.operation in ('part', 'put'):
            self.refuse(503, 'SlowDown', headers=(('Retry-After', str(habits.retry_after_s)),))
            return
        if self.operation in ('list_parts', 'list_uploads'):
            if habits.list_refused:
                self.refuse_operation(habits.list_refused)
                return
            if habits.list_fails:
                self.refuse(500, 'InternalError')
                return
        if self.operation == 'abort' and habits.abort_fails:
            self.refuse(500, 'InternalError')
            return
        if self.operation == 'abort' and habits.abort_refused:
            self.refuse_operation(habits.abort_refused)
            return
        if self.refuses_condition():
            return
        if habits.at_most:
            time.sleep(0.05)
        getattr(self, self.operation, self.other)()

    def refuses_condition(self):
        """AWS answers 412 or, while another write to the key is under way, 409; others do not know the header."""
        habits, status = self.bucket.habits, 0
        if self.headers.get('If-None-Match') == '*' and self.key:
            status = {'put': habits.if_none_match or habits.if_none_match_of_put, 'complete': habits.if_none_match}.get(self.operation, 0)
        if status == 501 or status and self.key in self.bucket.objects:
            self.refuse(status, {412: 'PreconditionFailed', 409: 'ConditionalRequestConflict'}.get(status, 'NotImplemented'))
            return True
        return False

    def other(self):
        self.refuse(501, 'NotImplemented')

    def etag_of(self, digest):
        habits = self.bucket.habits
        return f'"{secrets.token_hex(16)}"' if habits.kms_etags else f'"{secrets.token_urlsafe(20)}"' if habits.opaque_etags else f'"{digest}"'

    def metadata(self):
        return [(n, v) for n, v in self.headers.items() if n.lower().startswith('x-amz-meta-') or n.lower() == 'content-type']

    def head(self):
        habits = self.bucket.habits
        if not self.key:
            self.reply(200)
            return
        found = self.bucket.objects.get(self.key)
        if habits.taken_after_heads:
            habits.taken_after_heads -= 1
            if not habits.taken_after_heads:
                self.bucket.objects[self.key] = Object(b'another one', [], '"00"')
        if not found or time.monotonic() < found.at + habits.head_late_s:
            self.reply(404)
            return
        etag = f'"{secrets.token_hex(16)}"' if habits.head_etag_differs else found.etag
        metadata = [] if habits.no_metadata else found.metadata
        self.reply(200, b'', (('Content-Length', str(len(found.content) + (28 if habits.other_size else 0))), ('ETag', etag),
                              *metadata))

    def get(self):
        found = self.bucket.objects.get(self.key)
        time.sleep(self.bucket.habits.latency_ms / 1000)
        asked = re.fullmatch(r'bytes=(\d+)-(\d+)', self.headers.get('Range') or '')
        if not found:
            self.refuse(404, 'NoSuchKey')
        elif asked and int(asked[1]) < len(found.content):
            content = found.content[int(asked[1]):int(asked[2]) + 1]
            self.reply(206, content, (('ETag', found.etag), *found.metadata,
                                      ('Content-Range', f'bytes {asked[1]}-{int(asked[1]) + len(content) - 1}/{len(found.content)}')))
        else:
            self.reply(200, found.content, (('ETag', found.etag), *found.metadata))

    def put(self):
        if not self.key:
            self.reply(200)
            return
        etag = self.etag_of(hashlib.md5(self.body).hexdigest())
        self.bucket.objects[self.key] = Object(self.body, self.metadata(), etag)
        self.reply(200, b'', (('ETag', etag),))

    def delete(self):
        self.bucket.objects.pop(self.key, None)
        self.reply(204)

    def create(self):
        upload_id = secrets.token_hex(12)
        self.bucket.uploads[upload_id] = Upload(self.key, self.metadata())
        if self.bucket.habits.create_reply_lost > 0:
            self.bucket.habits.create_reply_lost -= 1
            self.reset()
            return
        self.reply(200, f'<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>{html.escape(self.key)}</Key>'
                        f'<UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>')

    def upload(self):
        found = self.bucket.uploads.get(self.query['uploadId'][0])
        if not found:
            self.refuse(404, 'NoSuchUpload')
        return found

    def part(self):
        upload, habits = self.upload(), self.bucket.habits
        if upload and habits.parts_until_503 and next(upload.requests) >= habits.parts_until_503:
            self.refuse(503, 'SlowDown')
        elif upload and self.headers.get('x-amz-copy-source'):
            self.copy(upload)
        elif upload:
            etag = self.etag_of(hashlib.md5(self.body).hexdigest())
            upload.parts[int(self.query['partNumber'][0])] = (self.body, etag)
            self.reply(200, b'', (('ETag', etag),))

    def copy(self, upload):
        source = self.bucket.objects.get(urllib.parse.unquote(self.headers['x-amz-copy-source']).split('/', 2)[-1])
        begin, end = re.fullmatch(r'bytes=(\d+)-(\d+)', self.headers['x-amz-copy-source-range']).groups()
        if self.bucket.habits.no_copy:
            self.refuse(501, 'NotImplemented')
        elif not source or int(end) >= len(source.content):
            self.refuse(404 if not source else 416, 'NoSuchKey' if not source else 'InvalidRange')
        else:
            content = source.content[int(begin):int(end) + 1]
            etag = self.etag_of(hashlib.md5(content).hexdigest())
            upload.parts[int(self.query['partNumber'][0])] = (content, etag)
            self.reply(200, f'<CopyPartResult><ETag>{html.escape(etag)}</ETag></CopyPartResult>')

    def page_of(self, entries):
        """The entries of one page, and whether there are more."""
        page = self.bucket.habits.page or 1000
        return entries[:page], len(entries) > page

    def time_of(self, upload):
        at = time.gmtime(upload.began - 3600 * self.bucket.habits.hours_ago)
        return time.strftime('%Y-%m-%dT%H:%M:%S.000Z', at)

    def list_parts(self):
        upload = self.upload()
        if upload:
            after = 0 if self.bucket.habits.list_stands else int(self.query.get('part-number-marker', ['0'])[0] or 0)
            entries, more = self.page_of([one for one in sorted(upload.parts.items()) if one[0] > after])
            parts = ''.join(f'<Part><PartNumber>{n}</PartNumber><LastModified>{self.time_of(upload)}</LastModified>'
                            f'<ETag>{html.escape(etag)}</ETag><Size>{len(body)}</Size></Part>' for n, (body, etag) in entries)
            more = more or self.bucket.habits.list_stands
            next_marker = f'<NextPartNumberMarker>{entries[-1][0]}</NextPartNumberMarker>' if more else ''
            self.reply(200, f'<ListPartsResult><IsTruncated>{str(more).lower()}</IsTruncated>{next_marker}{parts}</ListPartsResult>')

    def list_uploads(self):
        prefix, key, upload_id = (self.query.get(name, [''])[0] for name in ('prefix', 'key-marker', 'upload-id-marker'))
        entries, more = self.page_of(sorted((u.key, i, u) for i, u in self.bucket.uploads.items()
                                            if u.key.startswith(prefix) and (u.key, i) > (key, upload_id or '~')))
        uploads = ''.join(f'<Upload><Key>{html.escape(k)}</Key><UploadId>{i}</UploadId><Initiated>{self.time_of(u)}</Initiated></Upload>'
                          for k, i, u in entries)
        markers = (f'<NextKeyMarker>{html.escape(entries[-1][0])}</NextKeyMarker><NextUploadIdMarker>{entries[-1][1]}</NextUploadIdMarker>'
                   if more else '')
        self.reply(200, f'<ListMultipartUploadsResult><IsTruncated>{str(more).lower()}</IsTruncated>{markers}{uploads}'
                        '</ListMultipartUploadsResult>')

    def list(self):
        prefix = self.query.get('prefix', [''])[0]
        keys = ''.join(f'<Contents><Key>{html.escape(k)}</Key><Size>{len(o.content)}</Size></Contents>'
                       for k, o in sorted(self.bucket.objects.items()) if k.startswith(prefix))
        self.reply(200, f'<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>')

    def abort(self):
        if self.upload():
            self.bucket.uploads.pop(self.query['uploadId'][0], None)
            self.reply(204)

    def complete(self):
        habits, upload = self.bucket.habits, self.upload()
        if not upload:
            return
        named = [(int(n), html.unescape(e)) for n, e in
                 re.findall(r'<PartNumber>(\d+)</PartNumber>\s*<ETag>([^<]*)</ETag>', self.body.decode())]
        parts = [upload.parts.get(n, (b'', None)) for n, _ in named]
        sizes = [len(body) for body, _ in parts[:-1]]
        if habits.complete_invalid_part > 0:
            habits.complete_invalid_part -= 1
            self.refuse(400, 'InvalidPart')
        elif not named or not habits.takes_subset and sorted(upload.parts) != [n for n, _ in named] or \
                any(etag is None or etag.strip('"') != e.strip('"') for (_, etag), (_, e) in zip(parts, named)):
            self.refuse(400, 'InvalidPart')
        elif any(size < 5 * MIB for size in sizes):
            self.refuse(400, 'EntityTooSmall')
        elif habits.equal_parts and (len(set(sizes)) > 1 or (sizes and len(parts[-1][0]) > sizes[0])):
            self.refuse(400, 'InvalidPart')
        else:
            self.store(upload, parts)

    def store(self, upload, parts):
        habits = self.bucket.habits
        digest = hashlib.md5(b''.join(hashlib.md5(body).digest() for body, _ in parts)).hexdigest()
        etag = self.etag_of(f'{digest}-{len(parts)}')

        def done():
            self.bucket.objects[upload.key] = Object(b''.join(body for body, _ in parts), upload.metadata, etag)
            self.bucket.uploads.pop(self.query['uploadId'][0], None)

        result = (f'<CompleteMultipartUploadResult><Key>{html.escape(upload.key)}</Key><ETag>{html.escape(etag)}</ETag>'
                  '</CompleteMultipartUploadResult>')
        if habits.complete_504_then_done:
            habits.complete_504_then_done = False
            threading.Timer(1.5, done).start()
            self.refuse(504, 'GatewayTimeout')
        elif habits.complete_spaces_s:
            self.status = 200
            self.send_response(200)
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            end = time.monotonic() + habits.complete_spaces_s
            while time.monotonic() < end:
                self.wfile.write(b'1\r\n \r\n')
                self.wfile.flush()
                time.sleep(0.3)
            done()
            self.wfile.write(f'{len(result):x}\r\n{result}\r\n0\r\n\r\n'.encode())
            self.wfile.flush()
        else:
            time.sleep(habits.complete_silence_s)
            done()
            self.reply(200, result)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address='127.0.0.1', port=0, habits=()):
        super().__init__((address, port), Handler)
        self.lock = threading.Lock()
        self.buckets = {}
        self.habit_names = habits

    @property
    def url(self):
        return 'http://%s:%d' % self.server_address

    def bucket(self, name):
        with self.lock:
            if name not in self.buckets:
                self.buckets[name] = Bucket(Habits(self.habit_names))
            return self.buckets[name]

    def forget(self, name):
        with self.lock:
            self.buckets.pop(name, None)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--address', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--habit', action='append', default=[])
    arguments = parser.parse_args()
    server = Server(arguments.address, arguments.port, arguments.habit)
    print(f'port={server.server_address[1]}', flush=True)
    server.serve_forever()


if __name__ == '__main__':
    main()
