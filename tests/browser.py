# SPDX-License-Identifier: MIT
"""A headless Chromium, driven by the DevTools protocol over a pipe.

In: a page's path. Out: what scripts in it return, what went wrong in it, what
it asked the network for. Standard library only. A program that imports this
where no Chromium is exits 77, which ctest reports as skipped by name;
with TTSW_NEED_BROWSER=1 that is a failure."""
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT = 120  # seconds for one answer; a browser that hangs must not hang the tests


def find():
    path = next((p for p in map(shutil.which, NAMES) if p), None)
    if path is None:
        if os.environ.get("TTSW_NEED_BROWSER") == "1":
            sys.exit("no Chromium: `tests/install.sh browser` installs it")
        print("skipped: no Chromium; `tests/install.sh browser` installs it")
        sys.exit(77)
    return path


class Browser:
    """One page at a time. `wrong` collects console errors, exceptions, dialogs
    and refusals of the page's policy; `asked` collects URLs."""

    def __init__(self):
        self.home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()

        def fds():
            os.dup2(to_read, 63)
            os.dup2(to_write, 64)
            os.dup2(63, 3)
            os.dup2(64, 4)

        self.process = subprocess.Popen(
            [find(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars",
             f"--user-data-dir={self.home.name}", "--remote-debugging-pipe"],
            preexec_fn=fds, close_fds=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.number, self.session = b"", 0, None
        self.wrong, self.asked, self.loaded = [], [], False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(20)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.back)
        self.home.cleanup()

    # --- the protocol ---

    def message(self):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.back], [], [], WAIT)
            data = os.read(self.back, 1 << 20) if ready else b""
            if not data:
                raise RuntimeError("the browser does not answer")
            self.buffer += data
        one, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(one)

    def event(self, method, p):
        if method == "Runtime.exceptionThrown":
            self.wrong.append(json.dumps(p["exceptionDetails"])[:2000])
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.wrong.append(json.dumps(p["args"])[:2000])
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.wrong.append(p["entry"]["text"])
        elif method == "Page.javascriptDialogOpening":
            self.wrong.append("dialog: " + p["message"])
        elif method == "Network.requestWillBeSent":
            self.asked.append(p["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded = True

    def call(self, method, **params):
        self.number += 1
        data = {"id": self.number, "method": method, "params": params}
        if self.session:
            data["sessionId"] = self.session
        view = memoryview(json.dumps(data).encode() + b"\0")
        while view:
            view = view[os.write(self.to, view):]
        while True:
            m = self.message()
            if "method" in m:
                self.event(m["method"], m["params"])
            elif m.get("id") == self.number:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]

    # --- what a person does ---

    def size(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, path, fragment=""):
        self.wrong, self.asked, self.loaded = [], [], False
        self.call("Page.navigate", url="about:blank")
        while not self.loaded:
            m = self.message()
            self.event(m.get("method"), m.get("params"))
        self.wrong, self.asked, self.loaded = [], [], False
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri() + fragment)
        while not self.loaded:
            m = self.message()
            self.event(m.get("method"), m.get("params"))

    def run(self, script):
        """The value of an expression in the page."""
        r = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                      awaitPromise=True)
        if "exceptionDetails" in r:
            raise RuntimeError(json.dumps(r["exceptionDetails"])[:2000])
        return r["result"].get("value")

    def click(self, element):
        """`element` is an expression; the mouse goes where it is shown."""
        x, y = self.run(f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}});"
                        "const r = e.getBoundingClientRect();"
                        "return [r.x + Math.min(r.width, 40) / 2, r.y + r.height / 2]; })()")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left",
                      clickCount=1)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, name):
        """Presses and releases one: a character, or `Enter`, `Tab`, `Escape`, `Backspace`."""
        codes = {"Enter": 13, "Tab": 9, "Escape": 27, "Backspace": 8}
        p = {"key": name, "code": name, "windowsVirtualKeyCode": codes[name]} \
            if name in codes else {"key": name}
        text = {"Enter": "\r"}.get(name, "" if name in codes else name)
        self.call("Input.dispatchKeyEvent", type="keyDown", **p, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **p)

    def shot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
