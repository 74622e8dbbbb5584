"""on_failure, on_success and on_recovery, against a real web server of our own: what is sent, to whom, and
that a server that hangs, refuses, is not there or shows a wrong certificate costs a warning and no more."""
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from harness import HEDDLE, Run, cases, clean_env, write

SECRET = "T0KEN-in-the-path"


class Server(http.server.ThreadingHTTPServer):
    """Keeps what was posted. Paths: /hang, /500, /redirect, else 200."""

    daemon_threads = True

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts = []
        self.scheme = "http"
        self.over = threading.Event()
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate + ".pem", certificate + ".key")
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass                                   # a client that breaks off a handshake

    def url(self, path):
        return "%s://localhost:%d%s" % (self.scheme, self.server_address[1], path)

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, dict(self.headers), json.loads(body)))
        if self.path.startswith("/hang"):
            self.server.over.wait(30)
            return
        code = 500 if self.path.startswith("/500") else 302 if self.path.startswith("/redirect") else 200
        self.send_response(code)
        if code == 302:
            self.send_header("Location", self.server.url("/elsewhere"))
        self.end_headers()
        self.wfile.write(b"no_service <b>\x1b[31m" if code == 500 else b"ok")

    def log_message(self, *_):
        pass


class Shop:
    """Three models, one after the other, each a command: `fail` decides how they end."""

    def __init__(self, config):
        self.dir = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
        owners = {"a": {}, "b": {"owner": "ann@shop"}, "c": {}}
        nodes = {}
        for name, before in (("a", []), ("b", ["a"]), ("c", ["b"])):
            nodes["model.shop." + name] = {
                "resource_type": "model", "unique_id": "model.shop." + name, "name": name, "package_name": "shop",
                "fqn": ["shop", name], "path": name + ".sql", "original_file_path": "models/%s.sql" % name, "tags": [],
                "config": {"materialized": "view", "enabled": True, "meta": owners[name],
                           "group": "finance" if name == "c" else None},
                "depends_on": {"nodes": ["model.shop." + p for p in before]}}
        write(self.dir, "dbt_project.yml", "name: shop\n")
        write(self.dir, "target/manifest.json", json.dumps({
            "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "dbt_version": "1.11.0",
                         "adapter_type": "postgres", "project_name": "shop"},
            "nodes": nodes, "sources": {}, "disabled": {},
            "groups": {"group.shop.finance": {"name": "finance", "resource_type": "group", "package_name": "shop",
                                              "path": "x.yml", "original_file_path": "models/x.yml",
                                              "unique_id": "group.shop.finance",
                                              "owner": {"email": "money@shop", "name": None}}}}))
        write(self.dir, "node.sh", 'case " $FAIL " in *" $HEDDLE_NAME "*) echo "it\'s <broken> & \\"bad\\""; exit 3;; esac\n')
        write(self.dir, "heddle.yml", "runner: shell\ncommand: sh node.sh\n" + config)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, *words, fail="", **env):
        return Run([HEDDLE, "build", *words], self.dir, self.env(FAIL=fail, **env))

    def env(self, **more):
        return clean_env(XDG_STATE_HOME=os.path.join(self.dir, "state"), **more)


def same(what, is_, should):
    assert is_ == should, "%s: %r, not %r" % (what, is_, should)


def case_json_of_a_failure():
    with Server() as server, Shop("on_failure: {url: env:HOOK, headers: {Authorization: env:TOKEN, X-Team: data}}\n") as shop:
        run = shop.run(fail="b", HOOK=server.url("/hook/" + SECRET), TOKEN="Bearer s3cr3t-token").check(1)
        (path, headers, body), = server.posts
        same("path", path, "/hook/" + SECRET)
        same("headers", (headers["Authorization"], headers["X-Team"], headers["Content-Type"]),
             ("Bearer s3cr3t-token", "data", "application/json"))
        same("event", (body["heddle"], body["event"], body["project"], body["command"], body["exit_code"]),
             (1, "failure", "shop", "build", 1))
        same("counts", body["counts"], {"good": 1, "warned": 0, "failed": 1, "skipped": 1})
        (node,) = body["nodes"]
        same("node", (node["unique_id"], node["status"], node["class"], node["owner"], node["attempts"]),
             ("model.shop.b", "error", "command failed", "ann@shop", 1))
        assert "it's <broken> & \"bad\"" in node["message"], node["message"]
        assert SECRET not in run.out and "s3cr3t" not in run.out, run.out


