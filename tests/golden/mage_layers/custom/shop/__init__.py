"""What the blocks of the pipeline shop share: how they call dbt.

Made by: heddle export mage --tests=after_all --granularity=layer --runner=heddle plan=06b4d66ca6bb02c1
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.
"""
import os
import signal
import subprocess
from pathlib import Path

DBT = ["heddle"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']


def run_dbt(words, timeout, name, variables):
    """One heddle command; an exit code other than 0 is raised."""
    # Tasks side by side must not share a target folder. It stays: the next try goes on where
    # this one ended. Workers on other machines need it shared.
    project = Path(os.environ.get("DBT_PROJECT_DIR", "."), "target").resolve()
    target = project / name
    target.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)}
    parsed = project / "partial_parse.msgpack"
    if parsed.exists():
        env.setdefault("DBT_PARTIAL_PARSE_FILE_PATH", str(parsed))
    if variables.get("retry", {}).get("attempts", 1) > 1:
        words = [*words, "--resume"]  # builds what the last try left
    with subprocess.Popen([*DBT, *words, *FLAGS], env=env) as process:
        try:
            code = process.wait(timeout)
        except BaseException:  # too late, or cancelled: dbt gets the chance to cancel its queries
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        raise subprocess.CalledProcessError(code, [*DBT, *words])
