"""Cancelling what runs: one attempt that heddle names, or all once heddle is gone."""
import functools
import threading
import time

EXIT_GRACE = 4.0          # seconds for running queries to end once heddle is gone
CANCEL_AGAIN = 0.25       # a cancel may fall between two statements, so it is repeated


class Place:
    """A thread inside a node: what a cancel needs to find its connection."""

    def __init__(self, node_id):
        self.node_id = node_id             # None once the node has left
        self.lock = threading.Lock()       # held by a cancel, and to leave: a late cancel must not
                                           # reach the next node of this thread


class Cancelling:
    """Part of Task."""

    def cancel_once(self, node_id, attempt):
        """False when that attempt has ended."""
        if self.ended.get(node_id, 0) >= attempt:
            return False
        if node_id in self.pools:
            self.pools[node_id].closed = True          # no further batches
        for key, place in list(self.places.items()):
            with place.lock:
                if place.node_id == node_id:
                    self.cancel_connection(key)
        return True

    def abandon(self):
        """heddle is gone: leave no query behind."""
        self.enter_thread()
        manager = self.adapter.connections
        deadline = time.monotonic() + EXIT_GRACE
        while True:
            if hasattr(manager, "cancel"):
                cancels = [functools.partial(self.cancel_connection, key)
                           for key in list(manager.thread_connections)]
            else:
                cancels = [self.cancel_all]
            for cancel in cancels:
                try:
                    cancel()
                except Exception:
                    pass                   # it may just have ended
            time.sleep(CANCEL_AGAIN)
            if not self.places or time.monotonic() > deadline:
                return

    def cancel_connection(self, key):
        manager = self.adapter.connections
        connection = manager.thread_connections.get(key)
        # A connection that is not open has a lazy handle: touching it would open it.
        state = connection and str(getattr(connection.state, "value", connection.state))
        if state != "open" or key == manager.get_thread_identifier():
            return
        if not hasattr(manager, "cancel"):
            # Some adapters can cancel all queries or none; heddle's grace period ends a node
            # that must go alone.
            wanted = {node_id for node_id, _ in list(self.canceller.wanted)}
            if all(place.node_id in wanted for place in list(self.places.values())):
                self.cancel_all()
        else:
            with self.adapter.connection_named("cancel"):
                manager.cancel(connection)

    def cancel_all(self):
        with self.adapter.connection_named("cancel"):
            self.adapter.cancel_open_connections()


class Canceller(threading.Thread):
    """Cancels attempts until they have ended."""

    def __init__(self, task):
        super().__init__(name="cancel", daemon=True)
        self.task = task
        self.wanted = set()                # of (id, attempt)
        self.wake = threading.Condition()  # guards wanted
        self.start()

    def add(self, attempt):
        with self.wake:
            self.wanted.add(attempt)
            self.wake.notify()

    def run(self):
        self.task.enter_thread()
        while True:
            with self.wake:
                while not self.wanted:
                    self.wake.wait()
                wanted = list(self.wanted)
            for attempt in wanted:
                try:
                    running = self.task.cancel_once(*attempt)
                except Exception:
                    running = True         # no connection to cancel with: try again
                if not running:
                    with self.wake:
                        self.wanted.discard(attempt)
            time.sleep(CANCEL_AGAIN)
