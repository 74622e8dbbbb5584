import os
import subprocess
import tempfile
from pathlib import Path

if "custom" not in globals():
    from mage_ai.data_preparation.decorators import custom


@custom
def payments_belong_to_orders__test(*args, **kwargs):
    command = ["heddle", "test", "--select", "fqn:shop.payments_belong_to_orders", "--project-dir", "/opt/shop", "--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}', "--vars", '{"day": "today"}']
    with tempfile.TemporaryDirectory(prefix="dbt-") as target:
        # Blocks side by side must not share a target folder; the saved parse is taken along.
        env = {**os.environ, "DBT_TARGET_PATH": target, "DBT_LOG_PATH": target}
        parsed = Path("/opt/shop", "target", "partial_parse.msgpack")
        if parsed.exists():
            env.setdefault("DBT_PARTIAL_PARSE_FILE_PATH", str(parsed.resolve()))
        subprocess.run(command, env=env, timeout=90, check=True)
