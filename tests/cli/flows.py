"""Exports of tasks that run dbt, loaded without their orchestrators: what each task calls and waits for.

A stand-in of a few classes for Airflow; a YAML reader for Argo and Kestra. A Task is run as its
orchestrator would: bash in an empty folder, a container whose working directory is the project, a
shell in an empty folder.
"""
import os
import re
import shutil
import sys
import tempfile
import types

import jinja2
import yaml

from harness import HEDDLE, PYTHON, Run, clean_env


LONG = 600      # seconds: a machine may have more to do


class Task:
    """id; after: ids; always: runs whatever became of those before."""
    always = False

    def run(self, project, code=0, attempt=1):
        """The finished program, and the folders that may be its target folder."""
        raise NotImplementedError


def run_env(project, **more):
    env = clean_env(**{"DBT_PROJECT_DIR": project, "DBT_PROFILES_DIR": project,
                       "SHOP_DB": os.path.join(project, "shop.duckdb"), **more})
    env["PATH"] = os.pathsep.join([os.path.dirname(HEDDLE), os.path.dirname(PYTHON), env["PATH"]])
    return env


# ---- Airflow

class Dag:
    def __init__(self, dag_id, **more):
        self.dag_id, self.more, self.params, self.tasks = dag_id, more, {}, {}

    def __enter__(self):
        Dag.current = self
        return self

    def __exit__(self, *error):
        pass

    def get_task(self, task_id):
        return self.tasks[task_id]


class Operator(Task):
    def __init__(self, task_id, bash_command=None, python_callable=None, trigger_rule="all_success", **more):
        assert task_id not in Dag.current.tasks, "two tasks %s" % task_id
        self.id = self.task_id = task_id
        self.command, self.call, self.more, self.dag = bash_command, python_callable, more, Dag.current
        self.always = trigger_rule == "all_done"
        self.upstream_task_ids, self.downstream_task_ids = set(), set()
        Dag.current.tasks[task_id] = self

    after = property(lambda self: self.upstream_task_ids)

    def __rshift__(self, other):
        other.upstream_task_ids.add(self.task_id)
        return other

    def __rrshift__(self, others):
        for other in others:
            other >> self
        return self

    def run(self, project, code=0, attempt=1):
        if self.call:
            self.call(dag_run=types.SimpleNamespace(dag_id=self.dag.dag_id, run_id="by hand"))
        if not self.command:
            return None
        with tempfile.TemporaryDirectory() as empty:
            command = jinja2.Template(self.command).render(
                params=self.dag.params, task=self, dag=self.dag, ti=types.SimpleNamespace(try_number=attempt))
            return Run(["bash", "-c", command], empty, run_env(project), LONG).check(code), results_in(
                empty, os.path.join(project, "target", self.id), os.path.join(project, "target"))


def chain(*tasks):
    for before, after in zip(tasks, tasks[1:]):
        before >> after


def load_airflow(path):
    here = "airflow.providers.standard.operators."
    modules = {"airflow": {}, "airflow.sdk": {"DAG": Dag, "Param": lambda default, **more: default, "chain": chain},
               here + "bash": {"BashOperator": Operator}, here + "python": {"PythonOperator": Operator},
               here + "empty": {"EmptyOperator": Operator}}
    for name, members in modules.items():
        module = sys.modules[name] = types.ModuleType(name)
        module.__dict__.update(members)
    text = open(path).read()
    space = {}
    exec(compile(text, path, "exec"), space)
    return space["dag"].tasks


def results_in(*folders):
    """Text of the first run_results.json, which is taken away: the next task writes its own."""
    for folder in folders:
        path = os.path.join(folder, "run_results.json")
        if os.path.exists(path):
            with open(path) as f:
                text = f.read()
            os.remove(path)
            return text
    return None


# ---- Argo, Kestra: every task has a place of its own

class Contained(Task):
    def __init__(self, task_id, after, argv, env, in_project, always=False):
        self.id, self.after, self.argv, self.env, self.in_project = task_id, set(after), argv, env, in_project
        self.always = always

    def run(self, project, code=0, attempt=1):
        with tempfile.TemporaryDirectory() as own:
            parsed = os.path.join(project, "target", "partial_parse.msgpack")      # the image may have it
            if os.path.exists(parsed):
                shutil.copy(parsed, own)
            env = run_env(project, DBT_TARGET_PATH=own, DBT_LOG_PATH=own, **self.env)
            return Run(self.argv, project if self.in_project else own, env, LONG).check(code), results_in(own)


def load_argo(path):
    with open(path) as f:
        spec = yaml.safe_load(f)["spec"]
    spec = spec.get("workflowSpec", spec)
    globals_ = {"workflow.parameters." + p["name"]: p["value"] for p in spec["arguments"]["parameters"]}
    templates = {t["name"]: t for t in spec["templates"]}

    def task(t, after, always=False):
        values = dict(globals_, **{"inputs.parameters." + p["name"]: p["value"]
                                   for p in t.get("arguments", {}).get("parameters", [])})
        container = templates[t["template"]]["container"]

        def filled(text):
            return re.sub(r"{{(.*?)}}", lambda m: values[m.group(1)], text)

        return Contained(t["name"], after, [filled(w) for w in container["command"] + container["args"]],
                         {e["name"]: filled(e["value"]) for e in container.get("env", [])}, True, always)

    tasks = [task(t, t.get("dependencies", [])) for t in templates[spec["entrypoint"]]["dag"]["tasks"]]
    at_exit = templates[spec["onExit"]].get("steps", [])
    tasks += [task(t, [x.id for x in tasks], True) for step in at_exit for t in step
              if "container" in templates[t["template"]]]
    return {t.id: t for t in tasks}


def load_kestra(path):
    with open(path) as f:
        flow = yaml.safe_load(f)
    [defaults] = flow["pluginDefaults"]
    env = {k: str(v) for k, v in defaults["values"]["env"].items()}

    def task(t, after, always=False):
        [line] = t["commands"]
        assert not re.search(r"{[{%#]", line), "an expression of Pebble: %s" % line
        return Contained(t["id"], after, ["/bin/sh", "-c", line], env, False, always)

    [dag] = flow["tasks"]
    tasks = [task(t["task"], t.get("dependsOn", [])) for t in dag["tasks"]]
    tasks += [task(t, [x.id for x in tasks], True) for t in flow.get("finally", [])]
    return {t.id: t for t in tasks}


LOADERS = {"airflow": load_airflow, "argo": load_argo, "kestra": load_kestra}
