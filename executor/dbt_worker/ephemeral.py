"""Ephemeral models: compiled once, for all their children."""
import threading

from dbt.artifacts.schemas.results import NodeStatus
from dbt.node_types import NodeType


class Ephemerals:
    """Part of Task."""

    def compile_ephemeral_parents(self, node):
        """Each once; a second thread waits for the first. Returns the failed result."""
        if node.resource_type == NodeType.Unit:
            return None                    # its inputs are fixtures
        culprit = None
        for parent in self.ephemeral_parents(node):
            failed = self.compile_ephemeral(parent)
            if failed is not None and (culprit is None or self.verb == "build"):
                culprit = failed
        return culprit

    def ephemeral_parents(self, node):
        """Through other ephemeral models, parents first."""
        order, seen, stack = [], set(), [(node, False)]
        while stack:
            current, left = stack.pop()
            if left:
                order.append(current)
                continue
            if current is not node:
                stack.append((current, True))
            depends_on = getattr(current, "depends_on", None)
            for parent_id in reversed(getattr(depends_on, "nodes", [])):
                parent = self.manifest.nodes.get(parent_id)
                if parent is None or not parent.is_ephemeral_model or parent_id in seen:
                    continue
                seen.add(parent_id)
                stack.append((parent, False))
        return order

    def compile_ephemeral(self, node):
        node_id = node.unique_id
        if node_id in self.ephemeral and self.ephemeral[node_id] is None:
            return None
        with self.guard:
            lock = self.ephemeral_locks.setdefault(node_id, threading.Lock())
        with lock:
            if node_id in self.ephemeral and self.ephemeral[node_id] is None:
                return None
            self.reset(node)
            runner = self.get_runner(node)
            if node_id in self.chosen:
                result = self.call_runner(runner)
                failed = result if result.status == NodeStatus.Error else None
            else:
                # dbt compiles it as part of the child: then the failure is the child's own.
                result = runner.safe_run(self.manifest)
                failed = None
                if result.status == NodeStatus.Error:
                    self.originals[node_id].restore(node)
                    return None
            self.ephemeral[node_id] = failed
            return failed
