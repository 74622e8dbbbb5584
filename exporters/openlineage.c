/* openlineage.c -- the events of a finished run, as OpenLineage 2-0-2 has them: one JSON object a
 * line.
 *
 * The run itself is a job of its own, and the parent of one run per node. Ids are made of the
 * invocation's id and the node's, so the same run always gives the same events. Data sets are named
 * database.schema.identifier: a source and the model that writes it are one.
 * Spec: openlineage.io/spec/2-0-2/OpenLineage.json and the facets named below.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporters/emit.h"
#include "exporters/exporter.h"
#include "exporters/lineage_run.h"
#include "graph/json.h"
#include "util/clock.h"
#include "util/hash.h"
#include "util/map.h"
#include "util/text.h"
#include "util/xalloc.h"

#define PRODUCER "https://heddle.invalid/export/openlineage"
#define SPEC "https://openlineage.io/spec/"
#define SCHEMA_URL SPEC "2-0-2/OpenLineage.json#/$defs/RunEvent"
#define FACET(version, name) \
	"{\"_producer\":\"" PRODUCER "\",\"_schemaURL\":\"" SPEC "facets/" version \
	"/" name ".json#/$defs/" name "\""

#define UUID_SIZE 37

/* Texts of a node's data set, made once: many tests read one. */
struct dataset {
	const char *head;             /* {"namespace":"...","name":"..." */
	const char *facets;           /* ,"facets":{...}; NULL until an event has them */
	struct dataset *same;         /* the first one met of this name */
	uint32_t listed;              /* the last walk that met this one; of `same` alone */
};

struct lineage {
	struct emit e;
	const struct export_job *job;
	const struct lineage_run *run;
	char parent_id[UUID_SIZE];
	const char *parent_name;      /* "dbt-build" */
	uint32_t *seen, *stack;       /* of walks; by node->index */
	uint32_t walk;
	struct dataset *datasets;     /* by node->index */
	struct map names;             /* of data sets: the first of each name */
	struct arena arena;           /* of their texts */
};

/* ---- ids ---- */

/* Version 7: sorted by time. */
static void
make_uuid(char out[UUID_SIZE], int64_t us, const char *a, const char *b)
{
	uint64_t ms = (uint64_t)(us / 1000);
	uint64_t h = hash_text(hash_text(HASH_START, a), b);
	uint64_t k = hash_text(hash_text(hash_text(HASH_START, "k"), b), a);

	snprintf(out, UUID_SIZE, "%08x-%04x-7%03x-%04x-%012llx", (unsigned)(ms >> 16 & 0xffffffffu),
	    (unsigned)(ms & 0xffffu), (unsigned)(h & 0xfffu),
	    (unsigned)(0x8000u | (h >> 12 & 0x3fffu)),
	    (unsigned long long)(k & 0xffffffffffffULL));
}

static bool
is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'x' ? !text[i] || !strchr("0123456789abcdef", text[i]) :
		    text[i] != form[i])
			return false;
	return strlen(text) == sizeof(form) - 1;
}

/* ---- data sets ---- */

/* What others can read: everything the warehouse holds. */
static bool
is_dataset(const struct node *n)
{
	switch (n->kind) {
	case KIND_MODEL:
		return !node_is_ephemeral(n);
	case KIND_SEED:
	case KIND_SNAPSHOT:
	case KIND_SOURCE:
	case KIND_FUNCTION:
		return true;
	default:
		return false;
	}
}

static void
add_dataset_name(struct buf *out, const struct node *n)
{
	const char *parts[] = { n->database, n->schema, n->alias ? n->alias : n->name };

	for (size_t i = 0; i < 3; i++)
		if (parts[i] && *parts[i])
			buf_addf(out, "%s%s", out->len ? "." : "", parts[i]);
}

/* ,"key":"text" of a JSON string; nothing when there is none. */
static void
add_text(struct emit *e, const char *key, const char *json)
{
	struct buf b = BUF_INIT;

	json_add_string(&b, json);
	if (!text_is_blank(buf_str(&b)))
		emit_add(e, ",\"%s\":%q", key, b.data);
	buf_release(&b);
}

/* schema: the columns the project declares, in its order. */
static void
add_schema(struct emit *e, const struct node *n)
{
	size_t nfields = 0;

	for (const char *c = json_first(node_json(n, NODE_COLUMNS)); c; c = json_next(c)) {
		const char *column = json_value(c);
		struct buf name = BUF_INIT;

		json_add_string(&name, json_get(column, "name"));
		if (name.len && nfields++ == 0)
			emit_add(e, ",\"schema\":" FACET("1-2-0", "SchemaDatasetFacet") ","
			    "\"fields\":[");
		else if (name.len)
			emit_add(e, ",");
		if (name.len) {
			emit_add(e, "{\"name\":%q", name.data);
			add_text(e, "type", json_get(column, "data_type"));
			add_text(e, "description", json_get(column, "description"));
			emit_add(e, "}");
		}
		buf_release(&name);
	}
	if (nfields)
		emit_add(e, "]}");
}

