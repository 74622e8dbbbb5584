/* util/process.h -- which process a number meant. The system uses numbers again, so a record of a
 * process holds more than its number: when it started, on which boot of which machine, in which
 * namespace of process numbers, and the program it runs.
 *
 *   char *mark = process_mark(pid);      into a file; later, in another program:
 *   switch (process_find(mark, &pid)) ...
 *
 * Linux (/proc) and macOS. Elsewhere there are no marks, and nobody is ever found. Thread: any. */
#ifndef HEDDLE_UTIL_PROCESS_H
#define HEDDLE_UTIL_PROCESS_H

#include <stddef.h>

/* One line. New string; NULL when there is no such living process (one that only waits to be reaped
 * is dead), or the system does not tell. */
char *process_mark(long pid);

enum process_found {
	PROCESS_IS_DEAD,        /* surely: it was on this machine and has ended */
	PROCESS_IS_ALIVE,       /* surely that one */
	PROCESS_IS_ELSEWHERE,   /* another machine, boot or container; or the mark is none */
};

/* *pid: its number, also of a dead one; 0 when elsewhere. */
enum process_found process_find(const char *mark, long *pid);

/* Who holds the flock() on the file that fd is open on, by a descriptor they opened or inherited:
 * up to n of them, as many as we may look at. Linux only; elsewhere 0. */
size_t process_lock_holders(int fd, long *pids, size_t n);

#endif
