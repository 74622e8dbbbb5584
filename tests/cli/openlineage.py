"""`heddle export openlineage --url` against a web server of our own: what is posted, in which order, with
which key; what a server that refuses costs."""
import json
import os
import subprocess
import sys

from harness import HEDDLE, cases, clean_env
from notify import Server

ROOT = os.environ["ROOT"]
KEY = "K3Y-of-the-catalog"


def export(*more):
    return subprocess.run(
        [HEDDLE, "export", "openlineage", "--manifest", ROOT + "/samples/shop/manifests/after/manifest.json",
         "--run-results", ROOT + "/tests/golden/openlineage/run_results.json", "--dataset-namespace", "bigquery", *more],
        capture_output=True, text=True, timeout=60, env=clean_env(OPENLINEAGE_API_KEY=KEY))


def case_events_are_posted_in_order():
    lines = export().stdout.splitlines()
    with Server() as server:
        run = export("--url", server.url("/api/v1/lineage"))
        assert run.returncode == 0 and run.stdout == "", (run.returncode, run.stdout, run.stderr)
        assert [post[2] for post in server.posts] == [json.loads(line) for line in lines]
        path, headers, first = server.posts[0]
        assert path == "/api/v1/lineage" and headers["Authorization"] == "Bearer " + KEY, headers
        assert headers["Content-Type"].startswith("application/json"), headers
        assert first["eventType"] == "START" and first["job"]["name"] == "dbt-build", first
        assert KEY not in json.dumps([post[2] for post in server.posts])


def case_a_server_that_refuses():
    with Server() as server:
        run = export("--url", server.url("/500"))
        assert run.returncode == 2 and "event 1 of 20: " in run.stderr, run.stderr
        assert len(server.posts) == 1 and KEY not in run.stderr and "\x1b" not in run.stderr, run.stderr


if __name__ == "__main__":
    sys.exit(cases(globals()))