def case_slack():
    with Server() as server, Shop("on_failure: {url: env:HOOK, format: slack}\n") as shop:
        shop.run(fail="b", HOOK=server.url("/")).check(1)
        (_, _, body), = server.posts
        same("keys", list(body), ["text"])
        lines = body["text"].split("\n")
        assert lines[0].startswith(":x: *heddle build* of shop failed: 1 good, 1 failed, 1 skipped"), lines
        same("node", lines[1], "• model.shop.b error (ann@shop): the command ended with exit code 3:")


def case_success_and_recovery():
    config = "".join("on_%s: {url: env:HOOK}\n" % e for e in ("failure", "success", "recovery"))
    with Server() as server, Shop(config) as shop:
        def events(*words, **more):
            del server.posts[:]
            shop.run(*words, HOOK=server.url("/"), **more)
            return [(b["event"], [n["name"] for n in b["nodes"]]) for _, _, b in server.posts]

        same("first", events(), [("success", [])])
        same("failure", events(fail="b"), [("failure", ["b"])])
        same("still", events(fail="b"), [("failure", ["b"])])
        same("another part", events("--select", "a"), [("success", [])])
        same("recovery", events(), [("success", []), ("recovery", ["b"])])
        same("once", events(), [("success", [])])
        same("failure", events(fail="c"), [("failure", ["c"])])
        del server.posts[:]
        Run([HEDDLE, "retry"], shop.dir, shop.env(HOOK=server.url("/"))).check(0)
        same("a retry", [b["event"] for _, _, b in server.posts], ["success", "recovery"])
        # Without a history the last results tell.
        same("failure", events("--history", "", fail="a"), [("failure", ["a"])])
        same("recovery", events("--history", ""), [("success", []), ("recovery", ["a"])])
        same("a dry run", events("--dry-run"), [])
        same("nothing to do", events("--select", "nothing"), [])


def case_owners():
    config = "on_failure:\n  - {url: env:ANN, owner: ann@shop}\n  - {url: env:FINANCE, owner: finance}\n" \
             "  - {url: env:MONEY, owner: money@shop}\n  - {url: env:ALL}\n"
    with Server() as server, Shop(config) as shop:
        env = {"ANN": server.url("/ann"), "FINANCE": server.url("/finance"),
               "MONEY": server.url("/money"), "ALL": server.url("/all")}
        shop.run(fail="b", **env).check(1)
        same("of b", [(p, [n["name"] for n in b["nodes"]]) for p, _, b in server.posts], [("/ann", ["b"]), ("/all", ["b"])])
        del server.posts[:]
        shop.run(fail="c", **env).check(1)
        same("of c", [(p, [n["name"] for n in b["nodes"]]) for p, _, b in server.posts],
             [("/finance", ["c"]), ("/money", ["c"]), ("/all", ["c"])])
        same("owner of the group", server.posts[0][2]["nodes"][0]["owner"], "money@shop")


def case_a_run_that_could_not_begin():
    with Server() as server, Shop("on_failure: {url: env:HOOK}\n") as shop:
        os.remove(os.path.join(shop.dir, "target/manifest.json"))
        shop.run(HOOK=server.url("/")).check(2)
        (_, _, body), = server.posts
        assert body["exit_code"] == 2 and "no manifest" in body["error"] and body["nodes"] == [], body


