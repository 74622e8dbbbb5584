#include "executor/notify_body.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/text.h"
#include "util/xalloc.h"

enum {
	MESSAGE_BYTES = 1000,    /* of a node's error, in JSON */
	LINE_BYTES = 200,        /* of its first line, in a chat */
	CHAT_NODES = 10,         /* named in a chat */
};

static size_t
nodes_of(enum notify_event e, const struct notify_run *run, const struct notify_node **nodes)
{
	*nodes = e == NOTIFY_RECOVERY ? run->recovered : run->failed;
	return e == NOTIFY_RECOVERY ? run->nrecovered : run->nfailed;
}

/* ---- JSON ---- */

static void
add_text(struct buf *b, const char *key, const char *text)
{
	buf_addf(b, ", \"%s\": ", key);
	if (text)
		text_add_json(b, text);
	else
		buf_adds(b, "null");
}

static void
add_message(struct buf *b, const char *message)
{
	char *cut = message ? xstrndup(message, strnlen(message, MESSAGE_BYTES)) : NULL;

	add_text(b, "message", cut);
	free(cut);
}

static void
add_node(struct buf *b, const struct notify_node *n)
{
	buf_adds(b, "{\"unique_id\": ");
	text_add_json(b, n->node->id);
	add_text(b, "name", n->node->name);
	add_text(b, "resource_type", kind_name(n->node->kind));
	add_text(b, "status", result_status_name(n->status));
	add_text(b, "class", n->class == CLASS_NONE ? NULL : error_class_name(n->class));
	add_message(b, n->message);
	add_text(b, "owner", n->owner);
	add_text(b, "group", n->node->group);
	buf_addf(b, ", \"attempts\": %u, \"seconds\": %.3f}", n->attempts,
	    (double)n->busy_ms / 1000);
}

char *
notify_json_body(enum notify_event e, const struct notify_run *run)
{
	const struct notify_node *nodes;
	size_t n = nodes_of(e, run, &nodes);
	char started[CLOCK_ISO_SIZE];
	struct buf b = BUF_INIT;

	clock_iso(run->started_ms * 1000, started);
	buf_addf(&b, "{\"heddle\": 1, \"event\": \"%s\"", notify_event_name(e));
	add_text(&b, "project", run->project);
	add_text(&b, "target", run->target);
	add_text(&b, "command", run->command);
	add_text(&b, "run_id", run->run_id);
	buf_addf(&b, ", \"exit_code\": %d, \"started_at\": \"%s\", \"seconds\": %.3f",
	    run->exit_code, started, (double)run->took_ms / 1000);
	add_text(&b, "error", run->error);
	buf_addf(&b,
	    ", \"counts\": {\"good\": %zu, \"warned\": %zu, \"failed\": %zu, \"skipped\": %zu}",
	    run->ngood, run->nwarned, run->nfailed, run->nskipped);
	buf_adds(&b, ", \"nodes\": [");
	for (size_t i = 0; i < n && i < NOTIFY_NODES; i++) {
		buf_adds(&b, i ? ", " : "");
		add_node(&b, &nodes[i]);
	}
	buf_addf(&b, "], \"more_nodes\": %zu}", n > NOTIFY_NODES ? n - NOTIFY_NODES : 0);
	return buf_detach(&b);
}

/* ---- Slack's incoming webhooks ---- */

/* Its three characters (api.slack.com, formatting text), after what is unsafe anywhere. */
static void
add_chat(struct buf *b, const char *text)
{
	struct buf safe = BUF_INIT;

	text_add_safe(&safe, text, false, NULL);
	for (const char *s = buf_str(&safe); *s; s++)
		switch (*s) {
		case '&': buf_adds(b, "&amp;"); break;
		case '<': buf_adds(b, "&lt;"); break;
		case '>': buf_adds(b, "&gt;"); break;
		default:  buf_addc(b, *s);
		}
	buf_release(&safe);
}

static void
add_first_line(struct buf *b, const char *message)
{
	size_t n = strcspn(message, "\n");
	char *line = xstrndup(message, n < LINE_BYTES ? n : LINE_BYTES);

	buf_adds(b, ": ");
	add_chat(b, line);
	free(line);
}

static void
add_heading(struct buf *b, enum notify_event e, const struct notify_run *run)
{
	static const char *const signs[] = { ":x:", ":white_check_mark:", ":large_green_circle:" };
	static const char *const words[] = { "failed", "succeeded", "is well again" };

	buf_addf(b, "%s *heddle %s*", signs[e], run->command);
	if (run->project) {
		buf_adds(b, " of ");
		add_chat(b, run->project);
	}
	if (run->target) {
		buf_adds(b, " (");
		add_chat(b, run->target);
		buf_addc(b, ')');
	}
	buf_addf(b, " %s: %zu good, %zu failed, %zu skipped, %.1f s", words[e],
	    run->ngood + run->nwarned, run->nfailed, run->nskipped, (double)run->took_ms / 1000);
}

char *
notify_slack_body(enum notify_event e, const struct notify_run *run)
{
	const struct notify_node *nodes;
	size_t n = nodes_of(e, run, &nodes);
	struct buf text = BUF_INIT, b = BUF_INIT;

	add_heading(&text, e, run);
	if (run->error)
		add_first_line(&text, run->error);
	for (size_t i = 0; i < n && i < CHAT_NODES; i++) {
		buf_adds(&text, "\n• ");
		add_chat(&text, nodes[i].node->id);
		buf_addf(&text, " %s", result_status_name(nodes[i].status));
		if (nodes[i].owner) {
			buf_adds(&text, " (");
			add_chat(&text, nodes[i].owner);
			buf_addc(&text, ')');
		}
		if (nodes[i].message && e == NOTIFY_FAILURE)
			add_first_line(&text, nodes[i].message);
	}
	if (n > CHAT_NODES)
		buf_addf(&text, "\n… and %zu more", n - CHAT_NODES);
	buf_adds(&b, "{\"text\": ");
	text_add_json(&b, text.data);
	buf_addc(&b, '}');
	buf_release(&text);
	return buf_detach(&b);
}
