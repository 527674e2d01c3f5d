"""A bucket of S3 over HTTP: just what sessions need of it, conditional writes included."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class S3(ThreadingHTTPServer):
    """Objects by path. `failing` makes every answer a refusal, as with a role that may not."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Requests)
        self.objects = {}
        self.failing = False
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        self.environment = {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.server_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def close(self):
        self.shutdown()
        self.server_close()


class Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with self.server.lock:
            data = self.server.objects.get(self.path.partition("?")[0])
        if self.server.failing:
            self.refuse(403, "AccessDenied")
        elif data is None:
            self.refuse(404, "NoSuchKey")
        else:
            self.answer(200, data, tag(data))

    def do_PUT(self):
        body = self.body()
        path = self.path.partition("?")[0]
        with self.server.lock:
            here = self.server.objects.get(path)
            if self.server.failing:
                self.refuse(403, "AccessDenied")
            elif self.allowed(here):
                self.server.objects[path] = body
                self.answer(200, b"", tag(body))
            else:
                self.refuse(412, "PreconditionFailed")

    def allowed(self, here):
        wanted = self.headers.get("If-Match")
        if self.headers.get("If-None-Match") == "*":
            return here is None
        return wanted is None or (here is not None and wanted == tag(here))

    def body(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return data
        size, _, rest = data.partition(b"\r\n")
        return rest[: int(size.split(b";")[0], 16)]

    def refuse(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(), None)

    def answer(self, status, data, etag):
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Says nothing."""


def tag(data):
    return f'"{hashlib.md5(data).hexdigest()}"'