def case_a_command():
    with Shop("on_failure:\n  - {command: 'cat >body.json; echo \"$HEDDLE_EVENT $HEDDLE_EXIT_CODE\" >words'}\n"
              "  - {command: 'echo no mail today; exit 7'}\n  - {command: 'sleep 60', timeout: 1s}\n") as shop:
        run = shop.run(fail="a").check(1)
        with open(os.path.join(shop.dir, "body.json")) as f:
            same("body", json.load(f)["nodes"][0]["name"], "a")
        with open(os.path.join(shop.dir, "words")) as f:
            same("variables", f.read(), "failure 1\n")
        assert "heddle.yml:5: on_failure: nobody was told: exit code 7: no mail today" in run.out, run.out
        assert "heddle.yml:6: on_failure: nobody was told: exit code 137" in run.out, run.out
        assert run.seconds < 20, run.seconds


def warned(run, code, text, url):
    """A warning, the exit code of the run, and the address nowhere."""
    run.check(code)
    assert "on_failure: nobody was told: " + text in run.out, run.out
    assert SECRET not in run.out and url not in run.out, run.out


def case_what_a_server_may_do():
    with Server() as server, Shop("on_failure: {url: env:HOOK, timeout: 2s}\n") as shop:
        for path, text in (("/500/" + SECRET, "the server answered 500: no_service <b>\\x1b[31m"),
                           ("/redirect/" + SECRET, "the server answered 302"),
                           ("/hang/" + SECRET, "Operation timed out")):
            began = time.monotonic()
            warned(shop.run(fail="a", HOOK=server.url(path)), 1, text, server.url(path))
            assert time.monotonic() - began < 20
        same("nobody followed", [p for p, _, _ in server.posts if p == "/elsewhere"], [])
        closed = server.url("/" + SECRET)
    with Shop("on_failure: {url: env:HOOK}\n") as shop:
        warned(shop.run(fail="a", HOOK=closed), 1, "Failed to connect", closed)
        warned(shop.run(fail="a"), 1, "the environment has no HOOK", "\0")
        warned(shop.run(fail="a", HOOK="file:///etc/passwd"), 1, "the address begins neither", "\0")


def certificate(folder, name):
    path = os.path.join(folder, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=DNS:" + name, "-keyout", path + ".key", "-out", path + ".pem"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def case_tls():
    if not shutil.which("openssl"):
        return "openssl makes the certificates, and it is not here"
    with tempfile.TemporaryDirectory() as folder, Shop("on_failure: {url: env:HOOK}\n") as shop:
        good, other = certificate(folder, "localhost"), certificate(folder, "elsewhere")
        with Server(good) as server:
            warned(shop.run(fail="a", HOOK=server.url("/" + SECRET)), 1, "SSL certificate problem", SECRET)
            same("unknown issuer", server.posts, [])
            run = shop.run(fail="a", HOOK=server.url("/"), SSL_CERT_FILE=good + ".pem").check(1)
            same("a known one", (len(server.posts), "nobody was told" in run.out), (1, False))
        with Server(other) as server:
            warned(shop.run(fail="a", HOOK=server.url("/" + SECRET), SSL_CERT_FILE=other + ".pem"), 1, "SSL: ", SECRET)
            same("another name", server.posts, [])


def case_faults_of_the_file():
    for config, text in (
            ("on_failure: {url: 'https://hooks.slack.com/services/T0/B0/x'}", "this address is a secret"),
            ("on_failure: {url: 'https://ann:pw@x.io/'}", "this address is a secret"),
            ("on_failure: {url: 'ftp://x.io'}", "url: expected env:NAME, https://... or http://..."),
            ("on_failure: {owner: x}", "on_failure: expected either 'command' or 'url'"),
            ("on_failure: {command: x, format: slack}", "'headers' and 'format' go with 'url'"),
            ("on_failure: {url: env:X, formt: slack}", "did you mean 'format'?"),
            ("on_failure: {url: env:X, timeout: 2h}", "timeout: expected at most 30s"),
            ("on_falure: {url: env:X}", "did you mean 'on_failure'?")):
        with Shop(config + "\n") as shop:
            run = shop.run().check(2)
            assert text in run.out and "heddle.yml:3" in run.out, run.out


if __name__ == "__main__":
    sys.exit(cases(globals()))
