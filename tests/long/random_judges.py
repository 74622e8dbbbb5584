"""Exports of random manifests, judged by the real systems, by hand:

    VENV/bin/python tests/long/random_judges.py [--heddle HEDDLE] --judges DIR TARGET [FIRST [LAST]]

VENV has the orchestrator of TARGET, DIR the judges (judges.sh). A seed is a manifest of 3 to 60 nodes: packages
with the same names in them, names that mean something to a shell, to YAML and to Python, versions, ephemeral
models, snapshots, sources, tests that read several nodes, unit tests; each seed has its test behaviour. A name
that no selection of dbt's means alone is refused: that is counted. What a seed found is one line: the seed alone
makes it again.
"""
import argparse
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODES = ("after_each", "after_all", "none", "build")
PLAIN = "a b orders Orders stg run test build seed dim raw models staging v1 yes x_test x_run orders_run tests".split()
HOSTILE = PLAIN + "with-dash with.dot it's $(x) a:b null 1e3 class éa".split()
FOLDERS = ("models", "models/staging", "models/staging/a", "models/marts", "models/orders", "models/x.y")
PACKAGES = ("shop",) * 4 + ("vendor", "orders")
CONTAINERS = ["--image", "registry.example/shop:1", "--schedule", "0 6 * * *"]
TARGETS = {    # judge, suffix, what the export needs besides
    "airflow": ("judge_airflow", ".py", []),
    "dagster": ("judge_dagster", ".py", []),
    "prefect": ("judge_prefect", ".py", []),
    "mage": ("judge_mage", "", ["--schedule", "@daily"]),
    "argo": ("judge_argo", ".yaml", CONTAINERS),
    "kestra": ("judge_kestra", ".yaml", CONTAINERS),
}


