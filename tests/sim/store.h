/* A cell's store, asked one job at a time: the simulation waits for each, so that threads of the store
 * decide nothing. */
#ifndef KW_TESTS_SIM_STORE_H
#define KW_TESTS_SIM_STORE_H

#include "common/store/store.h"

/* What a job does; `context` is the asker's. */
#define SIM_JOB(name) struct kw_result name(struct kw_tx *tx, void *context, struct kw_error *err)

/* One loop for all stores of the process. */
void sim_stores_start(void);
void sim_stores_stop(void);

struct kw_store *sim_store_open(const char *path, const struct kw_migration *migrations,
                                size_t count);
void sim_store_close(struct kw_store *store); /* accepts NULL */

/* Waits for the answer. */
struct kw_result sim_store_write(struct kw_store *store, SIM_JOB((*job)), void *context,
                                 struct kw_error *err);

#endif
