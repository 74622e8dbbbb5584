"""What the blocks of the pipeline it_s_nightly_c405c50b share: how they call dbt.

Made by: heddle export mage --name=It%27s%20nightly --tests=build --unit-tests --runner=heddle --vars=%7B%22day%22:%20%22today%22%7D --task-project-dir=/opt/shop --slots=3 --timeout=90000ms --select=orders plan=d0dc089c0f06eb35
Out of date?  heddle export --check FILE

Each task is a dbt command of its own: on-run-start and on-run-end hooks run in every one.
"""
import os
import signal
import subprocess
import tempfile
from pathlib import Path

DBT = ["heddle"]
# Of every command. A selection that finds nothing is an error.
FLAGS = [
    "--project-dir", "/opt/shop", "--warn-error-options",
    '{"error": ["NoNodesForSelectionCriteria"]}', "--vars", '{"day": "today"}']


def run_dbt(words, timeout):
    """One heddle command; an exit code other than 0 is raised."""
    with tempfile.TemporaryDirectory(prefix="dbt-") as target:
        # Commands side by side must not share a target folder; the saved parse is taken along.
        env = {**os.environ, "DBT_TARGET_PATH": target, "DBT_LOG_PATH": target}
        parsed = Path("/opt/shop", "target", "partial_parse.msgpack")
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
