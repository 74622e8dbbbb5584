"""What dbt's microbatch code needs of the thread pool and the job queue it usually has."""


class BatchPool:
    """What a microbatch model needs of dbt's thread pool. One for each model, so that one can be
    stopped alone; the threads are shared, and the permits are those of all nodes."""

    def __init__(self, task):
        self.task = task
        self.max_threads = task.config.threads
        self.max_microbatch_models = max(1, task.config.threads // 2)
        self.closed = False

    def is_closed(self):
        return self.closed

    def apply_async(self, func, args=(), callback=None):
        def work():
            with self.task.permits:
                result = func(*args)
            if callback:
                callback(result)
        self.task.batch_threads().submit(work)


class InProgress:
    """The part of dbt's job queue that its microbatch code looks at."""

    def __init__(self):
        self.in_progress = set()
        self.in_progress_microbatch = set()
