"""A few rounds of tests/long/kill.py: killed at some moment, continued, nothing lost, nothing twice."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "long"))

import kill  # noqa: E402

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(1 if kill.play(kill.options(["--short", "--rounds", "6", "--models", "25", *sys.argv[1:]])) else 0)
