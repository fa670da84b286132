/* Authz's database, as a list of migrations (common/store). What each table is for is said in
 * README.md; the SQL that reads and writes it is in <table>_table.c and nowhere else. */
#ifndef KW_SERVICES_AUTHZ_SCHEMA_H
#define KW_SERVICES_AUTHZ_SCHEMA_H

#include "common/store/store.h"

extern const struct kw_migration kw_authz_migrations[];
extern const size_t kw_authz_migration_count;

#endif