static void
make_dataset_facets(struct emit *e, const struct node *n, const char *space)
{
	struct buf about = BUF_INIT;

	emit_add(e, ",\"facets\":{\"datasetType\":" FACET("1-0-1", "DatasetTypeDatasetFacet") ","
	    "\"datasetType\":\"%s\"}",
	    n->kind == KIND_FUNCTION ? "FUNCTION" :
	    n->materialized && strcmp(n->materialized, "view") == 0 ? "VIEW" : "TABLE");
	if (strstr(space, "://"))
		emit_add(e, ",\"dataSource\":" FACET("1-0-1", "DatasourceDatasetFacet") ","
		    "\"name\":%q,\"uri\":%q}",
		    space, space);
	json_add_string(&about, node_json(n, NODE_DESCRIPTION));
	if (!text_is_blank(buf_str(&about)))
		emit_add(e, ",\"documentation\":" FACET("1-1-0", "DocumentationDatasetFacet") ","
		    "\"description\":%q}",
		    about.data);
	add_schema(e, n);
	emit_add(e, "}");
	buf_release(&about);
}

static struct dataset *
dataset_of(struct lineage *l, const struct node *n)
{
	struct dataset *d = &l->datasets[n->index];
	struct buf name = BUF_INIT, head = BUF_INIT;
	struct emit e;

	if (d->head)
		return d;
	add_dataset_name(&name, n);
	emit_init(&e, &head, &emit_json);
	emit_add(&e, "{\"namespace\":%q,\"name\":%q", l->job->data_namespace, buf_str(&name));
	d->head = arena_strdup(&l->arena, head.data);
	d->same = map_get(&l->names, buf_str(&name));
	if (!d->same) {
		d->same = d;
		map_put(&l->names, arena_strdup(&l->arena, buf_str(&name)), d);
	}
	buf_release(&name);
	buf_release(&head);
	return d;
}

static const char *
facets_of(struct lineage *l, const struct node *n)
{
	struct dataset *d = dataset_of(l, n);
	struct buf text = BUF_INIT;
	struct emit e;

	if (!d->facets) {
		emit_init(&e, &text, &emit_json);
		make_dataset_facets(&e, n, l->job->data_namespace);
		d->facets = arena_strdup(&l->arena, text.data);
		buf_release(&text);
	}
	return d->facets;
}

/* Without its closing brace. facets: as its last event tells. */
static void
open_dataset(struct lineage *l, const struct node *n, bool facets)
{
	buf_adds(l->e.out, dataset_of(l, n)->head);
	if (facets)
		buf_adds(l->e.out, facets_of(l, n));
}

/* ---- inputs ---- */

/* {"assertion": "not_null", "success": true, ...} */
static void
add_assertion(struct lineage *l, const struct node *test, const struct lineage_row *row)
{
	struct emit *e = &l->e;
	const char *kwargs = json_get(node_json(test, NODE_TEST_METADATA), "kwargs");
	struct buf severity = BUF_INIT;

	json_add_string(&severity, json_get(node_json(test, NODE_CONFIG), "severity"));
	emit_add(e, ",\"inputFacets\":{\"dataQualityAssertions\":"
	    FACET("1-1-0", "DataQualityAssertionsDatasetFacet")
	    ",\"assertions\":[{\"assertion\":%q,\"success\":%s",
	    test->test_name ? test->test_name : "custom_sql",
	    strcmp(row->status, "pass") == 0 ? "true" : "false");
	add_text(e, "column", json_get(kwargs, "column_name"));
	if (severity.len)
		emit_add(e, ",\"severity\":\"%s\"",
		    strcasecmp(severity.data, "warn") == 0 ? "warn" : "error");
	emit_add(e, ",\"name\":%q", test->name);
	if (row->failures && !json_is_null(row->failures)) {
		struct buf n = BUF_INIT;

		json_add_compact(&n, row->failures);
		emit_add(e, ",\"expected\":\"0\",\"actual\":%q", buf_str(&n));
		buf_release(&n);
	}
	emit_add(e, "}]}}");
	buf_release(&severity);
}

/* What the test's verdict is about: the node it was declared on, else all it reads. */
static bool
is_tested(const struct node *test, const struct node *input)
{
	return test->kind == KIND_TEST &&
	    (!test->attached || strcmp(test->attached, input->id) == 0);
}

