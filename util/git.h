/* util/git.h -- which commit a folder stands at, read from git's files. Thread: any. */
#ifndef HEDDLE_UTIL_GIT_H
#define HEDDLE_UTIL_GIT_H

/* The hash HEAD means in the checkout that holds dir (also a linked worktree or a submodule). New
 * string; NULL when there is none, or none that plain files tell (git's reftable format). */
char *git_commit(const char *dir);

#endif
