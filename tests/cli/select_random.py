"""Random selections, answered by heddle and by dbt's own selector classes on the same manifest: ids and
warnings must be equal, and both refuse or neither. Over the sample shop, and over lantern_tea where the folder
with dbt's other answers is there ($HEDDLE_SHARED or ../shared).

    tests/cli/select_random.py [QUESTIONS] [SEED]        (150, 1)
"""
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile

ROOT = os.environ.get("ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEDDLE = os.environ.get("HEDDLE") or os.path.join(ROOT, "build", "heddle")
QUESTIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 150
R = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
CHUNKS = ("nodes", "sources", "exposures", "metrics", "unit_tests", "semantic_models", "saved_queries", "functions")
MODES = ("eager", "eager", "cautious", "buildable", "empty")


class Dbt:
    """dbt-core's selection without its command line."""

    def __init__(self, path, root):
        from dbt.artifacts.schemas.manifest import WritableManifest
        from dbt.compilation import Linker
        from dbt.contracts.graph.manifest import Manifest
        from dbt.contracts.graph.nodes import GenericTestNode
        from dbt.graph import selector, selector_methods
        from dbt.graph.graph import Graph
        import dbt.contracts.graph.nodes
        import dbt.graph.cli
        import dbt.graph.selector_spec
        import dbt_common.contracts.config.base
        from dbt.adapters.factory import FACTORY

        class Flags:
            INDIRECT_SELECTION = "eager"
            state_modified_compare_more_unrendered_values = state_modified_compare_vars = False

            def __getattr__(self, _):
                return None

        self.flags, self.unmatched, self.previous_state = Flags(), [], None
        for module in (dbt.graph.cli, dbt.graph.selector_spec, dbt.contracts.graph.nodes):
            module.get_flags = lambda: self.flags
        selector.warn_or_error = lambda e, **_: self.unmatched.append(e.spec_raw)
        dbt_common.contracts.config.base.fire_event = dbt.contracts.graph.nodes.warn_or_error = lambda *_, **__: None
        selector_methods.get_project_root = lambda: root
        self.manifest = Manifest.from_writable_manifest(WritableManifest.read_and_check_versions(path))
        FACTORY.load_plugin(self.manifest.metadata.adapter_type)
        dbt.contracts.graph.nodes.get_adapter_constraint_support = \
            lambda name: FACTORY.get_adapter_class_by_name(name).CONSTRAINT_SUPPORT
        for i, node in json.load(open(path))["nodes"].items():
            if node["resource_type"] == "test" and "test_metadata" in node:
                self.manifest.nodes[i] = GenericTestNode.from_dict(node)
        linker = Linker()
        linker.link_graph(self.manifest)
        self.graph = Graph(linker.graph)

    def ask(self, select, exclude, mode):
        from dbt.graph.cli import parse_difference

        self.flags.INDIRECT_SELECTION = mode
        try:
            spec = parse_difference(select or None, exclude)
        except Exception as e:
            self.refusal = "%s: %s" % (type(e).__name__, e)
            return None
        return self.selected(spec)

    def selected(self, spec):
        """Ids and the words that matched nothing; None when dbt refuses: self.refusal."""
        from dbt.graph.selector import ResourceTypeSelector
        from dbt.task.list import ListTask

        del self.unmatched[:]
        try:
            s = ResourceTypeSelector(graph=self.graph, manifest=self.manifest, previous_state=self.previous_state,
                                     resource_types=list(ListTask.DEFAULT_RESOURCE_VALUES), include_empty_nodes=True)
            return sorted(s.get_selected(spec)), list(self.unmatched)
        except Exception as e:
            self.refusal = "%s: %s" % (type(e).__name__, e)
            return None


def compare(dbt, want, got):
    """Lines that say what differs."""
    if want is None or got is None:
        return "    refused by %s" % ("heddle alone: " + heddle.refusal if got is None else "dbt alone: " + dbt.refusal)
    return "    only dbt: %s\n    only heddle: %s\n    warnings: %s, %s" % (
        sorted({*want[0]} - {*got[0]}), sorted({*got[0]} - {*want[0]}), want[1], got[1])


def heddle(path, select, exclude, mode, *more):
    line = [HEDDLE, "ls", "--output", "unique-id", "--manifest", path, "--indirect-selection", mode, *more]
    line += (["--select"] + select if select else []) + (["--exclude"] + exclude if exclude else [])
    done = subprocess.run(line, capture_output=True, text=True)
    heddle.refusal = done.stderr
    if done.returncode == 2:
        return None
    assert done.returncode == 0, "%s: exit %d\n%s" % (shlex.join(line), done.returncode, done.stderr)
    warned = [w.split("'", 1)[1].rsplit("' does", 1)[0] for w in done.stderr.splitlines() if "does not match any" in w]
    return done.stdout.splitlines(), warned


# ---- questions ----

def spoilt(text):
    """Often the text itself, else something near it: a pattern, a piece, other case."""
    if not text or R.random() < .5:
        return text
    i = R.randrange(len(text))
    j = R.randint(i, len(text))
    return R.choice([text[:i] + "*" + text[j:], text[:i] + "?" + text[i + 1:], "*" + text[i:], text[:i], text.upper(),
                     text[:i] + "[%s%s]" % (text[i], R.choice("ab-!")) + text[i + 1:],
                     text[:i] + R.choice("*?[]!-.") + text[i:]])


def leaves(value, path=()):
    if isinstance(value, dict):
        for k, v in value.items():
            yield from leaves(v, path + (k,))
    if path:
        yield path, value


def config_of(node):
    found = list(leaves(node.get("config") or {}))
    if not found:
        return "config.enabled:true"
    path, value = R.choice(found)
    if isinstance(value, list) and value:
        value = R.choice(value)
    return "config.%s:%s" % (".".join(path), spoilt(R.choice([str(value), str(value).lower()])))


def piece(parts, glue):
    a = R.randrange(len(parts))
    return glue.join(parts[a:R.randint(a + 1, len(parts))])


def value(node):
    kind, name, package, path = (node[k] for k in ("resource_type", "name", "package_name", "original_file_path"))
    parts, fqn = path.split("/"), node.get("fqn") or [package, name]
    source = node.get("source_name") or "web"
    cut = R.randrange(len(parts))
    return R.choice([
        lambda: spoilt(name), lambda: spoilt(name), lambda: spoilt(piece(fqn, ".")), lambda: spoilt(piece(fqn, ".")),
        lambda: "tag:" + spoilt(R.choice(node.get("tags") or ["none"])),
        lambda: R.choice(["", "path:"]) + spoilt("/".join(parts[:cut + 1])) + R.choice(["", "", "/"]),
        lambda: "path:" + "/".join(parts[:cut] + [R.choice(["*", "**", "*.sql", "..", "."])] + parts[cut + R.choice([0, 1]):]),
        lambda: R.choice(["file:", ""]) + spoilt(R.choice([parts[-1], parts[-1].rsplit(".", 1)[0]])),
        lambda: config_of(node), lambda: config_of(node),
        lambda: "package:" + spoilt(R.choice([package, "this"])),
        lambda: "source:" + spoilt(R.choice([source, source + "." + name, package + "." + source + "." + name])),
        lambda: kind + ":" + spoilt(R.choice([name, package + "." + name])),
        lambda: "resource_type:" + R.choice([kind, "model", "test", "operation", "macro", "modle"]),
        lambda: "test_name:" + spoilt((node.get("test_metadata") or {}).get("name", name)),
        lambda: "test_type:" + R.choice(["generic", "singular", "unit", "data", "schema", "at", "", "sing", "u", "x"]),
        lambda: "group:" + spoilt(str((node.get("config") or {}).get("group") or "finance")),
        lambda: "access:" + R.choice(["public", "private", "protected", "p*"]),
        lambda: "version:" + R.choice(["latest", "old", "prerelease", "none", "no"]),
        lambda: R.choice(["*", "", "fqn:*", "source:*", "exposure:*", "unit_test:*", "metric:*"]),
    ])()


def criterion(nodes):
    before = R.choice(["", "", "", "", "+", "1+", "2+", "@", "0+"])
    after = R.choice(["", "", "", "", "+", "+1", "+2", "+0"]) if before != "@" or R.random() < .05 else ""
    text = before + "".join(c for c in value(R.choice(nodes)) if c not in " ,\n") + after
    return "x" + text if text.startswith("-") else text


def words(nodes, counts):
    return [",".join(criterion(nodes) for _ in range(R.choice([1, 1, 1, 2, 2, 3]))) for _ in range(R.choice(counts))]


def nodes_of(path):
    with open(path) as f:
        data = json.load(f)
    return [n for chunk in CHUNKS for _, n in sorted((data.get(chunk) or {}).items())]


def check(path, root, _):
    dbt, nodes = Dbt(path, root), nodes_of(path)
    differ = refused = 0
    for _ in range(QUESTIONS):
        question = words(nodes, [0, 1, 1, 1, 1, 2, 2, 3]), words(nodes, [0, 0, 1, 2]), R.choice(MODES)
        want, got = dbt.ask(*question), heddle(path, *question)
        refused += want is None
        if want != got:
            differ += 1
            print("--select %s --exclude %s --indirect-selection %s\n%s" % (
                shlex.join(question[0]), shlex.join(question[1]), question[2], compare(dbt, want, got)))
    print("%s: %d questions, %d refused by both, %d differ" % (path, QUESTIONS, refused, differ))
    return differ


def manifests():
    """[(manifest, project's folder)], or why there is nothing to compare with."""
    try:
        import dbt.version
    except ImportError:
        return "no dbt-core here"
    if not dbt.version.__version__.startswith("1.11."):
        return "dbt-core %s is not the 1.11 this knows the inside of" % dbt.version.__version__
    shop = os.path.join(ROOT, "samples", "shop")
    found = [(os.path.join(shop, "manifests", "before", "manifest.json"), shop)]
    for shared in (os.environ.get("HEDDLE_SHARED") or "-", os.path.join(ROOT, os.pardir, "shared")):
        path = os.path.join(shared, "conformance", "manifests", "lantern_tea", "manifest.json")
        if os.path.isfile(path):
            return found + [(path, os.path.join(shared, "projects", "lantern_tea"))]
    return found


def over_manifests(check):
    """The exit code of a test: check(path, root, folder) of each manifest says how many answers differ."""
    found = manifests()
    if isinstance(found, str):
        print(found)
        return 77
    with tempfile.TemporaryDirectory() as folder:
        return 1 if sum(check(path, root, folder) for path, root in found) else 0


if __name__ == "__main__":
    sys.exit(over_manifests(check))
