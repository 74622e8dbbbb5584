/* load_one.c -- reads one manifest in one way, for bench/load: load_one heddle|state|cjson|read
 * FILE */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "graph/manifest.h"
#include "util/fs.h"
#include "util/log.h"

static int
load(const char *path, unsigned fields)
{
	struct err e = ERR_INIT;
	struct graph *g = graph_new();
	int rc = manifest_load(g, path, fields, NULL, &e);

	if (rc < 0)
		log_err(&e);
	else
		printf("%zu nodes\n", g->nnodes);
	err_release(&e);
	graph_free(g);
	return rc;
}

static int
parse_whole(const char *path)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	cJSON *json = NULL;

	if (fs_read(path, &b, &e) < 0)
		log_err(&e);
	else
		json = cJSON_ParseWithLength(b.data, b.len);
	err_release(&e);
	printf("%s\n", json ? "parsed" : "refused");
	return json ? 0 : -1;   /* freeing it would only cost time */
}

static int
read_only(const char *path)
{
	static char piece[256 << 10];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0)
		;
	close(fd);
	return n < 0 ? -1 : 0;
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (strcmp(argv[1], "heddle") == 0)
		return load(argv[2], 0) < 0;
	if (strcmp(argv[1], "state") == 0)
		return load(argv[2], ~0u) < 0;
	if (strcmp(argv[1], "cjson") == 0)
		return parse_whole(argv[2]) < 0;
	return read_only(argv[2]) < 0;
}
