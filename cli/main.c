/* main.c -- finds the command, runs it, prints its error. */
#include <stdio.h>

#include "util/log.h"
#include "util/text.h"

int
main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	secrets_init();
	puts("heddle " HEDDLE_VERSION);
	secrets_release();
	return 0;
}
