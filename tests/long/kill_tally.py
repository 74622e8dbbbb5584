"""The rounds of tests/long/kill.py, one JSON object a line in a file, and what they add up to."""
import collections
import json

from kill_watch import PHASES


def read(paths):
    """The rounds of these files; of one that was played again the last time counts."""
    rounds = {}
    for path in paths:
        with open(path) as f:
            for one in map(json.loads, f):
                rounds[one["seed"], one["adapter"], one["signals"], one["round"]] = one
    return list(rounds.values())


def append(path, one):
    with open(path, "a") as f:
        f.write(json.dumps(one) + "\n")


def histogram(rounds, word):
    """Blows by phase and adapter; what was aimed at a phase is counted in it as well."""
    adapters = sorted({one["adapter"] for one in rounds})
    count = collections.Counter((blow["phase"], one["adapter"]) for one in rounds for blow in one["blows"])
    print("%d times %s, by phase:" % (sum(count.values()), word))
    print("  %-22s%s" % ("", "".join("%10s" % name for name in adapters)))
    for phase in PHASES:
        n = [count[phase, name] for name in adapters]
        print("  %-22s%s  %s" % (phase, "".join("%10d" % i for i in n), "#" * sum(n)))


def moments(rounds):
    """How the blows that were not aimed spread over the run, in tenths of it."""
    count = collections.Counter(int(blow["moment"] * 10) for one in rounds for blow in one["blows"] if not blow["aim"])
    print("  not aimed, by tenths of the run: %s" % " ".join(str(count[i]) for i in range(10)))


def show(rounds):
    """The number of rounds that went wrong."""
    for signals, word in ((False, "killed"), (True, "stopped by a signal")):
        some = [one for one in rounds if one["signals"] == signals]
        if some:
            histogram(some, word)
            moments(some)
            wrong = sorted((one["adapter"], one["seed"], one["round"]) for one in some if not one["ok"])
            print("%d rounds, %d good, %d failed%s; %d nodes of unknown outcome" % (
                len(some), len(some) - len(wrong), len(wrong), ": %s" % wrong if wrong else "",
                sum(one["unknown"] for one in some)))
    return sum(not one["ok"] for one in rounds)
