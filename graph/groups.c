#include "graph/groups.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "graph/scan.h"

static int
read_owner(struct scan *s, struct arena *a, const char **name, const char **email)
{
	struct scan_text key;
	int more;

	if (scan_peek(s) != SCAN_OBJECT)
		return scan_skip(s);
	if (scan_object(s) < 0)
		return -1;
	while ((more = scan_key(s, &key)) > 0) {
		if (scan_is(&key, "name"))
			more = scan_keep_text(s, a, name);
		else if (scan_is(&key, "email"))
			more = scan_keep_text(s, a, email);
		else
			more = scan_skip(s);
		if (more < 0)
			return -1;
	}
	return more;
}

static int
read_group(struct groups *g, struct scan *s)
{
	const char *group = NULL, *name = NULL, *email = NULL;
	struct scan_text key;
	int more;

	if (scan_peek(s) != SCAN_OBJECT)
		return scan_skip(s);
	if (scan_object(s) < 0)
		return -1;
	while ((more = scan_key(s, &key)) > 0) {
		if (scan_is(&key, "name"))
			more = scan_keep_text(s, &g->arena, &group);
		else if (scan_is(&key, "owner"))
			more = read_owner(s, &g->arena, &name, &email);
		else
			more = scan_skip(s);
		if (more < 0)
			return -1;
	}
	if (group && name)
		map_put(&g->names, group, (void *)(uintptr_t)name);
	if (group && email)
		map_put(&g->emails, group, (void *)(uintptr_t)email);
	return more;
}

static int
read_groups(struct groups *g, struct scan *s)
{
	struct scan_text key;
	int more;

	if (scan_peek(s) != SCAN_OBJECT)
		return scan_skip(s);
	if (scan_object(s) < 0)
		return -1;
	while ((more = scan_key(s, &key)) > 0)
		if (read_group(g, s) < 0)
			return -1;
	return more;
}

int
groups_load(struct groups *g, const char *manifest, struct err *err)
{
	struct scan_text key;
	struct scan s;
	int more = -1;

	if (scan_open(&s, manifest, err) == 0 && scan_object(&s) == 0)
		while ((more = scan_key(&s, &key)) > 0)
			if ((scan_is(&key, "groups") ? read_groups(g, &s) : scan_skip(&s)) < 0) {
				more = -1;
				break;
			}
	scan_close(&s);
	return more;
}

const char *
groups_owner(const struct groups *g, const char *group)
{
	const char *name = map_get(&g->names, group);

	return name ? name : groups_email(g, group);
}

const char *
groups_email(const struct groups *g, const char *group)
{
	return map_get(&g->emails, group);
}

void
groups_release(struct groups *g)
{
	map_release(&g->names);
	map_release(&g->emails);
	arena_release(&g->arena);
	*g = (struct groups)GROUPS_INIT;
}