static bool
was_judged(const struct lineage_row *row)
{
	return strcmp(row->status, "pass") == 0 || strcmp(row->status, "fail") == 0 ||
		strcmp(row->status, "warn") == 0;
}

/* One data set read. row: NULL at the start. */
static void
add_input(struct lineage *l, const struct node *n, const struct node *input,
    const struct lineage_row *row)
{
	open_dataset(l, input, row != NULL);
	if (row && is_tested(n, input) && was_judged(row))
		add_assertion(l, n, row);
	buf_addc(l->e.out, '}');
}

/* The data sets nearest above the node, over ephemeral models, each once. row: NULL at the
 * start. */
static void
add_inputs(struct lineage *l, const struct node *n, const struct lineage_row *row)
{
	const struct graph *g = l->job->graph;
	size_t depth = 0, nwritten = 0;

	l->walk++;
	if (n->kind != KIND_UNIT_TEST)    /* reads rows of its own */
		l->stack[depth++] = n->index;
	while (depth) {
		const struct node *at = &g->nodes[l->stack[--depth]];

		for (size_t k = 0; k < at->nparents; k++) {
			const struct node *p = &g->nodes[at->parents[k]];
			struct dataset *d;

			if (l->seen[p->index] == l->walk)
				continue;
			l->seen[p->index] = l->walk;
			if (!is_dataset(p)) {
				l->stack[depth++] = p->index;
				continue;
			}
			d = dataset_of(l, p)->same;
			if (d->listed == l->walk)
				continue;
			d->listed = l->walk;
			buf_adds(l->e.out, nwritten++ ? "," : "");
			add_input(l, n, p, row);
		}
	}
}

/* What it builds, with the rows the warehouse says it wrote. */
static void
add_output(struct lineage *l, const struct node *n, const struct lineage_row *row)
{
	const char *rows = row ? json_get(row->adapter_response, "rows_affected") : NULL;
	long count = rows ? strtol(rows, NULL, 10) : 0;

	if (!is_dataset(n))
		return;
	open_dataset(l, n, row != NULL);
	if (count > 0)
		emit_add(&l->e, ",\"outputFacets\":{\"outputStatistics\":"
		    FACET("1-0-2", "OutputStatisticsOutputDatasetFacet")
		    ",\"rowCount\":%z}}", (size_t)count);
	emit_add(&l->e, "}");
}

/* ---- events ---- */

/* Up to the run's facets, which stay open. */
static void
open_event(struct lineage *l, const char *type, int64_t us, const char *run_id)
{
	char when[CLOCK_ISO_SIZE];

	clock_iso(us, when);
	emit_add(&l->e, "{\"eventType\":\"%s\",\"eventTime\":\"%s\",\"producer\":\""
	    PRODUCER "\",\"schemaURL\":\""
	    SCHEMA_URL "\",\"run\":{\"runId\":\"%s\",\"facets\":{\"processing_engine\":"
	    FACET("1-1-1", "ProcessingEngineRunFacet") ",\"name\":\"dbt\",\"version\":%q}",
	    type, when, run_id, l->run->dbt_version ? l->run->dbt_version : "unknown");
}

static void
add_error(struct lineage *l, const char *json)
{
	struct buf b = BUF_INIT;

	json_add_string(&b, json);
	emit_add(&l->e, ",\"errorMessage\":" FACET("1-0-1", "ErrorMessageRunFacet")
	    ",\"message\":%q,\"programmingLanguage\":\"SQL\"}", b.len ? b.data : "failed");
	buf_release(&b);
}

/* Closes the run; the job up to its facets, which stay open. type: "MODEL", "JOB". */
static void
add_job(struct lineage *l, const char *name, const char *type)
{
	emit_add(&l->e, "}},\"job\":{\"namespace\":%q,\"name\":%q,\"facets\":{"
	    "\"jobType\":" FACET("2-0-4", "JobTypeJobFacet")
	    ",\"processingType\":\"BATCH\",\"integration\":\"DBT\",\"jobType\":\"%s\"}",
	    l->job->title, name, type);
}

static const char *
job_type(enum node_kind kind)
{
	switch (kind) {
	case KIND_SEED:      return "SEED";
	case KIND_SNAPSHOT:  return "SNAPSHOT";
	case KIND_TEST:      return "TEST";
	case KIND_UNIT_TEST: return "UNIT_TEST";
	case KIND_FUNCTION:  return "FUNCTION";
	default:             return "MODEL";
	}
}

