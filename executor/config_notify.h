/* executor/config_notify.h -- on_failure, on_success and on_recovery of heddle.yml; for
 * config.c. */
#ifndef HEDDLE_EXECUTOR_CONFIG_NOTIFY_H
#define HEDDLE_EXECUTOR_CONFIG_NOTIFY_H

#include "executor/config.h"
#include "executor/config_read.h"

/* A reader for a table of struct config_key; into: struct config. */
int config_notify(struct config_reader *rd, const struct ynode *v, const char *name, void *into);

#endif
