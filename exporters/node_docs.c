#include "exporters/node_docs.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "util/text.h"

static const char *
text_of(const cJSON *item)
{
	return item && cJSON_IsString(item) && !text_is_blank(item->valuestring)
	    ? item->valuestring : NULL;
}

/* One cell of a Markdown table. */
static void
add_cell(struct buf *out, const char *text)
{
	buf_addc(out, ' ');
	for (const char *s = text ? text : ""; *s; s++) {
		if (*s == '|')
			buf_adds(out, "\\|");
		else
			buf_addc(out, *s == '\n' || *s == '\r' ? ' ' : *s);
	}
	buf_adds(out, " |");
}

/* Columns that say more than their name. */
static bool
add_columns(struct buf *out, const cJSON *columns, bool gap)
{
	bool any = false;
	const cJSON *c;

	cJSON_ArrayForEach(c, columns) {
		const char *type = text_of(cJSON_GetObjectItemCaseSensitive(c, "data_type"));
		const char *about = text_of(cJSON_GetObjectItemCaseSensitive(c, "description"));

		if (!type && !about)
			continue;
		if (!any)
			buf_addf(out, "%s| column | type | description |\n|---|---|---|\n",
			    gap ? "\n\n" : "");
		any = true;
		buf_addc(out, '|');
		add_cell(out, c->string);
		add_cell(out, type);
		add_cell(out, about);
		buf_addc(out, '\n');
	}
	return any;
}

bool
node_docs_markdown(struct buf *out, const struct node *n)
{
	const char *about = node_json(n, NODE_DESCRIPTION), *table = node_json(n, NODE_COLUMNS);
	cJSON *description = about ? cJSON_Parse(about) : NULL;
	cJSON *columns = table ? cJSON_Parse(table) : NULL;
	const char *text = text_of(description);
	bool any = text != NULL;

	if (text)
		buf_adds(out, text);
	if (cJSON_IsObject(columns))
		any = add_columns(out, columns, any) || any;
	cJSON_Delete(description);
	cJSON_Delete(columns);
	return any;
}

/* The owner of a `meta`, or NULL. */
static const char *
owner_of(const cJSON *meta)
{
	const cJSON *owner = cJSON_GetObjectItemCaseSensitive(meta, "owner");

	return text_of(cJSON_IsArray(owner) ? cJSON_GetArrayItem(owner, 0) : owner);
}

bool
node_docs_owner(struct buf *out, const struct node *n)
{
	const char *meta_text = node_json(n, NODE_META), *config_text = node_json(n, NODE_CONFIG);
	cJSON *meta = meta_text ? cJSON_Parse(meta_text) : NULL;
	cJSON *config = config_text && strstr(config_text, "\"owner\"") ? cJSON_Parse(config_text)
	    : NULL;
	const char *owner = owner_of(meta);

	if (!owner)
		owner = owner_of(cJSON_GetObjectItemCaseSensitive(config, "meta"));
	if (owner)
		buf_adds(out, owner);
	cJSON_Delete(meta);
	cJSON_Delete(config);
	return owner != NULL;
}
