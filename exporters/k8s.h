/* exporters/k8s.h -- what Kubernetes objects share: names, lists, literal texts. */
#ifndef HEDDLE_EXPORTERS_K8S_H
#define HEDDLE_EXPORTERS_K8S_H

#include "exporters/argv.h"
#include "exporters/emit.h"

/* Appends a DNS label of at most `max` bytes: [a-z0-9-], a letter or digit at both ends. */
void k8s_add_name(struct buf *out, const char *text, size_t max);

/* Appends text as a container's argument or environment value keeps it: $(NAME) and $$ mean
 * something to Kubernetes there. */
void k8s_add_literal(struct buf *out, const char *text);

/* `key: [a, "b c"]`, the words as they are. */
void k8s_write_list(struct emit *e, const char *key, const struct argv *words);

#endif
