"""What dbt changes while it runs a node, put back before the node runs again."""
from copy import deepcopy

from dbt.adapters.cache import _make_ref_key

from dbt_worker.results import batches_from

# Fields dbt changes in a node while it compiles and runs it. It never runs a node twice in one
# process; a second try with them changed fails, or runs something else.
CHANGED = ("compiled", "compiled_code", "extra_ctes_injected", "_pre_injected_sql",
           "compiled_path", "build_path", "relation_name")


class Original:
    """A node's state before its first try."""

    def __init__(self, node):
        self.fields = {name: getattr(node, name) for name in CHANGED if hasattr(node, name)}
        self.ctes = list(node.extra_ctes) if hasattr(node, "extra_ctes") else None
        self.deep = {}
        columns = getattr(node, "columns", None) or {}
        if getattr(node, "constraints", None):
            self.deep["constraints"] = deepcopy(node.constraints)
        if any(getattr(column, "constraints", None) for column in columns.values()):
            self.deep["columns"] = deepcopy(columns)

    def restore(self, node):
        values = dict(self.fields, **{k: deepcopy(v) for k, v in self.deep.items()})
        if self.ctes is not None:
            values["extra_ctes"] = list(self.ctes)
        for name, value in values.items():
            try:
                setattr(node, name, value)
            except AttributeError:
                pass                       # a seed has some of them as read-only properties
        if hasattr(node, "clear_event_status"):
            node.clear_event_status()


class SecondTry:
    """Part of Task."""

    def reset(self, node):
        node_id = node.unique_id
        if node_id not in self.originals:
            self.originals[node_id] = Original(node)
            if node_id not in self.last:
                if node_id in self.earlier_batches:
                    node.previous_batch_results = batches_from(self.earlier_batches[node_id])
                return
        self.originals[node_id].restore(node)
        before = self.last.get(node_id, (None, None))[0]
        batches = getattr(before, "batch_results", None)
        if batches is not None and batches.successful and batches.failed:
            node.previous_batch_results = batches
        if getattr(node, "is_relational", False) and not node.is_ephemeral_model:
            try:
                self.refresh_cache(node)
            except Exception:
                pass                       # the database is away; the attempt will say so

    def refresh_cache(self, node):
        """A rolled back transaction leaves dbt's cache with renames that never happened."""
        adapter = self.adapter
        relation = adapter.Relation.create_from(self.config, node)
        name = relation.identifier.lower()
        names = {name, name + "__dbt_tmp", name + "__dbt_backup"}
        with adapter.connection_named("refresh_" + node.unique_id):
            found = adapter.list_relations_without_caching(relation.without_identifier())
        fresh = {_make_ref_key(r): r for r in found if r.identifier.lower() in names}
        with adapter.cache.lock:
            cached = adapter.cache.relations
            for key, known in list(cached.items()):
                if ((known.schema or "").lower() == (relation.schema or "").lower()
                        and (known.identifier or "").lower() in names
                        and (key not in fresh or known.inner.type != fresh[key].type)):
                    del cached[key]        # not drop(): that would take what depends on it along
            for key, r in fresh.items():
                if key not in cached:
                    adapter.cache.add(r)
