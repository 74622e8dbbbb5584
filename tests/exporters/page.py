"""Drives an exported lineage.html in headless Chromium, over its debugging pipe (no package needed).

    page.py BROWSER FILE [SCREENSHOT.png]

Each case_* gets a fresh page; what it looks at is the page's own state and what the panes say.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time


class Page:
    def __init__(self, browser, profile):
        to_r, self.to = os.pipe()
        self.answers, from_w = os.pipe()
        # The browser reads commands on descriptor 3 and writes answers on 4.
        to_3, from_4 = os.dup(to_r), os.dup(from_w)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--disable-extensions", "--user-data-dir=" + profile,
                 "--window-size=1400,800", "--remote-debugging-pipe", "about:blank"]
        shell = ["sh", "-c", 'exec 3<&%d 4>&%d; exec "$@"' % (to_3, from_4), "sh", browser] + flags
        self.process = subprocess.Popen(shell, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                        pass_fds=(to_3, from_4))
        for fd in (to_r, from_w, to_3, from_4):
            os.close(fd)
        self.buffer, self.n, self.session, self.errors = b"", 0, None, []
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Log.enable")

    def read(self):
        while b"\0" not in self.buffer:
            chunk = os.read(self.answers, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser is gone")
            self.buffer += chunk
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(message["params"]["exceptionDetails"]["exception"].get("description", "exception"))
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.errors.append(message["params"]["entry"]["text"])
        return message

    def call(self, method, **params):
        self.n += 1
        message = {"id": self.n, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.n:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]["message"]))
                return answer["result"]

    def open(self, url):
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        deadline = time.time() + 20
        while time.time() < deadline:
            if self.js("document.readyState") == "complete" and self.js("typeof view") != "undefined" and self.js("view !== null"):
                return
            time.sleep(0.05)
        raise RuntimeError("the page did not load: %s" % self.errors)

    def js(self, text):
        result = self.call("Runtime.evaluate", expression=text, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError("%s: %s" % (text, result["exceptionDetails"]))
        return result["result"].get("value")

    def key(self, key, **more):
        text = key if len(key) == 1 else "\r" if key == "Enter" else ""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    def type(self, text):
        for c in text:
            self.key(c)

    def click(self, x, y, count=1):
        for k in range(1, count + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=k)

    def settle(self):
        self.js("new Promise(r => setTimeout(r, 350))")

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


def same(what, got, want):
    assert got == want, "%s: %r, not %r" % (what, got, want)


def shown(p):
    return p.js("view.list.map(i => nodes[i].label).sort()")


def where(p, label):
    """The middle of a node on the page."""
    return p.js("""(() => { const i = nodes.findIndex(n => n.label === %s), k = view.place.get(i), r = canvas.getBoundingClientRect();
        return [r.left + cam.x + (view.x[k] + view.widths[k] / 2) * cam.k, r.top + cam.y + (view.y[k] + BOX / 2) * cam.k]; })()""" % json.dumps(label))


def case_starts_without_tests_and_fits(p):
    labels = shown(p)
    assert "customers" in labels and "raw_orders" in labels and "web.visits" in labels, labels
    assert not [k for k in p.js("view.list.map(i => nodes[i].kind)") if "test" in k]
    same("all in sight", p.js("""view.list.every((_, k) => { const [w, h] = stageSize();
        return cam.x + view.x[k] * cam.k >= 0 && cam.x + (view.x[k] + view.widths[k]) * cam.k <= w &&
          cam.y + view.y[k] * cam.k >= 0 && cam.y + (view.y[k] + BOX) * cam.k <= h; })"""), True)


def case_boxes_do_not_overlap(p):
    p.key("t")
    same("overlaps", p.js("""view.list.filter((_, a) => view.list.some((_, b) => a < b && view.x[a] < view.x[b] + view.widths[b] &&
        view.x[b] < view.x[a] + view.widths[a] && Math.abs(view.y[a] - view.y[b]) < BOX - 0.01)).length"""), 0)


def case_search_goes_to_a_node(p):
    p.key("/")
    p.type("stg_cust")
    same("hits", p.js("hits[0].label"), "stg_customers")
    p.key("Enter")
    p.settle()
    same("title", p.js("document.querySelector('#details h2').textContent"), "stg_customers")
    same("the list is closed", p.js("$('hits').hidden"), True)
    same("address", p.js("location.hash").startswith("#node=model.shop.stg_customers"), True)


def case_search_finds_columns_and_tags(p):
    assert p.js("(search('customer_id'), hits.length)") > 0
    assert p.js("(search('no such thing at all'), hits.length)") == 0


def case_a_click_selects_and_marks_the_lineage(p):
    x, y = where(p, "customers")
    p.click(x, y)
    same("selected", p.js("nodes[state.selected].label"), "customers")
    near = p.js("[...near].map(i => nodes[i].label)")
    assert "stg_customers" in near and "raw_customers" in near and "web.visits" not in near, near
    pane = p.js("$('details').innerText")
    for text in ("customers", "READS", "COLUMNS", "SQL", "TESTS"):
        assert text.lower() in pane.lower(), "%s is not in the pane: %s" % (text, pane[:400])
    p.key("Escape")
    same("deselected", p.js("state.selected"), -1)
    same("pane", p.js("$('details').hidden"), True)


def case_the_pane_does_not_hide_what_it_tells_of(p):
    p.js("zoomAt(0, 0, 1.5)")
    last = p.js("nodes[view.list[view.x.indexOf(Math.max(...view.x))]].label")
    p.js("[cam.x, cam.y] = [stageSize()[0] - 40 - Math.max(...view.x) * cam.k, cam.y]")
    p.js("select(nodes.findIndex(n => n.label === %s))" % json.dumps(last))
    p.settle()
    x, _ = where(p, last)
    assert x < p.js("$('details').getBoundingClientRect().left"), x


def case_focus_shows_neighbours_by_steps(p):
    p.js("select(nodes.findIndex(n => n.label === 'stg_customers'))")
    p.js("state.up = 1; state.down = 1")
    p.key("f")
    labels = shown(p)
    assert "raw_customers" in labels and "customers" in labels and "visitors" not in labels, labels
    p.key("]")
    assert "visitors" in shown(p), shown(p)
    p.key("}")
    assert "visitors" not in shown(p)
    same("bar", p.js("$('focusbar').hidden"), False)
    p.key("Escape")
    assert len(shown(p)) > len(labels)
    same("bar", p.js("$('focusbar').hidden"), True)


def case_a_double_click_focuses(p):
    x, y = where(p, "stg_orders")
    p.click(x, y, 2)
    same("focus", p.js("state.focus >= 0 && nodes[state.focus].label"), "stg_orders")


def case_arrows_walk_along_edges(p):
    p.js("select(nodes.findIndex(n => n.label === 'raw_customers'))")
    p.key("ArrowRight")
    same("right", p.js("nodes[state.selected].label"), "stg_customers")
    p.key("ArrowLeft")
    same("left", p.js("nodes[state.selected].label"), "raw_customers")
    p.key("ArrowDown")
    assert p.js("nodes[state.selected].label") != "raw_customers"


def case_tests_and_critical_path_toggle(p):
    before = len(shown(p))
    p.js("$('tests').click()")
    assert len(shown(p)) > before
    same("pressed", p.js("$('tests').getAttribute('aria-pressed')"), "true")
    p.key("t")
    same("back", len(shown(p)), before)
    p.key("c")
    same("critical", p.js("state.critical"), True)
    assert p.js("view.critical.filter(Boolean).length") > 1


def case_filters_by_folder_tag_and_kind(p):
    p.js("$('folder').value = 'models/staging'; $('folder').onchange({target: $('folder')})")
    assert shown(p) and all(l.startswith("stg_") for l in shown(p)), shown(p)
    p.js("$('folder').value = ''; $('folder').onchange({target: $('folder')})")
    p.js("[...$('kinds').querySelectorAll('input')].filter(b => b.value === 'model').forEach(b => b.click())")
    assert not [k for k in p.js("view.list.map(i => nodes[i].kind)") if k == "model"]
    # Where models are hidden, seeds still lead to the exposures behind them.
    assert p.js("view.through.some(Boolean)")


def case_colours_by_status_and_time(p):
    p.js("$('colour').value = 'status'; $('colour').onchange({target: $('colour')})")
    legend = p.js("$('legend').textContent")
    assert "succeeded" in legend and "failed" in legend, legend
    p.js("$('colour').value = 'time'; $('colour').onchange({target: $('colour')})")
    assert "up to" in p.js("$('legend').textContent")


def case_a_link_shows_the_same(p):
    url = p.js("location.href.split('#')[0]")
    p.open(url + "#focus=model.shop.customers&up=1&down=0&colour=folder&tests=1")
    same("focus", p.js("nodes[state.focus].label"), "customers")
    assert "visitors" not in shown(p)
    same("colour", p.js("state.colour"), "folder")


def case_nothing_comes_from_outside(p):
    text = p.js("document.documentElement.outerHTML")
    for bad in ("http://", "https://", "@import", "url("):
        assert bad not in text.replace("http://www.w3.org", ""), bad


def case_dark_and_light(p):
    was = p.js("theme.page")
    p.js("$('theme').click()")
    assert p.js("theme.page") != was
    assert p.js("getComputedStyle(document.body).backgroundColor") != ""


def main():
    browser, path = sys.argv[1], os.path.abspath(sys.argv[2])
    failed = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        p = Page(browser, profile)
        try:
            for name, case in [c for c in globals().items() if c[0].startswith("case_")]:
                p.open("file://" + path)
                p.errors.clear()
                try:
                    case(p)
                    assert not p.errors, p.errors
                    print("[       OK ] %s" % name)
                except (AssertionError, RuntimeError) as e:
                    failed += 1
                    print("[  FAILED  ] %s\n%s" % (name, e))
            if len(sys.argv) > 3:
                p.open("file://" + path)
                p.screenshot(sys.argv[3])
        finally:
            p.process.terminate()
            p.process.wait(20)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
