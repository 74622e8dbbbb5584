"""Random changes between two manifests, found by heddle's `state:` and by dbt's own: whatever field of whatever
node differs, both select the same ids, and both refuse or neither. Over the sample shop, and over lantern_tea
where the folder with dbt's other answers is there ($HEDDLE_SHARED or ../shared).

    tests/cli/state_random.py [STATES] [SEED]        (20, 1)
"""
import copy
import json
import os
import pathlib
import random
import sys

from select_random import CHUNKS, Dbt, compare, heddle, over_manifests

STATES = int(sys.argv[1]) if len(sys.argv) > 1 else 20
R = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
VALUES = ("new", "old", "modified", "unmodified", "modified.body", "modified.configs", "modified.relation",
          "modified.persisted_descriptions", "modified.macros", "modified.contract")
# What dbt compares, so what is worth to be changed more often than all else.
TELLING = ("description", "alias", "schema", "database", "data_type", "checksum", "unrendered_config", "contract",
           "constraints", "persist_docs", "fqn", "columns", "deprecation_date", "latest_version", "access", "group",
           "macro_sql", "freshness", "identifier", "external", "quoting", "loaded_at_field", "given", "expect",
           "overrides", "owner", "url", "maturity", "label", "type_params", "filter", "entities", "measures",
           "dimensions", "query_params", "exports", "tags", "arguments", "returns", "enabled", "depends_on", "name",
           "file_key_name", "source_name", "warn_if", "severity", "materialized", "meta", "config", "primary_key",
           "unrendered_database", "unrendered_schema")
# What may be null, and another value it may have; what has a few values; objects of any keys.
NULLS = {"alias": "x", "data_type": "int", "group": "finance", "deprecation_date": "2030-01-01T00:00:00", "filter": None,
         "latest_version": 2, "version": 2, "loaded_at_field": "x", "label": "x", "url": "http://x", "identifier": "x",
         "database": "x", "unrendered_database": "{{ x }}", "unrendered_schema": "{{ x }}", "unique_key": "id",
         "incremental_strategy": "append", "on_schema_change": "fail",
         "expression": "x", "event_time": "x", "loader": "x", "docs": None, "warn_if": "> 1", "checksum": None,
         "loaded_at_query": "x", "store_failures": True, "full_refresh": True, "primary_entity": "x", "quote": True}
WORDS = {"access": ("private", "protected", "public"), "on_configuration_change": ("apply", "continue", "fail"),
         "time_granularity": ("day", "month")}
FREE = ("meta", "unrendered_config", "grants", "overrides", "arguments", "kwargs", "extra")


def places(value, found):
    """Every (container, key) below value, but for what the graph is made of."""
    for key in value if isinstance(value, dict) else range(len(value)):
        if key in ("nodes", "unique_id", "resource_type"):
            continue
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            places(value[key], found)
    return found


def changed(value, key):
    """Another value that dbt might have written there."""
    if value is None:
        return NULLS.get(key)
    if key in WORDS:
        return R.choice(WORDS[key])
    if key in NULLS and not isinstance(value, dict) and R.random() < .2:
        return None
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return R.choice([value + "x", value.upper(), value[:-1], "other", ""])
    if isinstance(value, list):
        return R.choice([value[1:], value + value[:1], value[::-1]])
    if key in FREE:
        return R.choice([{}, dict(list(value.items())[1:]), dict(value, more="x"), dict(value, more={"x": [1]})])
    return value


def change_field(node):
    found = places(node, [])
    telling = [(where, key) for where, key in found if key in TELLING]
    where, key = R.choice(telling if telling and R.random() < .8 else found)
    where[key] = changed(where[key], key)


def change(manifest):
    """One difference of a kind that comes up: a field, a node more or less, a macro."""
    chunk = R.choice([c for c in ("nodes", "nodes", "nodes", "macros", *CHUNKS) if manifest.get(c)])
    nodes = manifest[chunk]
    key = R.choice(list(nodes))
    what = R.random()
    if what < .05:
        del nodes[key]
        for other in (n for c in CHUNKS for n in (manifest.get(c) or {}).values()):
            parents = other.get("depends_on", {}).get("nodes", [])
            parents[:] = [p for p in parents if p != key]
    elif what < .1:
        nodes[key + "_x"] = dict(copy.deepcopy(nodes[key]), unique_id=key + "_x")
    elif what < .2 and chunk == "nodes":
        enforce(nodes[key])
    else:
        for _ in range(R.choice([1, 1, 2, 4])):
            change_field(nodes[key])


