from os import path
from runpy import run_path

from mage_ai.settings.repo import get_repo_path

if "custom" not in globals():
    from mage_ai.data_preparation.decorators import custom


@custom
def run(*args, **kwargs):
    shared = run_path(path.join(get_repo_path(), "custom/shop/__init__.py"))
    shared["run_dbt"](["run", "--select", "fqn:shop.staging.stg_payments"], 3600)
