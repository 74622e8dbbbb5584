"""Random selectors.yml files, answered by heddle and by dbt's own reader and selector classes: ids and warnings
must be equal, and both refuse or neither. Manifests as in select_random.py.

    tests/cli/selectors_random.py [FILES] [SEED]        (60, 1)
"""
import copy
import os
import random
import sys

from select_random import Dbt, MODES, compare, criterion, heddle, nodes_of, over_manifests, value

FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 60
R = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
NAMES = ("one", "two", "three")
METHODS = ("access", "config", "exposure", "file", "fqn", "group", "metric", "package", "path", "resource_type", "saved_query",
           "semantic_model", "source", "tag", "test_name", "test_type", "unit_test", "version")


def either(good, odd):
    """One of the good values; now and then an odd one, which dbt mostly refuses."""
    return R.choice(good if R.random() > .005 else odd)


class Made:
    """What one file is made of: the nodes there are, the selectors above."""

    def __init__(self, nodes):
        self.nodes, self.above = nodes, []

    def file(self):
        found = []
        for name in NAMES:
            one = {"name": name, "definition": self.definition(3)}
            if R.random() < .2:
                one.update(R.choice([{"description": "for the night"}, {"default": R.random() < .3}, {"more": 1}]))
            found.append(one)
            self.above.append(name)
        return {"selectors": found}

    def words(self):
        return "".join(c for c in criterion([R.choice(self.nodes)]) if c not in " ,\n")

    def method(self):
        """A method and a value for it, which may be no text."""
        text = "".join(c for c in value(R.choice(self.nodes)) if c not in " ,\n")
        method, _, rest = text.rpartition(":")
        if R.random() < .1:
            return (either(["config.enabled", "config.materialized", "config.lookback", "tag", "fqn"], ["fnq", "state", 1]),
                    either([True, False, 1, "table"], [2.5, None, "", ["a", "b"], {"a": 1}]))
        if method.split(".")[0] not in METHODS:
            method = either(["fqn", "fqn", "path", "file"], [method])
        return method, rest

    def entry(self, depth):
        method, word = self.method()
        one = {"method": method, "value": word}
        for key in ("children", "parents", "childrens_parents"):
            if R.random() < .2:
                one[key] = either([True, True, False], ["true", "no", 1, 0, None, []])
        for key in ("children_depth", "parents_depth"):
            if R.random() < .15:
                one[key] = either([1, 2, "1"], [0, -1, True, "x", None, 1.5])
        if R.random() < .25:
            one["indirect_selection"] = either(MODES, ["Eager", "none", None, True])
        if R.random() < .2:
            one["exclude"] = self.list(depth - 1)
        if R.random() < .02:
            one["more"] = "x"
        return one

    def list(self, depth, exclude=False):
        found = [self.definition(depth) for _ in range(either([1, 1, 2, 2, 3], [0]))]
        for _ in range(either([0, 0, 0, 1], [2]) if exclude else 0):
            found.insert(R.randint(0, len(found)), {"exclude": self.list(depth - 1)})
        return either([found], [None, "x", {"method": "fqn", "value": "x"}, [1], [[]]])

    def definition(self, depth):
        kind = either(["words", "pair", "entry", "entry"], ["both"])
        if depth > 0:
            kind = R.choice([kind, "union", "intersection", "above" if self.above else kind])
        if kind == "words":
            return self.words()
        if kind == "pair":
            return dict([self.method()])
        if kind == "above":
            one = {"method": "selector", "value": either(self.above, ["nobody", None, 1])}
            if R.random() < .2:
                one.update(R.choice([{"children": True}, {"exclude": self.list(depth - 1)}]))
            return one
        if kind == "both":
            return {R.choice(["union", "intersection"]): self.list(depth - 1, True),
                    R.choice(["union", "intersection", "exclude", "method"]): self.list(depth - 1)}
        if kind in ("union", "intersection"):
            return {kind: self.list(depth - 1, True)}
        return self.entry(depth)


def ask(dbt, data, name):
    """As dbt does when it reads a project."""
    from dbt.config.selectors import SelectorDict, selector_config_from_data

    dbt.flags.INDIRECT_SELECTION = "eager"
    try:
        spec = selector_config_from_data(copy.deepcopy(data))[name]["definition"]
        SelectorDict.parse_from_selectors_list(copy.deepcopy(data)["selectors"])
    except Exception as e:
        dbt.refusal = "%s: %s" % (type(e).__name__, e)
        return None
    return dbt.selected(spec)


def check(path, root, folder):
    import yaml

    dbt, nodes = Dbt(path, root), nodes_of(path)
    file = os.path.join(folder, "selectors.yml")
    asked = chosen = differ = refused = 0
    for _ in range(FILES):
        text = yaml.safe_dump(Made(nodes).file(), sort_keys=False, default_flow_style=None, width=200)
        with open(file, "w") as f:
            f.write(text)
        for name in NAMES:
            want = ask(dbt, yaml.safe_load(text), name)
            got = heddle(path, [], [], "eager", "--selector", name, "--selectors-file", file)
            asked += 1
            refused += want is None
            chosen += bool(want and want[0])
            if want != got:
                differ += 1
                print("--selector %s\n%s%s" % (name, text, compare(dbt, want, got)))
    print("%s: %d questions, %d chose something, %d were refused by both, %d differ" % (
        path, asked, chosen, refused, differ))
    assert chosen or FILES < 10, "nothing was chosen: it tests nothing"
    return differ


if __name__ == "__main__":
    sys.exit(over_manifests(check))
