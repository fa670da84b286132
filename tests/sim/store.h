/* A cell's store: the product's connection, schema and statements on a file of its own, each job run at
 * once by who asks. The store's threads and queues are left out: they would decide nothing here, and
 * waiting for them was most of what a run took. */
#ifndef KW_TESTS_SIM_STORE_H
#define KW_TESTS_SIM_STORE_H

#include "common/store/store.h"

/* What a job does; `context` is the asker's. */
#define SIM_JOB(name) struct kw_result name(struct kw_tx *tx, void *context, struct kw_error *err)

struct sim_store;

/* Between two jobs the file at `path` is all there is of it: a copy of it is a copy of the store. */
struct sim_store *sim_store_open(const char *path, const struct kw_migration *migrations,
                                 size_t count);
struct kw_id sim_store_id(const struct sim_store *store);
void sim_store_close(struct sim_store *store); /* accepts NULL */

/* One transaction, which is undone if the job fails. */
struct kw_result sim_store_write(struct sim_store *store, SIM_JOB((*job)), void *context,
                                 struct kw_error *err);

#endif
