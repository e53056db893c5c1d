"""A real Chromium without a window, over its own pipe: what it lays out, asks for and shows."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time


class Chromium:
    """A browser with one page, for a ``with`` statement.

    It speaks the DevTools protocol (https://chromedevtools.github.io/devtools-protocol) by file descriptors 3 and 4.
    """

    allowed: str | tuple[str, ...] = ""
    """Where requests may go to: how their addresses begin."""

    made: dict[str, tuple[str, str]]
    """Address -> (content type, text): answered here, as if by the server there."""

    NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

    @classmethod
    def found(cls):
        """Return where a browser is, or None."""
        return next(filter(None, map(shutil.which, cls.NAMES)), None)

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="loghub-chromium-")
        theirs_in, self.to = os.pipe()
        self.answers, theirs_out = os.pipe()
        command = [
            self.found(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={self.folder}", "about:blank",
        ]  # fmt: skip
        # The shell puts the pipes where the browser looks for them.
        script = f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$0" "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", script, *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.requests = []
        self.made = {}
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in targets if each["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Network.enable")
        self.call("Fetch.enable", patterns=[{"urlPattern": "*"}])
        self.frame = self.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.answers)
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, method, **params):
        """Ask for one thing and return the answer; the requests that the page makes meanwhile are noted and denied."""
        self.number += 1
        number = self.number
        self._send(number, method, params)
        while True:
            said = self._read()
            if said.get("method") == "Fetch.requestPaused":
                self._answer(said["params"]["request"]["url"], said["params"]["requestId"])
            elif said.get("id") == number:
                assert "error" not in said, said["error"]
                return said["result"]

    def _answer(self, url, request):
        """Let a request of the page go where it may, and note and deny any other."""
        self.number += 1
        if url in self.made:
            kind, text = self.made[url]
            headers, body = [{"name": "Content-Type", "value": kind}], base64.b64encode(text.encode()).decode()
            answer = {"requestId": request, "responseCode": 200, "responseHeaders": headers, "body": body}
            self._send(self.number, "Fetch.fulfillRequest", answer)
        elif self.allowed and url.startswith(self.allowed):
            self._send(self.number, "Fetch.continueRequest", {"requestId": request})
        else:
            self.requests.append(url)
            self._send(self.number, "Fetch.failRequest", {"requestId": request, "errorReason": "AccessDenied"})

    def screen(self, width, *, dark=False, height=800):
        """Have a screen of so many CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def go(self, url):
        """Open a page, and wait until all that it asks for is there and drawn."""
        self.ask("window.left = true")
        assert "errorText" not in self.call("Page.navigate", url=url)
        deadline = time.monotonic() + 20
        while self.ask("window.left"):  # the old page may answer for a moment
            assert time.monotonic() < deadline, url
        self.settle()

    def settle(self):
        """Wait until the page that is shown, or that comes now, is there and drawn."""
        self.ask("new Promise(done => document.readyState == 'complete' ? done() : addEventListener('load', done))")
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def show(self, page, width, *, dark=False, height=800):
        """Lay out an HTML text on a screen of so many CSS pixels."""
        self.screen(width, dark=dark, height=height)
        self.call("Page.setDocumentContent", frameId=self.frame, html=page)
        # Two frames drawn: everything that the page asks for was asked for.
        drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
        self.ask(drawn)

    def ask(self, script):
        """Return what a script in the page comes to; promises are waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, path, most=4000):
        """Write a picture of the page."""
        height = min(most, self.ask("document.documentElement.scrollHeight"))
        width = self.ask("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def _send(self, number, method, params):
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")

    def _read(self):
        while b"\0" not in self.buffer:
            read = os.read(self.answers, 1 << 20)
            assert read, "the browser ended"
            self.buffer += read
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)
