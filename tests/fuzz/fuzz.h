/* tests/fuzz/fuzz.h -- a fuzz target is one file that defines LLVMFuzzerTestOneInput(), a folder
 * tests/fuzz/corpus/NAME, and a row of FUZZ in the Makefile; tests/fuzz/NAME.dict is optional. */
#ifndef HEDDLE_TESTS_FUZZ_H
#define HEDDLE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Checks what must hold for any input, and ends the program when it does not. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif
