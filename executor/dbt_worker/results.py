"""A result of dbt's as the entry it would write, and in words where dbt has none."""
import json
from datetime import datetime

from dbt.artifacts.schemas.freshness import FreshnessExecutionResultArtifact, FreshnessResult
from dbt.artifacts.schemas.run import process_run_result
from dbt.node_types import NodeType
from dbt_common.utils.encoding import JSONEncoder


def is_source(node):
    return node.resource_type == NodeType.Source


def entry_of(result):
    if not is_source(result.node):
        return json.dumps(process_run_result(result).to_dict(omit_none=False), cls=JSONEncoder)
    entries = FreshnessExecutionResultArtifact.from_result(FreshnessResult.from_node_results(
        [result], 0.0, datetime.now())).to_dict(
            omit_none=False, context={"artifact": True})["results"]
    return json.dumps(entries[0], cls=JSONEncoder) if entries else None


def batches_from(data):
    """What a microbatch model's entry says of its batches; dbt knows them from 1.9 on."""
    from dbt.artifacts.schemas.batch_results import BatchResults
    return BatchResults.from_dict(data)


def duration(seconds):
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if abs(seconds) >= length:
            break
    number = "%.3g" % (seconds / length)
    return "%s %s%s" % (number, unit, "s" * (number != "1"))


def age_of(result):
    """What dbt does not say of a source it has checked."""
    limits = ["%s after %d %s%s" % (word, limit.count, limit.period, "s" * (limit.count != 1))
              for word, limit in (("warn", result.node.freshness.warn_after),
                                  ("error", result.node.freshness.error_after)) if limit]
    at = result.max_loaded_at
    loaded = "last loaded %s ago, at %s" % (
        duration(result.age), at.strftime("%Y-%m-%d %H:%M:%S %Z").strip())
    return "%s; %s" % ("never loaded" if at.year == 1 else loaded, ", ".join(limits))
