"""What the blocks of the pipeline shop share: how they call dbt.

Made by: heddle export mage --schedule=0%206%20*%20*%20* --select=+customers plan=594052c74b5c92f9
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.
"""
import os
import signal
import subprocess
import tempfile
from pathlib import Path

DBT = ["dbt"]
# Of every command. A selection that finds nothing is an error.
FLAGS = ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']


def run_dbt(words, timeout):
    """One dbt command; an exit code other than 0 is raised."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as target:
        # Commands side by side must not share a target folder; the saved parse is taken along.
        env = {**os.environ, "DBT_TARGET_PATH": target, "DBT_LOG_PATH": target}
        parsed = Path(os.environ.get("DBT_PROJECT_DIR", "."), "target", "partial_parse.msgpack")
        if parsed.exists():
            env.setdefault("DBT_PARTIAL_PARSE_FILE_PATH", str(parsed.resolve()))
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
