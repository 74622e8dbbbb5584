import os
import subprocess
import tempfile
from pathlib import Path

if "custom" not in globals():
    from mage_ai.data_preparation.decorators import custom


@custom
def customers_test(*args, **kwargs):
    command = ["dbt", "test", "--select", "fqn:shop.marts.customers", "--indirect-selection", "cautious", "--exclude", "resource_type:unit_test", "--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
    with tempfile.TemporaryDirectory(prefix="dbt-") as target:
        # Blocks side by side must not share a target folder; the saved parse is taken along.
        env = {**os.environ, "DBT_TARGET_PATH": target, "DBT_LOG_PATH": target}
        parsed = Path(os.environ.get("DBT_PROJECT_DIR", "."), "target", "partial_parse.msgpack")
        if parsed.exists():
            env.setdefault("DBT_PARTIAL_PARSE_FILE_PATH", str(parsed.resolve()))
        subprocess.run(command, env=env, timeout=3600, check=True)
