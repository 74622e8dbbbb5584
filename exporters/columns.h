/* exporters/columns.h -- which column a box of a layered drawing stands in.
 *
 * Each box right of all its sources (longest path); one with more readers than sources then moves
 * right, next to its first reader, which makes edges shorter. Pure.
 */
#ifndef HEDDLE_EXPORTERS_COLUMNS_H
#define HEDDLE_EXPORTERS_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct layout_edge {
	uint32_t from, to;
};

/* column and loose (no edge touches it; column 0): by box, given as zeros. Returns the number of
 * columns that boxes with edges need. The edges are acyclic. */
size_t columns_choose(size_t nboxes, size_t nedges, const struct layout_edge *edges,
    uint32_t *column, bool *loose);

#endif
