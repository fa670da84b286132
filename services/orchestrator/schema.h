/* The orchestrator's database, as a list of migrations (common/store). What each table is for is
 * said in README.md; the SQL that reads and writes it is in <table>_table.c and nowhere else. */
#ifndef KW_SERVICES_ORCHESTRATOR_SCHEMA_H
#define KW_SERVICES_ORCHESTRATOR_SCHEMA_H

#include "common/store/store.h"

extern const struct kw_migration kw_orch_migrations[];
extern const size_t kw_orch_migration_count;

#endif
