"""key_giver - stands in for the platform that gives keys: an STS service, the endpoint of a container, the metadata
service of an instance, with their real answers. The keys are sessions of the real S3 server, by its AssumeRole.

    key_giver.py S3-ENDPOINT ACCESS-KEY SECRET-KEY LOG ANSWER TOKEN

Prints "port=N". Each request becomes a line in LOG: "token", "role", "keys" or "refused". The file ANSWER says how many
seconds keys are good for, or a status to answer, or "hang". TOKEN is the one that is to be shown.
"""
import http.server
import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse

endpoint, access_key, secret_key, log_path, answer_path, token = sys.argv[1:]
lock = threading.Lock()


def log(line):
    with lock, open(log_path, "a") as out:
        out.write(line + "\n")


def new_keys():
    form = ["-d", "Action=AssumeRole&Version=2011-06-15&DurationSeconds=900&RoleSessionName=e2e",
            "--data-urlencode", "RoleArn=arn:aws:iam:::role/recorder"]
    xml = subprocess.run(["curl", "-sS", "--fail", "--noproxy", "*", "--aws-sigv4", "aws:amz:us-east-1:sts", "--user",
                          access_key + ":" + secret_key, *form, endpoint + "/"], check=True,
                         capture_output=True, text=True).stdout
    return {name: re.search("<%s>([^<]*)<" % name, xml).group(1)
            for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}


class Giver(http.server.BaseHTTPRequestHandler):
    def reply(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self):
        log("refused")
        self.reply(401, "")

    def give(self, shape):
        with open(answer_path) as answer_file:
            answer = answer_file.read().strip()
        if answer == "hang":
            time.sleep(30)
            return
        if answer.startswith("status "):
            log(answer)
            self.reply(int(answer.split()[1]), "")
            return
        keys = new_keys()
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + int(answer)))
        log("keys")
        if shape == "xml":
            members = "".join("<%s>%s</%s>" % (name, value, name) for name, value in keys.items())
            self.reply(200, '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                       "<AssumeRoleWithWebIdentityResult><Credentials>%s<Expiration>%s</Expiration></Credentials>"
                       "<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser>"
                       "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>" % (members, expiration))
            return
        self.reply(200, json.dumps({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": keys["AccessKeyId"],
                                    "SecretAccessKey": keys["SecretAccessKey"], "Token": keys["SessionToken"],
                                    "Expiration": expiration}))

    def do_POST(self):  # STS
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if (form.get("WebIdentityToken") != [token] or form.get("Action") != ["AssumeRoleWithWebIdentity"] or
                form.get("RoleArn") != ["arn:aws:iam::1:role/recorder"] or "Authorization" in self.headers):
            self.refuse()
        else:
            self.give("xml")

    def do_PUT(self):  # instance metadata, version 2
        if self.path == "/latest/api/token" and self.headers.get("x-aws-ec2-metadata-token-ttl-seconds"):
            log("token")
            self.reply(200, token)
        else:
            self.refuse()

    def do_GET(self):
        if self.path.startswith("/latest/meta-data/iam/security-credentials/"):
            if self.headers.get("x-aws-ec2-metadata-token") != token:
                self.refuse()
            elif self.path.endswith("/"):
                log("role")
                self.reply(200, "recorder")
            else:
                self.give("json")
        elif self.path == "/v1/credentials" and self.headers.get("Authorization") == token:
            self.give("json")
        else:
            self.refuse()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Giver)
server.daemon_threads = True
print("port=%d" % server.server_port, flush=True)
server.serve_forever()
