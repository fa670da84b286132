/* A database in which anything may stand in any column: what the row readers of the table files must bear. For
 * store_orchestrator_fuzz.c and store_authz_fuzz.c. */
#ifndef KW_TESTS_FUZZ_STORE_ROWS_H
#define KW_TESTS_FUZZ_STORE_ROWS_H

#include "common/base/arena.h"
#include "common/store/store.h"
#include "tests/fuzz/fuzz.h"

/* What every id, and half of every fingerprint, in the rows is, where the input says so. */
extern const struct kw_id kw_fuzz_row_id;

/* Opens a database with this schema and no constraints, once; then begins a transaction and puts in as many rows as the
 * input makes: a byte for the table, one for the column's kind of value, and the values. */
struct kw_tx *kw_fuzz_rows_begin(const struct kw_migration *migrations, size_t count,
                                 struct kw_fuzz_input *input);

/* Takes everything back. */
void kw_fuzz_rows_end(struct kw_tx *tx);

#endif
