"""webhook_receiver - a receiver for CONFOMEET_WEBHOOK_URL, written as docs/webhook.md says.

    webhook_receiver.py LOG ANSWER SECRET

Prints "port=N". Each request becomes a JSON line in LOG. The file ANSWER says what is answered: a
status, or "hang" for nothing at all.
"""
import hashlib
import hmac
import http.server
import json
import sys
import threading
import time

log_path, answer_path, secret = sys.argv[1:]
lock = threading.Lock()


def is_genuine(headers, body):
    timestamp = headers.get("X-Jibri-Timestamp", "")
    expected = "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    recent = timestamp.isdigit() and abs(time.time() - int(timestamp)) < 300
    return recent and hmac.compare_digest(expected, headers.get("X-Jibri-Signature", ""))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(answer_path) as answer_file:
            answer = answer_file.read().strip()
        with lock, open(log_path, "a") as log:
            log.write(json.dumps({"genuine": is_genuine(self.headers, body), "answer": answer,
                                  "key": self.headers.get("Idempotency-Key"),
                                  "type": self.headers.get("Content-Type"), "event": json.loads(body)}) + "\n")
        if answer == "hang":
            time.sleep(30)
            return
        self.send_response(int(answer))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.daemon_threads = True
print("port=%d" % server.server_port, flush=True)
server.serve_forever()
