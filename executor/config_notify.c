#include "executor/config_notify.h"

#include <string.h>

#include "util/text.h"

static int
hook_command(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	return config_text(rd, v, name, &((struct notify_hook *)into)->command);
}

/* Services that take whoever knows the address: it is a password. */
static bool
is_secret(const char *url)
{
	static const char *const places[] = {
		"hooks.slack.com/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/",
		".webhook.office.com/",
		"chat.googleapis.com/", "hooks.zapier.com/", "events.pagerduty.com/integration/",
	};
	const char *host = strstr(url, "://"), *at = strchr(url, '@');

	if (host && at && at < host + 3 + strcspn(host + 3, "/"))
		return true;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strstr(url, places[i]))
			return true;
	return false;
}

static int
hook_url(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct notify_hook *h = into;

	if (config_text(rd, v, name, &h->url) < 0)
		return -1;
	if (is_secret(h->url)) {
		config_refuse(rd, v, "%s: %s", name,
		    "this address is a secret, and this file is no place for one");
		return err_hint(rd->err, "put it into the environment: url: env:SLACK_URL");
	}
	if (text_starts(h->url, "env:") ? h->url[4] != '\0' :
	    text_starts(h->url, "https://") || text_starts(h->url, "http://"))
		return 0;
	return config_refuse(rd, v, "%s: expected %s", name, "env:NAME, https://... or http://...");
}

static int
hook_format(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	static const char *const words[] = { "json", "slack", NULL };
	size_t which;

	if (config_word(rd, v, name, words, &which) < 0)
		return -1;
	((struct notify_hook *)into)->format = (enum notify_format)which;
	return 0;
}

static int
hook_owner(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	return config_text(rd, v, name, &((struct notify_hook *)into)->owner);
}

static int
hook_timeout(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct notify_hook *h = into;

	if (config_duration(rd, v, name, &h->timeout_ms) < 0)
		return -1;
	if (h->timeout_ms < 1 || h->timeout_ms > NOTIFY_TOTAL_MS)
		return config_refuse(rd, v, "%s: expected %s", name, "at most 30s");
	return 0;
}

static int
hook_headers(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct notify_hook *h = into;

	if (v->type != YT_MAP)
		return config_refuse(rd, v, "%s: expected %s", name, "a mapping of names");
	h->headers = arena_zalloc(rd->arena, v->n, sizeof(*h->headers));
	for (size_t i = 0; i < v->n; i++) {
		struct notify_header *to = &h->headers[i];

		if (config_text(rd, v->keys[i], name, &to->name) < 0 ||
		    config_text(rd, v->items[i], to->name, &to->value) < 0)
			return -1;
		if (strpbrk(to->name, "\r\n: ") || strpbrk(to->value, "\r\n"))
			return config_refuse(rd, v->keys[i], "%s: '%s' is no header", name,
			    to->name);
		h->nheaders++;
	}
	return 0;
}

static int
read_hook(struct config_reader *rd, const struct ynode *v, const char *name, struct notify_hook *h)
{
	static const struct config_key keys[] = {
		{ "command", hook_command }, { "url", hook_url }, { "format", hook_format },
		{ "owner", hook_owner }, { "headers", hook_headers }, { "timeout", hook_timeout },
	};

	h->origin = config_origin(rd, v);
	h->timeout_ms = NOTIFY_TIMEOUT_MS;
	if (CONFIG_MAPPING(rd, v, name, keys, h) < 0)
		return -1;
	if (!h->command == !h->url)
		return config_refuse(rd, v, "%s: expected %s", name, "either 'command' or 'url'");
	if (h->command && (h->nheaders || h->format != NOTIFY_JSON))
		return config_refuse(rd, v, "%s: %s", name, "'headers' and 'format' go with 'url'");
	return 0;
}

int
config_notify(struct config_reader *rd, const struct ynode *v, const char *name, void *into)
{
	struct config *c = into;
	size_t n = v->type == YT_LIST ? v->n : 1, had = c->nhooks;
	struct notify_hook *all = arena_zalloc(&c->arena, had + n, sizeof(*all));
	int event = 0;

	if (had)
		memcpy(all, c->hooks, had * sizeof(*all));
	c->hooks = all;
	while (strcmp(name + strlen("on_"), notify_event_name((enum notify_event)event)) != 0)
		event++;
	for (size_t i = 0; i < n; i++) {
		all[had + i].event = (enum notify_event)event;
		if (read_hook(rd, v->type == YT_LIST ? v->items[i] : v, name, &all[had + i]) < 0)
			return -1;
		c->nhooks++;
	}
	return 0;
}
