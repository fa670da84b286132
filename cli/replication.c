/* Read, judged, shown. */
#include "cli/replication.h"

#include "cli/json.h"
#include "cli/metrics_page.h"
#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>

#define TEXT_SIZE 32

static const char *const verdicts[] = {
    [KW_REPLICATION_EQUAL] = "EQUAL",
    [KW_REPLICATION_ON_THE_WAY] = "ON THE WAY",
    [KW_REPLICATION_DIFFERENT] = "DIFFERENT",
    [KW_REPLICATION_UNKNOWN] = "UNKNOWN",
};

/* --- reading --- */

static void owner_read(int port, struct kw_replication_held *held)
{
    KW_SCOPED(kw_buf_done) struct kw_buf page = {0};
    struct kw_error error;

    held->known = port != 0 && kw_ok(kw_metrics_page_read(port, &page, &error));
    if (held->known) {
        (void)kw_metrics_page_find((const char *)page.data, KW_M_FEED_DIGEST, "lanes",
                                   &held->lanes);
        (void)kw_metrics_page_find((const char *)page.data, KW_M_FEED_DIGEST, "rows", &held->rows);
    }
}

struct kw_result kw_replication_read(const struct kw_mesh_dir *dir,
                                     struct kw_replication *ret_replication, struct kw_error *err)
{
    struct kw_regions_ports ports;

    KW_TRY(kw_regions_ports(dir, &ports, err));
    *ret_replication = (struct kw_replication){.count = ports.count};
    for (size_t i = 0; i < ports.count; i++) {
        kw_copy(ret_replication->names[i], ports.names[i], KW_REGIONS_NAME_SIZE);
        for (size_t owner = 0; owner < KW_REGIONS_OWNERS; owner++) {
            owner_read(ports.metrics[i][owner], &ret_replication->held[i][owner]);
        }
    }
    return KW_OK;
}

/* --- judging --- */

/* Of this owner of two cells. Two that were told different things may hold different rows. */
static enum kw_replication_verdict judge_two(const struct kw_replication_held *a,
                                             const struct kw_replication_held *b)
{
    if (!a->known || !b->known) {
        return KW_REPLICATION_UNKNOWN;
    }
    if (a->lanes == 0 || a->lanes != b->lanes) {
        return KW_REPLICATION_ON_THE_WAY;
    }
    return a->rows == b->rows ? KW_REPLICATION_EQUAL : KW_REPLICATION_DIFFERENT;
}

/* A fault anywhere counts, whatever is on its way elsewhere. */
static enum kw_replication_verdict worse(enum kw_replication_verdict a,
                                         enum kw_replication_verdict b)
{
    if (a == KW_REPLICATION_DIFFERENT || b == KW_REPLICATION_DIFFERENT) {
        return KW_REPLICATION_DIFFERENT;
    }
    return a > b ? a : b;
}

enum kw_replication_verdict kw_replication_judge(const struct kw_replication *replication)
{
    enum kw_replication_verdict verdict = KW_REPLICATION_EQUAL;

    for (size_t i = 0; i < replication->count; i++) {
        for (size_t j = 0; j <= i; j++) {
            for (size_t owner = 0; owner < KW_REGIONS_OWNERS; owner++) {
                verdict = worse(
                    verdict, judge_two(&replication->held[i][owner], &replication->held[j][owner]));
            }
        }
    }
    return verdict;
}

/* --- showing --- */

/* No figure yet: it joins, or has only just begun. */
static void figure_text(const struct kw_replication_held *held, int64_t figure,
                        char text[TEXT_SIZE])
{
    if (!held->known || figure == 0) {
        (void)snprintf(text, TEXT_SIZE, "%s", held->known ? "not yet" : "unknown");
    } else {
        (void)snprintf(text, TEXT_SIZE, "%012" PRIx64, (uint64_t)figure);
    }
}

static struct kw_result table_show(const struct kw_replication *replication, FILE *out,
                                   struct kw_error *err)
{
    static const char *const headings[] = {
        "cell", "authz lanes", "authz rows", "orchestrator lanes", "orchestrator rows", NULL};
    KW_SCOPED(kw_table_done) struct kw_table table = {0};

    KW_TRY(kw_table_init(&table, headings, err));
    for (size_t i = 0; i < replication->count; i++) {
        char texts[2 * KW_REGIONS_OWNERS][TEXT_SIZE];
        const char *cells[2 * KW_REGIONS_OWNERS + 1] = {replication->names[i]};

        for (size_t owner = 0; owner < KW_REGIONS_OWNERS; owner++) {
            const struct kw_replication_held *held = &replication->held[i][owner];

            figure_text(held, held->lanes, texts[2 * owner]);
            figure_text(held, held->rows, texts[2 * owner + 1]);
            cells[2 * owner + 1] = texts[2 * owner];
            cells[2 * owner + 2] = texts[2 * owner + 1];
        }
        KW_TRY(kw_table_add(&table, cells, 2 * KW_REGIONS_OWNERS + 1, err));
    }
    KW_TRY(kw_table_print(&table, out, err));
    KW_ENSURE(fprintf(out, "%s\n", verdicts[kw_replication_judge(replication)]) > 0, err, SYSTEM,
              "the output takes no more");
    return KW_OK;
}

static json_t *held_json(const struct kw_replication_held *held)
{
    char lanes[TEXT_SIZE], rows[TEXT_SIZE];

    figure_text(held, held->lanes, lanes);
    figure_text(held, held->rows, rows);
    return json_pack("{s:s, s:s}", "lanes", lanes, "rows", rows);
}

static struct kw_result json_show(const struct kw_replication *replication, FILE *out,
                                  struct kw_error *err)
{
    json_t *cells = json_array();

    for (size_t i = 0; i < replication->count; i++) {
        const struct kw_replication_held *held = replication->held[i];

        (void)json_array_append_new(
            cells, json_pack("{s:s, s:o, s:o}", "cell", replication->names[i], "authz",
                             held_json(&held[0]), "orchestrator", held_json(&held[1])));
    }
    return kw_json_line(json_pack("{s:s, s:o}", "verdict",
                                  verdicts[kw_replication_judge(replication)], "cells", cells),
                        out, err);
}

struct kw_result kw_replication_show(const struct kw_replication *replication,
                                     enum kw_output_form form, FILE *out, struct kw_error *err)
{
    return form == KW_OUTPUT_JSON ? json_show(replication, out, err)
                                  : table_show(replication, out, err);
}
