"""An agent of the standard library alone, which does what a test asks for."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if os.environ.get("BROKEN"):
    raise RuntimeError("this agent is broken")

state = {"healthy": True, "running": 0, "draining": False}
lock = threading.Lock()
began = time.monotonic()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            self.answer(200 if state["healthy"] else 500, {})
        elif self.path == "/ready":
            # What a load balancer asks, which may take longer to be content.
            late = time.monotonic() - began > float(os.environ.get("READY_AFTER", "0"))
            self.answer(200 if state["healthy"] and late else 500, {})
        elif self.path == "/environment":
            self.answer(200, {"environment": dict(os.environ), "pid": os.getpid(), "folder": os.getcwd()})
        elif self.path == "/sick":
            state["healthy"] = False
            self.answer(200, {})
        elif self.path == "/crash":
            print("about to crash", flush=True)
            os._exit(3)
        else:
            self.answer(404, {})

    def do_POST(self):
        with lock:
            state["running"] += 1
        try:
            if state["draining"]:
                return self.answer(503, {"error": "draining"})
            self.rfile.read(int(self.headers.get("content-length", 0)))
            time.sleep(float(os.environ.get("DELAY", "0")))
            self.answer(200, {"revision": os.environ.get("REVISION"), "host": os.environ["HOST"]})
        finally:
            with lock:
                state["running"] -= 1


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A caller that has left is no news."""


def stop(*_):
    if os.environ.get("IGNORE_TERM"):
        print("ignored SIGTERM", flush=True)
        return
    state["draining"] = True

    def leave():
        # As a real one does, it refuses calls for a while before it goes.
        time.sleep(float(os.environ.get("LINGER", "0")))
        while state["running"]:
            time.sleep(0.01)
        print("drained", flush=True)
        os._exit(0)

    threading.Thread(target=leave).start()


signal.signal(signal.SIGTERM, stop)
server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
print(json.dumps({"event": "ready", "arguments": sys.argv[1:]}), flush=True)
server.serve_forever()
