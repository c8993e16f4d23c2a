# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser, driven over a pipe by the Chrome DevTools Protocol."""

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

_ANSWER_SECONDS = 30


class Chromium:
    """One headless browser with one tab.  What it complains about (console, CSP, failed requests) is kept in `complaints`."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # Chromium speaks the protocol on its descriptors 3 and 4 (--remote-debugging-pipe); the shell puts ours there.
        command = ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", "/usr/bin/chromium"]
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe"
        )
        self._process = subprocess.Popen(
            [*command, *flags.split(), f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._tab = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(_ANSWER_SECONDS)
        os.close(self._write)
        os.close(self._read)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command to the tab and return its answer."""
        return self._call(method, params, self._tab)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be a window of that many CSS pixels."""
        is_phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def speak(self, languages: str) -> None:
        """Ask for pages in these languages (an Accept-Language header)."""
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": languages})

    def open(self, url: str) -> None:
        """Load a page to its end."""
        self._events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for_load()

    def click(self, selector: str) -> None:
        """Click the first element of that CSS selector, and wait for the page it leads to."""
        self._events.clear()
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")
        self.wait_for_load()

    def wait_for_load(self) -> None:
        """Wait until the page that is on its way has loaded."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._take(deadline)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression (a promise is awaited)."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Write the whole page, also what lies below the window, as a PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _call(self, method: str, params: dict[str, Any], tab: str | None = None) -> dict[str, Any]:
        self._number += 1
        wanted = self._number
        message = {"id": wanted, "method": method, "params": params} | ({"sessionId": tab} if tab else {})
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            answer = self._take(deadline)
            if answer.get("id") == wanted:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _take(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            chunk = os.read(self._read, 1 << 16)
            assert chunk, "the browser is gone"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._events.append(message)
            self._note(message["method"], message["params"])
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if (
            method == "Runtime.consoleAPICalled"
            or method == "Runtime.exceptionThrown"
            or (method == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"))
            or (method == "Audits.issueAdded" and params["issue"]["code"] == "ContentSecurityPolicyIssue")
        ):
            self.complaints.append(f"{method}: {json.dumps(params)}")
