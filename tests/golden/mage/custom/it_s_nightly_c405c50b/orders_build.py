from os import path
from runpy import run_path

from mage_ai.settings.repo import get_repo_path

if "custom" not in globals():
    from mage_ai.data_preparation.decorators import custom


@custom
def run(*args, **kwargs):
    shared = run_path(path.join(get_repo_path(), "custom/it_s_nightly_c405c50b/__init__.py"))
    shared["run_dbt"](
        ["build", "--select", "fqn:shop.marts.orders", "--indirect-selection", "cautious"], 90)
