/* What may be, held against what is. */
#include "tests/sim/truth.h"

#include "common/base/codec.h"
#include "common/crypto/digest.h"
#include "common/sync/request_record.h"
#include "services/authz/grant_merge.h"
#include "services/authz/member_merge.h"
#include "services/authz/request_merge.h"
#include "services/orchestrator/key_merge.h"

#include <string.h>

enum {
    ARENA_BYTES = 64 << 20
};

void sim_key_name(const struct sim_key *key, uint8_t ret_name[KW_ID_LEN])
{
    memset(ret_name, 0, KW_ID_LEN);
    ret_name[0] = 0x6b;
    ret_name[1] = (uint8_t)key->device;
    ret_name[2] = (uint8_t)key->cell;
    kw_be64_store(ret_name + 8, key->version);
}

/* --- while it runs --- */

/* Should this cell have heard of it by now? Of what was acknowledged by itself, at once. */
static bool in_force(const struct sim *sim, size_t cell, const struct sim_stop *stop)
{
    uint64_t window = stop->cell == cell ? 0 : sim->truth->window_ms;

    return stop->at_ms != 0 && sim->now_ms >= stop->at_ms + window;
}

static void refuse(struct sim *sim, size_t cell, const struct sim_stop *stop, const char *what)
{
    if (in_force(sim, cell, stop)) {
        sim_violation(sim,
                      "cell %zu allowed a use though %s was acknowledged by %zu %llu ms before",
                      cell, what, stop->cell, (unsigned long long)(sim->now_ms - stop->at_ms));
    }
}

void sim_truth_allowed(struct sim *sim, size_t cell, const struct sim_grant *grant)
{
    const struct sim_partner *partner = &sim->truth->partners[grant->partner];

    refuse(sim, cell, &grant->revoked, "its revocation");
    refuse(sim, cell, &partner->revoked, "its partner's revocation");
    for (size_t i = 0; i < partner->suspension_count; i++) {
        if (!partner->suspensions[i].lifted) {
            refuse(sim, cell, &partner->suspensions[i].stop, "its partner's suspension");
        }
    }
    for (size_t i = 0; i < partner->revoke_all_count; i++) {
        const struct sim_revoke_all *all = &partner->revoke_alls[i];

        if (all->count > grant->seen[all->stop.cell]) {
            refuse(sim, cell, &all->stop, "a revocation of all");
        }
    }
    if (grant->denied[cell]) {
        sim_violation(sim, "cell %zu allowed what it had called revoked", cell);
    }
}

/* --- at the end --- */

struct looking {
    struct sim *sim;
    struct kw_arena *arena;
    uint8_t digest[KW_SHA256_LEN];
    uint64_t waiting; /* held or in quarantine */
};

static struct kw_result digest_rows(struct looking *looking, struct kw_tx *tx,
                                    struct kw_digest *digest, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found = true;

    KW_TRY(kw_sql(tx, "SELECT kind, key, record FROM feed_records ORDER BY kind, key", &stmt, err));
    while (found) {
        KW_TRY(kw_step(stmt, &found, err));
        if (found) {
            KW_TRY(kw_digest_update(digest, kw_col_blob(stmt, 1), err));
            KW_TRY(kw_digest_update(digest, kw_col_blob(stmt, 2), err));
        }
    }
    return kw_digest_final(digest, looking->digest, err);
}

static void want(struct looking *looking, bool right, const char *what, size_t which)
{
    if (!right) {
        sim_violation(looking->sim, "when all is quiet, %s %zu is not as it was acknowledged", what,
                      which);
    }
}

static struct kw_result look_at_partner(struct looking *looking, struct kw_tx *tx, size_t which,
                                        struct kw_error *err)
{
    const struct sim_partner *partner = &looking->sim->truth->partners[which];
    struct kw_record record = {0};
    bool found, suspended = false;

    KW_TRY(kw_feed_find(tx, &kw_member_record, kw_id_bytes(&partner->id), looking->arena, &record,
                        &found, err));
    for (size_t i = 0; i < partner->suspension_count; i++) {
        suspended |= !partner->suspensions[i].lifted;
    }
    want(looking, found, "partner", which);
    want(looking, kw_member_record_revoked(&record) == (partner->revoked.at_ms != 0),
         "revocation of partner", which);
    want(looking, kw_member_record_stopped(&record) == (suspended || partner->revoked.at_ms != 0),
         "suspension of partner", which);
    return KW_OK;
}

static struct kw_result look_at_grant(struct looking *looking, struct kw_tx *tx, size_t which,
                                      struct kw_error *err)
{
    const struct sim_grant *grant = &looking->sim->truth->grants[which];
    struct kw_record record = {0};
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_grant_record, kw_id_bytes(&grant->id), looking->arena, &record,
                        &found, err));
    want(looking, found, "grant", which);
    want(looking, kw_grant_record_revoked(&record) == (grant->revoked.at_ms != 0),
         "revocation of grant", which);
    return KW_OK;
}

static struct kw_result look_at_request(struct looking *looking, struct kw_tx *tx, size_t which,
                                        struct kw_error *err)
{
    const uint8_t key[] = {0x7e, (uint8_t)which};
    unsigned runs = looking->sim->truth->runs[which];
    struct kw_record record = {0};
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_authz_request_record, KW_BYTES_OF(key), looking->arena, &record,
                        &found, err));
    want(looking, found == (runs > 0), "request", which);
    want(looking, kw_request_record_twice(&record) == (runs > 1), "second run of request", which);
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
         "key", which);
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
                 (unsigned long long)cell->lanes[i].extent.seq, cell->lanes[i].origin,
                 (long long)(sim->now_ms - kw_hlc_ms(cell->lanes[i].extent.closed)));
    }
}

void sim_truth_at_the_end(struct sim *sim)
{
    uint8_t first[KW_SHA256_LEN];

    for (size_t i = 0; i < sim->cell_count; i++) {
        note_lanes(sim, &sim->cells[i]);
    }

    for (size_t i = 0; i < sim->cell_count; i++) {
        struct looking looking = {.sim = sim, .arena = kw_arena_new(ARENA_BYTES)};

        SIM_MUST(sim_store_write(sim->cells[i].store, look, &looking, err));
        kw_arena_free(looking.arena);
        if (looking.waiting > 0) {
            sim_violation(sim, "cell %zu still holds %llu changes back", i,
                          (unsigned long long)looking.waiting);
        }
        if (i == 0) {
            memcpy(first, looking.digest, sizeof(first));
        } else if (memcmp(first, looking.digest, sizeof(first)) != 0) {
            sim_violation(sim, "cells 0 and %zu hold different rows", i);
        }
    }
}