def enforce(node):
    """Contracts, persisted descriptions and versions are rare in projects, and much is compared where they are."""
    if node["resource_type"] != "model":
        return
    node["config"]["persist_docs"] = {"relation": R.random() < .5, "columns": R.random() < .5}
    node["contract"] = {"enforced": R.random() < .9, "alias_types": True, "checksum": R.choice(["a", "b", None])}
    node["config"]["contract"] = {"enforced": node["contract"]["enforced"], "alias_types": True}
    node["config"].update(materialized=R.choice(["table", "view", "incremental"]), on_schema_change="append_new_columns")
    if R.random() < .4:
        node["version"] = node["latest_version"] = R.choice([1, "two"])
    for column in node["columns"].values():
        column["data_type"] = R.choice([None, "text", "int"])
        column["constraints"] = R.choice([[], [{"type": "not_null"}], [{"type": "primary_key", "expression": "x"}]])


def told(new, old, path=""):
    """What differs, in lines."""
    if type(new) is type(old) and isinstance(new, (dict, list)):
        a, b = (x if isinstance(x, dict) else dict(enumerate(x)) for x in (new, old))
        return [line for key in [*a, *(k for k in b if k not in a)]
                if a.get(key) != b.get(key) or (key in a) != (key in b)
                for line in told(a.get(key, "(none)"), b.get(key, "(none)"), "%s/%s" % (path, key))]
    return [] if new == old and type(new) is type(old) else ["%s: now %.80r, before %.80r" % (path, new, old)]


def write(manifest, folder):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "manifest.json")
    with open(path, "w") as f:
        json.dump(manifest, f)
    return path


def make_two(whole):
    """A manifest and an earlier one, which it differs from in a few places."""
    now = copy.deepcopy(whole)
    for node in R.sample(sorted(now["nodes"]), R.randint(0, 12)):
        enforce(now["nodes"][node])
    before = copy.deepcopy(now)
    for _ in range(R.choice([1, 1, 3, 10])):
        change(before)
    return now, before


def choose_flag(folder):
    """dbt's one flag that counts here, in a dbt_project.yml."""
    on = R.random() < .3
    with open(os.path.join(folder, "dbt_project.yml"), "w") as f:
        f.write("flags: {state_modified_compare_more_unrendered_values: %s}\n" % on)
    return on


def check(path, root, folder):
    from dbt.contracts.state import PreviousState

    with open(path) as f:
        whole = json.load(f)
    asked = chosen = differ = refused = unread = 0
    while asked < STATES:
        now, before = make_two(whole)
        new, old = write(now, os.path.join(folder, "now")), os.path.join(folder, "before")
        write(before, old)
        try:
            dbt = Dbt(new, root)
            dbt.previous_state = PreviousState(*map(pathlib.Path, (old, folder, folder)))
        except Exception:
            unread += 1           # what no dbt would write
            assert unread <= STATES, "most of what is made up here cannot be read: it tests nothing"
            continue
        asked += 1
        dbt.flags.state_modified_compare_more_unrendered_values = choose_flag(folder)
        for value in VALUES:
            words = ["state:" + value]
            want = dbt.ask(words, [], "empty")
            got = heddle(new, words, [], "empty", "--state", old, "--project-dir", folder)
            refused += want is None
            chosen += value.startswith("modified") and bool(want and want[0])
            if want != got:
                differ += 1
                print("\n".join([*words, *told(now, before), compare(dbt, want, got)]))
    print("%s: %d states, %d that dbt cannot read; of %d questions %d chose something modified, %d were refused by both, "
          "%d differ" % (path, asked, unread, asked * len(VALUES), chosen, refused, differ))
    assert chosen or STATES < 10, "nothing was modified: it tests nothing"
    return differ


if __name__ == "__main__":
    sys.exit(over_manifests(check))