class Random:
    """One manifest. plain: only names that are words, each once: dagster-dbt, which its judge asks, takes no other."""

    def __init__(self, seed, plain):
        self.r, self.plain = random.Random(seed), plain
        self.nodes, self.sources, self.unit_tests, self.names = {}, {}, {}, set()
        for i in range(self.r.choice((0, 1, 3))):
            self.add_source("t%d" % i)
        size = self.r.choice((3, 8, 20, 60))
        self.ephemeral = self.r.choice((0, .1, .4))
        for i in range(size):
            self.add_node(i)
        self.built = list(self.nodes)
        for i in range(self.r.choice((0, size // 2, size * 2)) if self.built else 0):
            self.add_test(i)
        models = [u for u in self.built if u.startswith("model.")]
        for i in range(self.r.choice((0, 0, 2)) if models else 0):
            self.add_unit_test("ut%d" % i, self.r.choice(models))

    def word(self):
        return self.r.choice(PLAIN if self.plain else HOSTILE)

    @staticmethod
    def thing(kind, package, name, folder, parents, materialized):
        return {
            "resource_type": kind, "unique_id": "%s.%s.%s" % (kind, package, name), "name": name, "package_name": package,
            "fqn": [package, *folder.split("/")[1:], name], "path": name + ".sql", "alias": name,
            "original_file_path": "%s/%s.%s" % (folder, name, "csv" if kind == "seed" else "sql"),
            "database": "db", "schema": "main", "tags": [], "meta": {}, "description": "", "columns": {},
            "config": {"materialized": materialized, "enabled": True, "severity": "ERROR"},
            "raw_code": "select 1", "checksum": {"name": "none", "checksum": name},
            "depends_on": {"macros": [], "nodes": parents}, "relation_name": '"db"."main"."%s"' % name}

    def add_source(self, name):
        s = self.thing("source", "shop", "raw." + name, "models", [], "view")
        s.update(name=name, source_name="raw", fqn=["shop", "raw", name], identifier=name, original_file_path="models/s.yml")
        for key in ("raw_code", "depends_on", "checksum", "alias"):
            del s[key]
        self.sources[s["unique_id"]] = s

    def parents(self):
        near = list(self.nodes)[-12:] if self.r.random() < .7 else list(self.nodes)
        found = {self.r.choice(near) for _ in range(self.r.choice((0, 1, 1, 2, 3))) if near}
        if self.sources and self.r.random() < .3:
            found.add(self.r.choice(sorted(self.sources)))
        return sorted(found)

    def add_node(self, i):
        kind = self.r.choices(("model", "seed", "snapshot"), (8, 1, 1))[0]
        name = self.word() if self.r.random() < .5 else "m%d" % i
        package = self.r.choice(PACKAGES)
        once = name if self.plain else (package, name)
        if once in self.names:
            return
        self.names.add(once)
        folder = self.r.choice(FOLDERS) if kind == "model" else kind + "s"
        materialized = kind if kind != "model" else "ephemeral" if self.r.random() < self.ephemeral else "view"
        n = self.thing(kind, package, name, folder, [] if kind == "seed" else self.parents(), materialized)
        if kind == "model" and self.r.random() < .1:
            v = self.r.choice((1, 2, 3))
            n.update(version=v, latest_version=2, unique_id="%s.v%d" % (n["unique_id"], v), alias="%s_v%d" % (name, v),
                     fqn=n["fqn"] + ["v%d" % v])
        self.nodes[n["unique_id"]] = n

    def add_test(self, i):
        # Several parents are no sources: the judges take such a test for one of its models alone.
        many = self.r.choices((1, 2, 3), (6, 3, 1))[0]
        parents = sorted({self.r.choice(self.built + (sorted(self.sources) if many == 1 else [])) for _ in range(many)})
        t = self.thing("test", "shop", "t_%s_%d" % (self.word(), i), "models", parents, "test")
        t.update(unique_id="%s.%010x" % (t["unique_id"], i), attached_node=self.r.choice([None, *parents]), column_name=None)
        if self.r.random() < .85:
            t["test_metadata"] = {"name": "unique", "kwargs": {}, "namespace": None}
        if self.r.random() < .2:
            t["config"]["severity"] = "WARN"
        self.nodes[t["unique_id"]] = t

    def add_unit_test(self, name, model):
        m = self.nodes[model]
        u = self.thing("unit_test", m["package_name"], "%s.%s" % (m["name"], name), "models", [model], "unit")
        u.update(name=name, model=m["name"], fqn=m["fqn"] + [name], version=m.get("version"), given=[], expect={"rows": []})
        self.unit_tests[u["unique_id"]] = u

    def manifest(self):
        every = {**self.nodes, **self.unit_tests}
        parents = {u: n["depends_on"]["nodes"] for u, n in every.items()}
        parents.update((u, []) for u in self.sources)
        children = {u: [c for c, above in parents.items() if u in above] for u in parents}
        empty = {part: {} for part in ("macros", "docs", "exposures", "metrics", "groups", "selectors", "disabled",
                                       "group_map", "saved_queries", "semantic_models", "functions")}
        return {"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "dbt_version": "1.11.0",
                             "adapter_type": "duckdb", "project_name": "shop"},
                "nodes": self.nodes, "sources": self.sources, "unit_tests": self.unit_tests,
                "parent_map": parents, "child_map": children, **empty}


def judged(judge, words, log):
    """The judge in a child, so that its orchestrator is imported once: what it found, or ''."""
    pid = os.fork()
    if pid == 0:
        with open(log, "w") as f:
            os.dup2(f.fileno(), 1)
            os.dup2(f.fileno(), 2)
        sys.argv = words
        code = 1
        try:
            code = judge.main()
        finally:
            sys.stdout.flush()
            os._exit(code or 0)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
        return ""
    with open(log, errors="replace") as f:
        lines = f.read().splitlines()
    return " / ".join([line for line in lines if "FAIL" in line or "Error" in line][:4] or lines[-1:])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--heddle", default=os.path.join(ROOT, "build", "heddle"))
    p.add_argument("--judges", required=True, metavar="DIR")
    p.add_argument("target", choices=TARGETS)
    p.add_argument("first", type=int, nargs="?", default=0)
    p.add_argument("last", type=int, nargs="?", default=100)
    args = p.parse_args()
    name, suffix, needs = TARGETS[args.target]
    home = tempfile.mkdtemp(prefix="random-judges-")
    os.environ["AIRFLOW_HOME"] = os.path.join(home, "airflow")
    sys.path.insert(0, args.judges)
    judge = importlib.import_module(name)
    if args.target in ("airflow", "dagster", "prefect"):
        importlib.import_module(args.target)
    manifest, output = os.path.join(home, "manifest.json"), os.path.join(home, "out" + suffix)
    passed = failed = refused = 0
    for seed in range(args.first, args.last + 1):
        one, mode = Random(seed, args.target == "dagster"), MODES[seed % len(MODES)]
        if mode == "after_all" and not any(u.startswith("test.") for u in one.nodes):
            continue    # the judges ask for the one task of tests all the same
        with open(manifest, "w") as f:
            json.dump(one.manifest(), f)
        shutil.rmtree(output, ignore_errors=True)
        made = subprocess.run([args.heddle, "export", args.target, "--manifest", manifest, "--tests", mode, "-o", output,
                               *(["--unit-tests"] if mode != "none" else []), *needs], capture_output=True, text=True, cwd=home)
        if made.returncode == 2 and "no dbt selection means it alone" in made.stderr:
            refused += 1
            continue
        found = made.stderr if made.returncode else judged(
            judge, [name, output, "--manifest", manifest, "--strict", "--test-behavior", mode], os.path.join(home, "log"))
        passed, failed = passed + (not found), failed + bool(found)
        if found:
            print("FAIL  seed %d, %s: %s" % (seed, mode, found), flush=True)
    shutil.rmtree(home, ignore_errors=True)
    print("%d refused\n%d passed, %d failed" % (refused, passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
