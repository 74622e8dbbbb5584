"""The worker: a dbt that is asked for one node at a time.  Protocol 1.

heddle starts this package (embedded in its binary, read from the control socket, descriptor 3) and
talks to it in JSON, one message a line.  dbt does what it always does: flags, profile, parsing,
schemas, relation cache, hooks, materializations.  Only the node loop of the command's own task is
replaced, so that it serves requests instead of walking the graph.

Control socket, to the worker:
  {"op":"start","protocol":1,"verb":"build","args":[...]}
  {"op":"begin","ids":[...],"restore":null|{"started_at","invocation_id","invocation_started_at",
        "entries":[...]},"dead_runs":[...],"first_started_at":TIME|absent,"batches":{ID:{...}},
        "elsewhere":[entry,...],"skip_hooks":["on-run-start",...]}
                                             a descriptor may come along: held until the end;
                                             what dead runs left in the database is ended first;
                                             the rest is what dbt retry keeps of microbatch models;
                                             results of other processes, for on-run-end; hooks that
                                             are left out
  {"op":"channels"}                          carries up to 64 sockets; thread i serves the i-th
  {"op":"cancel","id":ID,"attempt":N}
  {"op":"finish","outcomes":[[ID,status,message|null],...],"cancelled":bool}
from the worker:
  {"ev":"hello","protocol":1,"pid","python"}
  {"ev":"parsed", ...what heddle must know of flags, profile and project: Task.facts()}
  {"ev":"ready","threads","hooks":[entry,...],"hooks_failed","skip_nodes","started_at"}
  {"ev":"log","id":ID|null,"level","code","text"}
  {"ev":"done","hooks":[entry,...],"hooks_failed","elapsed","failure":null|text}   it ends by itself
  {"ev":"failed","message"}                                         instead of parsed, ready, done
A channel, to the worker:  {"op":"run","id":ID,"attempt":N}
from the worker:           {"ev":"result","id":ID, ...Task.answer()}
An entry is the JSON text dbt itself would write for the result into run_results.json, or for a
source into sources.json (null where dbt leaves it out).

End of file on the control socket means heddle is gone: cancel what runs, exit.
Works with dbt-core 1.8 to 1.11.
"""
import array

PROTOCOL = 1
