"""Serves git repositories by https as hosts do: git's own http-backend behind a token, which stands in a file."""

import base64
import http.server
import os
import ssl
import subprocess
import sys

PORT, ROOT, HOME, BACKEND = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


class Host(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with open(HOME + "/requests", "a") as requests:
            requests.write(f"{self.command} {self.path}\n")
        if path.startswith("/moved/"):
            return self.answer(301, [("Location", f"https://elsewhere.example.com{path}?secret=1")])
        scheme, _, given = (self.headers.get("authorization") or "").partition(" ")
        user, _, token = base64.b64decode(given).decode().partition(":")
        with open(HOME + "/token") as file:
            if scheme != "Basic" or token != file.read():
                return self.answer(401, [("WWW-Authenticate", "Basic")])
        variables = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": ROOT,
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROTOCOL": self.headers.get("git-protocol") or "",
            "REMOTE_USER": user,
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("content-type") or "",
            "CONTENT_LENGTH": str(len(body)),
        }
        output = subprocess.run([BACKEND], input=body, env=variables, stdout=subprocess.PIPE).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        self.answer(int(status.split()[0]), [pair for pair in headers if pair[0] != "Status"], body)

    do_GET = do_POST = serve

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Host)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(HOME + "/certificate.pem", HOME + "/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
