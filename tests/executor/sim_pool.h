/* tests/executor/sim_pool.h -- what a test can do with the simulated pool (sim_pool.c), beside what
 * executor/pool.h says. Times are milliseconds since the start of the run. */
#ifndef HEDDLE_TESTS_SIM_POOL_H
#define HEDDLE_TESTS_SIM_POOL_H

#include "executor/pool.h"

/* Calls fn when the clock gets there; in order, one function a test, at most 8 times. */
void sim_pool_at(int64_t ms, void (*fn)(int64_t now_ms));
void sim_pool_jump_wall(int64_t ms);            /* somebody set the clock */
int64_t sim_pool_wall_at(int64_t ms);           /* wall clock at that moment */
void sim_pool_reset(void);                      /* before each test */

#endif
