/* A store joins where there are many rows, while its donor goes on writing: how long, and what the donor's writers
 * notice of it. KW_JOIN_ROWS says how many rows. */
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/feed_service/feed_service_internal.h"
#include "tests/support/must.h"
#include "tests/support/real_cells.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROWS = 20000, /* if nobody says otherwise */
    AT_ONCE = 1000,
    PATIENCE_S = 3600,
    LATENCIES_MAX = 1 << 20,
    PACE_MS = 200,
};

TestSuite(replicator_many, .init = real_cells_init, .fini = real_cells_done, .timeout = PATIENCE_S);

static uint64_t now_ms(void)
{
    return kw_clock_mono_ns() / 1000000U;
}

#define MANY_EVENTUALLY(condition)                                                                 \
    for (uint64_t end_ms = now_ms() + PATIENCE_S * 1000ULL; !(condition);) {                       \
        REQUIRE(now_ms() < end_ms, "not in time: %s", #condition);                                 \
        hop_turn(&real_house.hop);                                                                 \
    }

static struct kw_result run_fill(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(SIZE_MAX);
    const struct kw_feed_tx feed_tx = {
        .feed = &job->owner->feed, .tx = tx, .arena = arena, .wall_ms = kw_clock_wall_ms()};
    struct kw_result result = KW_OK;
    char key[32];

    for (int i = 0; i < AT_ONCE && kw_ok(result); i++) {
        struct kw_record record;

        (void)snprintf(key, sizeof(key), "row %d", *(const int *)job->in + i);
        record = note(key);
        note_set(&record, NOTE_TAGS, value_set("x"));
        result = kw_feed_change(&feed_tx, &record, NULL, err);
    }
    kw_arena_free(arena);
    return result;
}

/* As one that has had them for long: nobody needs their changes any more. */
static void fill(struct house_owner *owner, int rows)
{
    for (int first = 0; first < rows; first += AT_ONCE) {
        REQUIRE(kw_ok(house_write_job(owner, run_fill, &first, NULL)), "rows");
    }
    MANY_EVENTUALLY(house_number(owner, "SELECT count(*) FROM feed_changes") == 0);
}

static int in_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A change at the donor after the other, until the join is over; how long each took, in ms. */
static size_t write_meanwhile(struct house_owner *donor, double *latencies)
{
    size_t count = 0;

    while (kw_metric_value(KW_M_FEED_JOINED, NULL) == 0 && count < LATENCIES_MAX) {
        uint64_t begun = kw_clock_mono_ns();

        real_note(donor, "meanwhile", (int)count);
        latencies[count++] = (double)(kw_clock_mono_ns() - begun) / 1e6;
    }
    qsort(latencies, count, sizeof(*latencies), in_order);
    return count;
}

Test(replicator_many, a_store_joins_many_rows_while_its_donor_writes)
{
    static double latencies[LATENCIES_MAX];
    struct house_owner *owner = real_authz(US), *donor = real_authz(EU);
    const char *said = getenv("KW_JOIN_ROWS");
    int rows = said != NULL ? (int)strtol(said, NULL, 10) : ROWS;
    uint64_t begun_ms;
    size_t count;

    fill(donor, rows);
    real_cell_stop(US);
    real_owner_lose(owner);
    owner->service->options.pace_ms = PACE_MS;
    begun_ms = now_ms();
    real_cell_begin(US);
    count = write_meanwhile(donor, latencies);
    MANY_EVENTUALLY(real_notes(owner) == real_notes(donor));
    printf("# %d rows, joined and caught up %llu ms after its start; %zu changes at the donor"
           " meanwhile: p50 %.1f ms, p99 %.1f ms, most %.1f ms\n",
           rows, (unsigned long long)(now_ms() - begun_ms), count, latencies[count / 2],
           latencies[count * 99 / 100], latencies[count - 1]);
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "equal"), 0);
    cr_assert(count > 0);
}
