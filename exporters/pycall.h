/* exporters/pycall.h -- a Python call: on one line, or its arguments filled into lines of 100.
 *
 *   struct buf args = BUF_INIT;  struct emit a;  emit_init(&a, &args, &emit_python);
 *   emit_add(&a, "%q," PYCALL_BREAK "%q", "orders", "run");
 *   pycall_write(e, "orders = model(", &args, ")");
 *
 * A line may end where a PYCALL_BREAK stands; on one line it is a blank. Quoted strings hold none.
 */
#ifndef HEDDLE_EXPORTERS_PYCALL_H
#define HEDDLE_EXPORTERS_PYCALL_H

#include <stddef.h>

#include "exporters/emit.h"

#define PYCALL_BREAK "\v"

void pycall_write(struct emit *e, const char *open, const struct buf *args, const char *close);

/* ["a", "b"] */
void pycall_list(struct emit *args, const char *const *words, size_t n);

#endif
