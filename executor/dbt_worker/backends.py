"""Sessions that a killed run has left in the database."""
import re
import sys
import time


class Backends:
    """Sessions of a run in PostgreSQL and its kin. A process that is killed cannot end them: the
    server goes on with their queries and locks until it wants to answer. So the run's id is in
    their application_name, where the next run finds them."""

    NAME_BYTES = 63                        # of application_name, the server cuts the rest
    PATIENCE = 10.0                        # seconds for them to end
    LOOK_AGAIN = 0.25
    QUERY = ("select pid, pg_terminate_backend(pid) from pg_stat_activity "
             "where pid <> pg_backend_pid() and (%s)")

    def __init__(self, adapter):
        self.adapter = adapter
        module = sys.modules.get("dbt.adapters.postgres.connections")
        self.known = module is not None and isinstance(
            adapter.connections, module.PostgresConnectionManager)

    @staticmethod
    def mark(run_id):
        return "heddle:" + re.sub(r"[^0-9a-zA-Z]", "", run_id)[:12]

    def sign(self, run_id):
        """Every connection from now on says whose it is; what the user calls it stays in front."""
        if not self.known:
            return
        from copy import copy
        manager, mark = type(self.adapter.connections), self.mark(run_id)
        original = manager.get_credentials

        def get_credentials(cls, credentials):
            credentials = copy(original(credentials))
            theirs = (credentials.application_name or "").encode()
            theirs = theirs[:self.NAME_BYTES - len(mark) - 1].decode(errors="ignore")
            credentials.application_name = ("%s %s" % (theirs, mark)).strip()
            return credentials

        manager.get_credentials = classmethod(get_credentials)

    def end(self, run_ids):
        """How many sessions of these runs there were. They are gone when it returns."""
        marks = sorted({self.mark(run_id) for run_id in run_ids})
        if not self.known or not marks:
            return 0
        query = self.QUERY % " or ".join("application_name like '%%%s'" % m for m in marks)
        ended, deadline = set(), time.monotonic() + self.PATIENCE
        while True:
            # A transaction sees one state of pg_stat_activity: a new one each time.
            with self.adapter.connection_named("end_backends"):
                _, table = self.adapter.execute(query, auto_begin=False, fetch=True)
            found = [row[0] for row in table.rows]
            ended.update(found)
            if not found or time.monotonic() > deadline:
                return len(ended)
            time.sleep(self.LOOK_AGAIN)
