/* What all cells say when it is quiet, held against what was acknowledged. */
#include "common/base/codec.h"
#include "common/crypto/digest.h"
#include "common/feed/feed_answer.h"
#include "common/sync/request_record.h"
#include "services/authz/grant_merge.h"
#include "services/authz/member_merge.h"
#include "services/authz/request_merge.h"
#include "services/orchestrator/key_merge.h"
#include "tests/sim/truth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BYTES = 64 << 20
};

static const char select_rows[] = "SELECT kind, key, record FROM feed_records ORDER BY kind, key";

/* So often something was said, certainly and at all. */
struct tally {
    unsigned certain;
    unsigned possible;
};

struct expected {
    struct tally partners[SIM_PARTNERS_MAX];
    struct tally revoked[SIM_PARTNERS_MAX];
    struct tally stopped[SIM_PARTNERS_MAX]; /* revoked or suspended */
    struct tally suspended[SIM_PARTNERS_MAX][SIM_SUSPENSIONS_MAX];
    struct tally lifted[SIM_PARTNERS_MAX][SIM_SUSPENSIONS_MAX];
    struct tally grants[SIM_GRANTS_MAX];
    struct tally grants_revoked[SIM_GRANTS_MAX];
    struct tally runs[SIM_REQUESTS_MAX];
    struct tally keys[SIM_KEYS_MAX];
};

static struct tally *tally_of(struct expected *expected, const struct sim_said *said)
{
    switch (said->what) {
    case SIM_MADE_PARTNER:
        return &expected->partners[said->which];
    case SIM_REVOKED_PARTNER:
        return &expected->revoked[said->which];
    case SIM_SUSPENDED:
        return &expected->suspended[said->which][said->sub];
    case SIM_LIFTED:
        return &expected->lifted[said->which][said->sub];
    case SIM_MADE_GRANT:
        return &expected->grants[said->which];
    case SIM_REVOKED_GRANT:
        return &expected->grants_revoked[said->which];
    case SIM_RAN:
        return &expected->runs[said->which];
    case SIM_MADE_KEY:
        return &expected->keys[said->which];
    case SIM_REVOKED_ALL:
        break;
    }
    return NULL;
}

/* What is seen at once: whether, and of requests whether more than once. */
static void cap(struct tally *tallies, size_t count, unsigned most)
{
    for (size_t i = 0; i < count; i++) {
        tallies[i].certain = tallies[i].certain < most ? tallies[i].certain : most;
        tallies[i].possible = tallies[i].possible < most ? tallies[i].possible : most;
    }
}

static void expect_stopped(struct expected *expected, size_t partner)
{
    struct tally *stopped = &expected->stopped[partner];

    *stopped = expected->revoked[partner];
    for (size_t i = 0; i < SIM_SUSPENSIONS_MAX; i++) {
        struct tally set = expected->suspended[partner][i];
        struct tally lifted = expected->lifted[partner][i];

        stopped->certain += set.certain > 0 && lifted.possible == 0;
        stopped->possible += set.possible > 0 && lifted.certain == 0;
    }
}

static void expect(struct sim *sim, struct expected *expected)
{
    for (size_t i = 0; i < sim->truth->said_count; i++) {
        const struct sim_said *said = &sim->truth->said[i];
        struct tally *tally = tally_of(expected, said);
        bool certain = sim_truth_certain(sim, said);

        sim->counts.doubtful += !certain;
        if (tally != NULL) {
            tally->certain += certain;
            tally->possible++;
        }
    }
    for (size_t i = 0; i < SIM_PARTNERS_MAX; i++) {
        expect_stopped(expected, i);
    }
    cap(expected->partners, SIM_PARTNERS_MAX, 1);
    cap(expected->revoked, SIM_PARTNERS_MAX, 1);
    cap(expected->stopped, SIM_PARTNERS_MAX, 1);
    cap(expected->grants, SIM_GRANTS_MAX, 1);
    cap(expected->grants_revoked, SIM_GRANTS_MAX, 1);
    cap(expected->runs, SIM_REQUESTS_MAX, 2);
    cap(expected->keys, SIM_KEYS_MAX, 1);
}

/* --- one cell --- */

struct looking {
    struct sim *sim;
    const struct expected *expected;
    struct sim_cell *cell;
    struct kw_arena *arena;
    uint8_t digest[KW_SHA256_LEN];
    uint64_t waiting; /* held or in quarantine */
};

static struct kw_result digest_rows(struct looking *looking, struct kw_tx *tx,
                                    struct kw_digest *digest, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found = true;

    KW_TRY(kw_sql(tx, select_rows, &stmt, err));
    while (found) {
        KW_TRY(kw_step(stmt, &found, err));
        if (found) {
            KW_TRY(kw_digest_update(digest, kw_col_blob(stmt, 1), err));
            KW_TRY(kw_digest_update(digest, kw_col_blob(stmt, 2), err));
        }
    }
    return kw_digest_final(digest, looking->digest, err);
}

/* Is it as often as was certainly said, and no more often than it was said at all? */
static void want(struct looking *looking, unsigned is, struct tally said, const char *what,
                 size_t which)
{
    if (is < said.certain || is > said.possible) {
        sim_violation(
            looking->sim,
            "when all is quiet, cell %zu says %u times: %s %zu; it was acknowledged %u to "
            "%u times",
            looking->cell->index, is, what, which, said.certain, said.possible);
    }
}

static struct kw_result look_at_partner(struct looking *looking, struct kw_tx *tx, size_t which,
                                        struct kw_error *err)
{
    const struct kw_id *id = &looking->sim->truth->partners[which].id;
    const struct expected *expected = looking->expected;
    struct kw_record record = {0};
    bool found;

    KW_TRY(
        kw_feed_find(tx, &kw_member_record, kw_id_bytes(id), looking->arena, &record, &found, err));
    want(looking, found, expected->partners[which], "partner", which);
    want(looking, kw_member_record_revoked(&record), expected->revoked[which],
         "revocation of partner", which);
    want(looking, kw_member_record_stopped(&record), expected->stopped[which],
         "suspension of partner", which);
    return KW_OK;
}

static struct kw_result look_at_grant(struct looking *looking, struct kw_tx *tx, size_t which,
                                      struct kw_error *err)
{
    const struct sim_grant *grant = &looking->sim->truth->grants[which];
    const struct expected *expected = looking->expected;
    struct kw_record record = {0};
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_grant_record, kw_id_bytes(&grant->id), looking->arena, &record,
                        &found, err));
    want(looking, kw_record_has(&record, KW_GRANT_FIELD_PARTNER), expected->grants[which], "grant",
         which);
    want(looking, kw_grant_record_revoked(&record), expected->grants_revoked[which],
         "revocation of grant", which);
    return KW_OK;
}

static struct kw_result look_at_request(struct looking *looking, struct kw_tx *tx, size_t which,
                                        struct kw_error *err)
{
    const uint8_t key[] = {0x7e, (uint8_t)which};
    struct kw_record record = {0};
    unsigned runs;
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_authz_request_record, KW_BYTES_OF(key), looking->arena, &record,
                        &found, err));
    runs = kw_request_record_twice(&record) ? 2 : found;
    want(looking, runs, looking->expected->runs[which], "request", which);
    return KW_OK;
}

static struct kw_result look_at_key(struct looking *looking, struct kw_tx *tx, size_t which,
                                    struct kw_error *err)
{
    const struct sim_key *key = &looking->sim->truth->keys[which];
    struct kw_record record = {0};
    uint8_t check_value[8];
    bool found;

    kw_be64_store(check_value, key->check_value);
    KW_TRY(kw_feed_find(tx, &kw_key_record, KW_BYTES_OF(key->name), looking->arena, &record, &found,
                        err));
    want(looking,
         found && kw_bytes_equal(kw_record_value(&record, KW_KEY_FIELD_CHECK_VALUE),
                                 KW_BYTES_OF(check_value)),
         looking->expected->keys[which], "key", which);
    return KW_OK;
}

static struct kw_result count_waiting(struct looking *looking, struct kw_tx *tx,
                                      struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(
        tx, "SELECT (SELECT count(*) FROM feed_held) + (SELECT count(*) FROM feed_quarantine)",
        &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    looking->waiting = (uint64_t)kw_col_i64(stmt, 0);
    return KW_OK;
}

/* None has forked: in here no store runs twice. None goes beyond what its store's fence honours. */
static struct kw_result look_at_lanes(struct looking *looking, struct kw_tx *tx,
                                      struct kw_error *err)
{
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;

    KW_TRY(kw_feed_lanes(&looking->cell->feed, tx, KW_ID_NONE, lanes, SIM_LANES_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        size_t member = sim_desk_find(looking->sim, lanes[i].lane.store);

        if (lanes[i].stopped) {
            sim_violation(looking->sim, "cell %zu says that a lane has forked",
                          looking->cell->index);
        }
        if (lanes[i].point.seq > sim_desk_honours(looking->sim, member, lanes[i].id)) {
            sim_violation(looking->sim, "cell %zu holds more than a fence honours",
                          looking->cell->index);
        }
    }
    return KW_OK;
}

static SIM_JOB(look)
{
    struct looking *looking = context;
    const struct sim_truth *truth = looking->sim->truth;
    struct kw_digest digest;
    struct kw_result result;

    for (size_t i = 0; i < truth->partner_count; i++) {
        KW_TRY(look_at_partner(looking, tx, i, err));
    }
    for (size_t i = 0; i < truth->grant_count; i++) {
        KW_TRY(look_at_grant(looking, tx, i, err));
    }
    for (size_t i = 0; i < SIM_REQUESTS_MAX; i++) {
        KW_TRY(look_at_request(looking, tx, i, err));
    }
    for (size_t i = 0; i < truth->key_count; i++) {
        KW_TRY(look_at_key(looking, tx, i, err));
    }
    KW_TRY(count_waiting(looking, tx, err));
    KW_TRY(look_at_lanes(looking, tx, err));
    KW_TRY(kw_digest_init(&digest, KW_DIGEST_SHA256, err));
    result = digest_rows(looking, tx, &digest, err);
    kw_digest_done(&digest);
    return result;
}

/* Who holds how much of whose lane, for the trace. */
static void note_lanes(struct sim *sim, const struct sim_cell *cell)
{
    for (size_t i = 0; i < cell->lane_count; i++) {
        sim_note(sim, "%zu holds %llu of %zu, promised %lld ms ago", cell->index,
                 (unsigned long long)cell->lanes[i].extent.seq, cell->lanes[i].member,
                 (long long)(sim->now_ms - kw_hlc_ms(cell->lanes[i].extent.closed)));
    }
}

/* Who was fenced, and whose tail was lost with the last disk that had it, is waited for until an officer says otherwise. */
bool sim_truth_is_fresh(struct sim *sim, size_t cell)
{
    struct kw_freshness oldest = sim_cell_freshness(sim, cell);

    return oldest.age_ms <= SIM_STALE_MS ||
           sim->desk->members[sim_desk_find(sim, oldest.store)].fenced;
}

/* So is a new life of which another held more, that was set back itself; or of whose last one somebody was said to hold more
 * than there is, who would be fenced. */
static bool waits_for_what_is_lost(struct sim *sim, size_t cell)
{
    size_t oldest = sim_desk_find(sim, sim_cell_freshness(sim, cell).store);
    const struct sim_cell *waits = &sim->cells[sim->desk->members[oldest].cell];
    const char *awaited = waits->feed.unsettled.cell;

    if (waits->lied_to) {
        return true;
    }
    for (size_t i = 0; i < sim->cell_count; i++) {
        const struct sim_cell *other = &sim->cells[i];
        size_t region = strlen(other->place.region);

        if (strncmp(awaited, other->place.region, region) == 0 && awaited[region] == '/' &&
            strcmp(awaited + region + 1, other->place.cell) == 0) {
            return sim->desk->members[other->member].life_count > 1;
        }
    }
    return false;
}

static void look_at_cell(struct sim *sim, size_t index, const struct expected *expected,
                         uint8_t ret_digest[KW_SHA256_LEN])
{
    struct looking looking = {.sim = sim,
                              .expected = expected,
                              .cell = &sim->cells[index],
                              .arena = kw_arena_new(ARENA_BYTES)};

    note_lanes(sim, looking.cell);
    SIM_MUST(sim_store_write(looking.cell->store, look, &looking, err));
    kw_arena_free(looking.arena);
    if (looking.waiting > 0) {
        sim_violation(sim, "cell %zu still holds %llu changes back", index,
                      (unsigned long long)looking.waiting);
    }
    if (looking.cell->joining) {
        sim_violation(sim, "cell %zu still joins", index);
    }
    if (!sim_truth_is_fresh(sim, index) && !waits_for_what_is_lost(sim, index)) {
        sim_violation(sim, "cell %zu still has too old a promise", index);
    }
    memcpy(ret_digest, looking.digest, KW_SHA256_LEN);
}

/* --- which rows differ, for the trace --- */

enum {
    ROWS_MAX = 1 << 13
};

struct listed {
    int64_t kind;
    struct kw_bytes key;
    struct kw_bytes record;
};

struct listing {
    struct kw_arena *arena;
    struct listed rows[ROWS_MAX];
    size_t count;
};

static SIM_JOB(list_rows)
{
    struct listing *listing = context;
    struct kw_stmt *stmt;
    bool found = true;

    KW_TRY(kw_sql(tx, select_rows, &stmt, err));
    while (found && listing->count < ROWS_MAX) {
        struct listed *row = &listing->rows[listing->count];

        KW_TRY(kw_step(stmt, &found, err));
        if (found) {
            row->kind = kw_col_i64(stmt, 0);
            KW_TRY(kw_arena_copy(listing->arena, kw_col_blob(stmt, 1), &row->key, err));
            KW_TRY(kw_arena_copy(listing->arena, kw_col_blob(stmt, 2), &row->record, err));
            listing->count++;
        }
    }
    return KW_OK;
}

static void note_row(size_t cell, const struct listed *row)
{
    char hex[2 * 512 + 1];
    size_t len = row->record.len < 512 ? row->record.len : 512;

    for (size_t i = 0; i < len; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", row->record.data[i]);
    }
    fprintf(stderr, "sim: cell %zu, table %lld: %s\n", cell, (long long)row->kind, hex);
}

static bool is_in(const struct listing *listing, const struct listed *row)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct listed *other = &listing->rows[i];

        if (other->kind == row->kind && kw_bytes_equal(other->key, row->key)) {
            return kw_bytes_equal(other->record, row->record);
        }
    }
    return false;
}

