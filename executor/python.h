/* executor/python.h -- which Python interpreter has dbt.
 *
 * The first of these that can import dbt: `python` (--python), $HEDDLE_PYTHON, the one of
 * $VIRTUAL_ENV, the one the `dbt` on PATH runs with, and the project's own .venv, which counts only
 * when it belongs to the user (another's folder is not run). One that was named by the user
 * (--python, $HEDDLE_PYTHON) is not passed over: without dbt it is an error.
 * Thread: any. */
#ifndef HEDDLE_EXECUTOR_PYTHON_H
#define HEDDLE_EXECUTOR_PYTHON_H

#include "util/err.h"

/* project_dir may be NULL. New string; NULL: err says what was tried and what to do. */
char *python_find(const char *python, const char *project_dir, struct err *err);

/* The interpreter a console script runs with (its first lines), or NULL. New string. */
char *python_of_script(const char *path);

#endif
