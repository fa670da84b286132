/* Kinds of records: a replicated table's number, and the rule of each field it knows. One constant
 * for each table, in a file beside it; docs/replication.md shows them all. */
#ifndef KW_COMMON_SYNC_RECORD_KIND_H
#define KW_COMMON_SYNC_RECORD_KIND_H

#include "common/base/limits.h"
#include "common/sync/rule.h"

#include <stddef.h>
#include <stdint.h>

struct kw_field_kind {
    const char *name;
    enum kw_rule rule; /* 0: there is no such field */
};

/* Numbers of tables and fields are those of the encoding: never used for anything else again. */
struct kw_record_kind {
    uint16_t table;
    const char *name;
    const struct kw_field_kind *fields; /* by number; 0 is none */
    size_t field_end;                   /* the highest number, and 1 */
    uint8_t large[KW_RECORD_LARGE_MAX]; /* numbers of fields that may be as long as any; 0: none */
};

/* `{.table = 7, .name = "grants", KW_RECORD_FIELDS(fields)}` */
#define KW_RECORD_FIELDS(array) .fields = (array), .field_end = sizeof(array) / sizeof((array)[0])

/* The tables' numbers. */
enum kw_record_table {
    KW_TABLE_STORES = 1,   /* common/sync: both owners */
    KW_TABLE_HOLDINGS,     /* common/feed: no rows */
    KW_TABLE_MEMBERS = 16, /* authz */
    KW_TABLE_CERTIFICATES,
    KW_TABLE_INVITATIONS,
    KW_TABLE_GRANTS,
    KW_TABLE_QUOTAS,
    KW_TABLE_AUTHZ_REQUESTS,
    KW_TABLE_DISABLING_FACTS,
    KW_TABLE_DEVICES = 32, /* orchestrator */
    KW_TABLE_KEY_VERSIONS,
    KW_TABLE_FACTS,
    KW_TABLE_WRAPPED_KEYS,
    KW_TABLE_ORCH_REQUESTS,
    KW_TABLE_RECEIPT_HEADS,
    KW_TABLE_BATCHES,
};

/* The field's row, or NULL where the kind knows none. */
const struct kw_field_kind *kw_record_kind_field(const struct kw_record_kind *kind, uint8_t number);

/* How long its value may be. Of a field that the kind does not know as of any that is not large: so a later release
 * makes one large only when every cell knows it. */
size_t kw_record_kind_field_max(const struct kw_record_kind *kind, uint8_t number);

#endif
