/* A table of texts, aligned by libsmartcols. */
#ifndef KW_CLI_TABLE_H
#define KW_CLI_TABLE_H

#include "common/base/result.h"

#include <stdio.h>

struct libscols_table;

/* Release with kw_table_done. */
struct kw_table {
    struct libscols_table *scols;
};

/* An empty table with these headings (a list that ends with NULL); with `headings` NULL, two
 * columns without any. Fails: MEMORY. */
struct kw_result kw_table_init(struct kw_table *table, const char *const *headings,
                               struct kw_error *err);

/* Adds a row: as many cells as there are headings, copied. Fails: MEMORY. */
struct kw_result kw_table_add(struct kw_table *table, const char *const *cells, size_t count,
                              struct kw_error *err);

/* Writes it. Fails: SYSTEM. */
struct kw_result kw_table_print(struct kw_table *table, FILE *out, struct kw_error *err);

/* Accepts NULL and zeroed. */
void kw_table_done(struct kw_table *table);

#endif
