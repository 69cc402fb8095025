# SPDX-License-Identifier: MIT
"""One of the bench's workers, as the driver sees it.

In: requests. Out: replies; a worker that dies or does not answer in time gives
{"error": ...} and is started anew for the next request. Only processes that are
started here are ended here."""
import json
import os
import select
import subprocess
import time


def as_line(request):
    return "\t".join([request["command"]] + [
        f"{k}={v}" for k, v in request.items() if k != "command"])


class Worker:
    def __init__(self, argv, encode, patience=120, until=None):
        """`patience`: seconds for a reply, fewer where `until`, seconds since
        1970, is nearer, so that a worker that hangs costs no run its results."""
        self.argv, self.encode, self.patience = argv, encode, patience
        self.until = until
        self.process, self.rest = None, b""

    def start(self):
        self.rest = b""
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def stop(self):
        if self.process is None:
            return None
        self.process.stdin.close()
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        self.process = None
        return code

    def died(self, why):
        self.process.kill()
        code = self.stop()
        return {"error": f"the worker {why} (exit {code})"}

    def line(self):
        """The next line, or None: the worker has ended or takes too long."""
        patience = self.patience
        if self.until is not None:
            patience = min(patience, max(1, self.until - time.time()))
        end = time.monotonic() + patience
        out = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                return None
            more = os.read(out, 1 << 16)
            if not more:
                return None
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def ask(self, **request):
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write((self.encode(request) + "\n").encode())
            self.process.stdin.flush()
        except OSError:
            return self.died("has ended")
        line = self.line()
        if line is None:
            return self.died(f"gave no answer to {request['command']}")
        try:
            return json.loads(line)
        except ValueError:
            return self.died(f"said {line[:80]!r}")


def bench_worker(argv, until=None):
    return Worker(argv, as_line, until=until)


def peer_worker(argv, until=None):
    return Worker(argv, json.dumps, until=until)
