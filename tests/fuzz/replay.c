/*
 * replay.c -- runs a fuzz target over files: those named, else its corpus in the source tree
 * (tests/fuzz/corpus/NAME for fuzz_NAME). `make check` does so with every target; `make fuzz`
 * links the same target with libFuzzer instead.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "util/buf.h"
#include "util/fs.h"

static int
replay(const char *path)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	int rc = fs_read(path, &b, &e);

	if (rc < 0)
		fprintf(stderr, "%s\n", e.msg);
	else
		LLVMFuzzerTestOneInput((const uint8_t *)buf_str(&b), b.len);
	err_release(&e);
	buf_release(&b);
	return rc;
}

static int
replay_folder(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	int n = 0, rc = 0;

	if (!d) {
		perror(folder);
		return -1;
	}
	while (rc == 0 && (entry = readdir(d))) {
		char *path = fs_join(folder, entry->d_name);

		if (entry->d_name[0] != '.') {
			rc = replay(path);
			n++;
		}
		free(path);
	}
	closedir(d);
	printf("%d inputs of %s\n", n, folder);
	return rc < 0 || n == 0 ? -1 : 0;
}

int
main(int argc, char **argv)
{
	const char *root = getenv("ROOT"), *name = strstr(fs_base(argv[0]), "fuzz_");
	struct buf folder = BUF_INIT;
	int rc = 0;

	for (int i = 1; rc == 0 && i < argc; i++)
		rc = replay(argv[i]);
	if (argc < 2) {
		buf_addf(&folder, "%s/tests/fuzz/corpus/%s", root ? root : ".",
		    name ? name + 5 : "");
		rc = replay_folder(folder.data);
		buf_release(&folder);
	}
	return rc < 0;
}