/* What either has that the other has not, or has otherwise. */
static void tell_difference(struct sim *sim, size_t a, size_t b)
{
    const size_t cells[] = {a, b};
    struct listing *listings = calloc(2, sizeof(*listings));

    for (size_t i = 0; i < 2 && listings != NULL; i++) {
        listings[i].arena = kw_arena_new(ARENA_BYTES);
        SIM_MUST(sim_store_write(sim->cells[cells[i]].store, list_rows, &listings[i], err));
    }
    for (size_t i = 0; i < 2 && listings != NULL; i++) {
        for (size_t k = 0; k < listings[i].count; k++) {
            if (!is_in(&listings[1 - i], &listings[i].rows[k])) {
                note_row(cells[i], &listings[i].rows[k]);
            }
        }
    }
}

/* --- what the comparison of rows mends --- */

struct mending {
    struct sim *sim;
    struct sim_cell *cell;
    const struct sim_cell *from;
    const struct listed *row;
    enum kw_row_news news;
};

static SIM_JOB(take_row)
{
    struct mending *m = context;

    return kw_feed_take_row(&m->cell->feed, tx, m->from->store_id, m->row->record,
                            sim_cell_clock(m->sim, m->cell->index), &m->news, err);
}

static void list(struct sim *sim, size_t cell, struct listing *listing)
{
    listing->arena = kw_arena_new(ARENA_BYTES);
    listing->count = 0;
    SIM_MUST(sim_store_write(sim->cells[cell].store, list_rows, listing, err));
}

/* All that one cell has and the other has not. */
static void mend_pair(struct sim *sim, size_t cell, size_t from, struct listing *listings)
{
    list(sim, cell, &listings[0]);
    list(sim, from, &listings[1]);
    for (size_t i = 0; i < listings[1].count; i++) {
        struct mending m = {sim, &sim->cells[cell], &sim->cells[from], &listings[1].rows[i], 0};

        if (!is_in(&listings[0], m.row)) {
            SIM_MUST(sim_store_write(m.cell->store, take_row, &m, err));
            sim->counts.repaired += m.news != KW_ROW_KNOWN;
        }
    }
    kw_arena_free(listings[0].arena);
    kw_arena_free(listings[1].arena);
}

/* Only where somebody joined by a store that was fenced, or that had not heard of a fence: else nothing is to be mended. */
static void mend(struct sim *sim)
{
    struct listing *listings = calloc(2, sizeof(*listings));

    if (listings == NULL) {
        sim_fatal("memory", "rows");
    }
    for (size_t i = 0; i < sim->cell_count && sim->counts.leaks > 0; i++) {
        for (size_t from = 0; from < sim->cell_count; from++) {
            if (from != i) {
                mend_pair(sim, i, from, listings);
            }
        }
    }
    free(listings);
}

void sim_truth_at_the_end(struct sim *sim)
{
    struct expected *expected = calloc(1, sizeof(*expected));
    uint8_t first[KW_SHA256_LEN], digest[KW_SHA256_LEN];

    if (expected == NULL) {
        sim_fatal("memory", "what is expected");
    }
    mend(sim);
    expect(sim, expected);
    look_at_cell(sim, 0, expected, first);
    for (size_t i = 1; i < sim->cell_count; i++) {
        look_at_cell(sim, i, expected, digest);
        if (memcmp(first, digest, sizeof(first)) != 0) {
            tell_difference(sim, 0, i);
            sim_violation(sim, "cells 0 and %zu hold different rows", i);
        }
    }
    free(expected);
}
