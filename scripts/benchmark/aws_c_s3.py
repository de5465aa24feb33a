"""aws_c_s3 - brings files to a bucket with aws-c-s3, through its binding for Python (awscrt).

usage: python3 aws_c_s3.py URL BUCKET PREFIX CA-FILE|- FILE...

All files at once, with the library's own defaults. Credentials are in AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY. The URL has to be on the scheme's own port: the library knows no other.
"""

import os
import sys
from urllib.parse import urlsplit

from awscrt import auth, http, io, s3


def main(url, bucket, prefix, ca_file, *files):
    server = urlsplit(url)
    threads = io.EventLoopGroup()
    tls = None
    if server.scheme == "https":
        trust = io.TlsContextOptions()
        if ca_file != "-":
            trust.override_default_trust_store_from_path(ca_filepath=ca_file)
        tls = io.ClientTlsContext(trust).new_connection_options()
    client = s3.S3Client(
        bootstrap=io.ClientBootstrap(threads, io.DefaultHostResolver(threads)), region="us-east-1",
        credential_provider=auth.AwsCredentialsProvider.new_static(os.environ["AWS_ACCESS_KEY_ID"],
                                                                   os.environ["AWS_SECRET_ACCESS_KEY"]),
        tls_mode=s3.S3RequestTlsMode.ENABLED if tls else s3.S3RequestTlsMode.DISABLED, tls_connection_options=tls)
    uploads = []
    for file in files:
        headers = http.HttpHeaders([("Host", server.netloc), ("Content-Length", str(os.path.getsize(file))),
                                    ("Content-Type", "video/mp4")])
        request = http.HttpRequest("PUT", f"/{bucket}/{prefix}/{os.path.basename(file)}", headers, None)
        uploads.append(client.make_request(type=s3.S3RequestType.PUT_OBJECT, request=request, send_filepath=file))
    for upload in uploads:
        upload.finished_future.result()


main(*sys.argv[1:])
