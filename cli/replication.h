/* Do all cells of a development mesh hold the same? By the figures that their owners show at /metrics. */
#ifndef KW_CLI_REPLICATION_H
#define KW_CLI_REPLICATION_H

#include "cli/regions.h"

enum kw_replication_verdict {
    KW_REPLICATION_EQUAL,
    KW_REPLICATION_ON_THE_WAY, /* they were told different things so far; or a cell joins */
    KW_REPLICATION_DIFFERENT,  /* they were told the same, and hold other rows: a fault */
    KW_REPLICATION_UNKNOWN,    /* a cell does not answer */
};

/* Of one owner of one cell. Plain data. */
struct kw_replication_held {
    bool known;    /* it has answered */
    int64_t lanes; /* 0: not known, it may be joining */
    int64_t rows;
};

/* Plain data. */
struct kw_replication {
    size_t count;
    char names[KW_REGIONS_CELLS_MAX][KW_REGIONS_NAME_SIZE]; /* "r1/a" */
    struct kw_replication_held held[KW_REGIONS_CELLS_MAX][KW_REGIONS_OWNERS];
};

/* As kw_regions_read. */
struct kw_result kw_replication_read(const struct kw_mesh_dir *dir,
                                     struct kw_replication *ret_replication, struct kw_error *err);

enum kw_replication_verdict kw_replication_judge(const struct kw_replication *replication);

/* Fails: SYSTEM, MEMORY. */
struct kw_result kw_replication_show(const struct kw_replication *replication,
                                     enum kw_output_form form, FILE *out, struct kw_error *err);

#endif