static const char *
last_type(const char *status)
{
	return lineage_failed(status) ? "FAIL" : lineage_skipped(status) ? "ABORT" : "COMPLETE";
}

/* One event of a node's run `id`: its start names data sets, its end tells all about them. */
static void
write_event(struct lineage *l, const struct node *n, const struct lineage_row *row, const char *id,
    bool end)
{
	struct emit *e = &l->e;
	const struct lineage_row *told = end ? row : NULL;

	open_event(l, end ? last_type(row->status) : "START",
	    end ? row->ended_us : row->started_us, id);
	emit_add(e, ",\"parent\":" FACET("1-2-0", "ParentRunFacet") ",\"run\":{"
	    "\"runId\":\"%s\"},\"job\":{\"namespace\":%q,"
	    "\"name\":%q}}", l->parent_id, l->job->title, l->parent_name);
	if (end && (lineage_failed(row->status) || lineage_skipped(row->status)))
		add_error(l, row->message);
	add_job(l, n->id, job_type(n->kind));
	if (end && row->compiled_code) {
		struct buf sql = BUF_INIT;

		json_add_string(&sql, row->compiled_code);
		if (!text_is_blank(buf_str(&sql)))
			emit_add(e, ",\"sql\":" FACET("1-1-0", "SQLJobFacet") ",\"query\":%q}",
			    sql.data);
		buf_release(&sql);
	}
	emit_add(e, "}},\"inputs\":[");
	add_inputs(l, n, told);
	emit_add(e, "],\"outputs\":[");
	add_output(l, n, told);
	emit_add(e, "]}\n");
}

static void
write_parent(struct lineage *l, bool end)
{
	struct emit *e = &l->e;

	open_event(l, !end ? "START" : l->run->failed ? "FAIL" : "COMPLETE",
	    end ? l->run->ended_us : l->run->started_us, l->parent_id);
	if (!end)    /* how to make this file again */
		emit_add(e, ",\"heddle\":{\"_producer\":\"" PRODUCER "\",\"_schemaURL\":\"" SPEC
		    "2-0-2/OpenLineage.json#/$defs/RunFacet\",\"madeBy\":%q}", l->job->stamp);
	add_job(l, l->parent_name, "JOB");
	emit_add(e, "}},\"inputs\":[],\"outputs\":[]}\n");
}

/* ---- the file ---- */

/* Nodes that ran: what the run has results of, and the selection takes. */
static bool
is_told(const struct node *n)
{
	return is_dataset(n) ? n->kind != KIND_SOURCE :
	    n->kind == KIND_TEST || n->kind == KIND_UNIT_TEST;
}

static void
write_events(struct lineage *l)
{
	const struct export_job *job = l->job;

	write_parent(l, false);
	for (size_t i = 0; i < l->run->nrows; i++) {
		const struct lineage_row *row = &l->run->rows[i];
		const struct node *n = graph_find(job->graph, row->id);
		char id[UUID_SIZE];

		if (!n || !is_told(n) || !set_has(job->nodes, n->index))
			continue;
		make_uuid(id, row->started_us, l->run->invocation_id, n->id);
		write_event(l, n, row, id, false);
		write_event(l, n, row, id, true);
	}
	write_parent(l, true);
}

static int
openlineage_write(const struct export_job *job, struct buf *out, struct err *err)
{
	size_t n = job->graph->nnodes + 1;
	struct lineage l = { .job = job, .run = job->run };
	struct buf name = BUF_INIT;

	(void)err;
	if (is_uuid(l.run->invocation_id))
		snprintf(l.parent_id, UUID_SIZE, "%s", l.run->invocation_id);
	else
		make_uuid(l.parent_id, l.run->started_us, l.run->invocation_id, "");
	buf_addf(&name, "dbt-%s", l.run->command ? l.run->command : "run");
	l.parent_name = name.data;
	l.seen = xcalloc(n, sizeof(*l.seen));
	l.stack = xcalloc(n, sizeof(*l.stack));
	l.datasets = xcalloc(n, sizeof(*l.datasets));
	emit_init(&l.e, out, &emit_json);
	write_events(&l);
	free(l.seen);
	free(l.stack);
	free(l.datasets);
	map_release(&l.names);
	arena_release(&l.arena);
	buf_release(&name);
	return 0;
}

const struct exporter exporter_openlineage = {
	.name = "openlineage",
	.file = "openlineage",
	.suffix = ".ndjson",
	.summary = "OpenLineage events of a finished run, one a line",
	.fields = GRAPH_DOCS | GRAPH_CONFIG | GRAPH_TESTS,
	.kinds = (1u << NKINDS) - 1,
	.tells = true,
	.write = openlineage_write,
};
