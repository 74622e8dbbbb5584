/* exporters/rows.h -- items that stand in columns: their order in each, and their vertical places.
 *
 * rows_untangle() reorders: each item by the mean place of its neighbours, in sweeps to the right
 * and back, as long as fewer links cross. rows_place() then keeps order and distances and moves
 * each item towards the mean of its neighbours; one column's best places under these limits are an
 * isotonic regression, so a sweep costs no more than the number of items and links.
 * Pure: no library, no clock. Units are the caller's.
 */
#ifndef HEDDLE_EXPORTERS_ROWS_H
#define HEDDLE_EXPORTERS_ROWS_H

#include <stddef.h>
#include <stdint.h>

struct rows_link {
	uint32_t left, right;   /* items in neighbouring columns */
	double weight;          /* how much it wants to be level */
};

struct rows {
	size_t nitems;
	double *y;              /* rows_place: in: a first guess; out: the middle of each item */
	const double *half;     /* half of each item's height, its share of the gap included */
	size_t ncolumns;
	const size_t *start;    /* ncolumns + 1 positions in `order` */
	uint32_t *order;        /* items, column by column, each from top to bottom */
	size_t nlinks;
	const struct rows_link *links;
	/* The item stays inside [low, high]; NULL = no limits. They do not fall in a column. */
	const double *low, *high;
};

/* key: by item; in each column the keys do not fall, before and after. */
void rows_untangle(struct rows *r, const uint32_t *key);
size_t rows_crossings(const struct rows *r);
void rows_place(struct rows *r);

#endif
