/* Operations. Each is one job in one cell: it reads what that cell holds, and says what is new. */
#include "tests/sim/load.h"

#include "common/sync/first.h"
#include "common/sync/grow_set.h"
#include "common/sync/lww.h"
#include "common/sync/request_record.h"
#include "common/sync/store_record.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"
#include "services/authz/grant_merge.h"
#include "services/authz/member_merge.h"
#include "services/authz/request_merge.h"
#include "services/orchestrator/key_merge.h"

#include <string.h>

enum {
    ARENA_BYTES = 4 << 20
};

/* One operation under way. What it changes is told to the truth after the job was acknowledged. */
struct op {
    struct sim *sim;
    struct sim_cell *cell;
    struct kw_arena *arena;
    struct sim_partner *partner;
    struct sim_grant *grant;
    struct sim_key *key;
    size_t request;
    bool did;
    uint64_t count;          /* of a revoke-all */
    struct kw_bytes lifted;  /* suspension set: what a resume knew of */
    bool stands;             /* of a use */
    struct kw_record record; /* what the cell holds of its subject */
    struct kw_record intent;
};

static uint64_t clock_of(const struct op *op)
{
    return sim_cell_clock(op->sim, op->cell->index);
}

/* --- values --- */

static struct kw_bytes keep(const struct op *op, struct kw_buf *buf)
{
    struct kw_bytes kept;

    SIM_MUST(kw_arena_copy(op->arena, kw_buf_bytes(buf), &kept, err));
    kw_buf_done(buf);
    return kept;
}

static struct kw_bytes number(const struct op *op, uint64_t value)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_u64(&w, value);
    return keep(op, &buf);
}

static struct kw_bytes first(const struct op *op)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    const struct kw_first value = {.time_ms = clock_of(op), .store = op->cell->store_id};

    kw_put_first(&w, &value);
    return keep(op, &buf);
}

static void set(struct op *op, const struct kw_record_kind *kind, uint8_t field,
                struct kw_bytes value)
{
    SIM_MUST(kw_record_set(&op->intent, kind, field, value, err));
}

/* --- reading and writing --- */

static void begin(struct op *op, const struct kw_record_kind *kind, struct kw_bytes key)
{
    op->intent = (struct kw_record){.table = kind->table, .key = key};
}

static struct kw_result find(struct op *op, struct kw_tx *tx, const struct kw_record_kind *kind,
                             struct kw_bytes key, bool *ret_found, struct kw_error *err)
{
    op->record = (struct kw_record){0};
    begin(op, kind, key);
    return kw_feed_find(tx, kind, key, op->arena, &op->record, ret_found, err);
}

static struct kw_result say(struct op *op, struct kw_tx *tx, bool urgent, struct kw_error *err)
{
    op->did = true;
    return kw_feed_write(&op->cell->feed, tx, &op->intent, urgent, clock_of(op), op->arena, NULL,
                         err);
}

static struct kw_result find_partner(struct op *op, struct kw_tx *tx, bool *ret_found,
                                     struct kw_error *err)
{
    return find(op, tx, &kw_member_record, kw_id_bytes(&op->partner->id), ret_found, err);
}

static struct kw_result find_grant(struct op *op, struct kw_tx *tx, bool *ret_found,
                                   struct kw_error *err)
{
    return find(op, tx, &kw_grant_record, kw_id_bytes(&op->grant->id), ret_found, err);
}

/* --- partners --- */

static SIM_JOB(make_partner)
{
    struct op *op = context;

    begin(op, &kw_member_record, kw_id_bytes(&op->partner->id));
    set(op, &kw_member_record, KW_MEMBER_FIELD_KIND, number(op, 1));
    set(op, &kw_member_record, KW_MEMBER_FIELD_CREATED, number(op, clock_of(op)));
    set(op, &kw_member_record, KW_MEMBER_FIELD_STATUS, number(op, KW_MEMBER_STATUS_ACTIVE));
    return say(op, tx, false, err);
}

static SIM_JOB(revoke_partner)
{
    struct op *op = context;
    bool found;

    KW_TRY(find_partner(op, tx, &found, err));
    if (!found) {
        return KW_OK;
    }
    set(op, &kw_member_record, KW_MEMBER_FIELD_STATUS, number(op, KW_MEMBER_STATUS_REVOKED));
    return say(op, tx, true, err);
}

static SIM_JOB(edit_partner)
{
    struct op *op = context;
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_lww profile = {0};
    bool found;

    KW_TRY(find_partner(op, tx, &found, err));
    if (!found) {
        return KW_OK;
    }
    profile.stamp = kw_feed_stamp(&op->cell->feed, clock_of(op));
    profile.value = number(op, sim_random(op->sim, 1000) + 1);
    kw_put_lww(&w, &profile);
    set(op, &kw_member_record, KW_MEMBER_FIELD_PROFILE, keep(op, &buf));
    return say(op, tx, false, err);
}

static SIM_JOB(suspend_partner)
{
    struct op *op = context;
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    bool found;

    KW_TRY(find_partner(op, tx, &found, err));
    if (!found || op->partner->suspension_count == SIM_SUSPENSIONS_MAX) {
        return KW_OK;
    }
    kw_put_suspension(&w, op->partner->suspensions[op->partner->suspension_count].id,
                      KW_SUSPENSION_SET);
    set(op, &kw_member_record, KW_MEMBER_FIELD_SUSPENSIONS, keep(op, &buf));
    return say(op, tx, true, err);
}

static SIM_JOB(resume_partner)
{
    struct op *op = context;
    struct kw_bytes known;
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    bool found;

    KW_TRY(find_partner(op, tx, &found, err));
    known = kw_record_value(&op->record, KW_MEMBER_FIELD_SUSPENSIONS);
    if (!kw_suspensions_in_force(known)) {
        return KW_OK;
    }
    for (size_t at = 0; at < known.len; at += KW_SUSPENSION_ENTRY_LEN) {
        struct kw_id id;

        memcpy(id.bytes, known.data + at, KW_ID_LEN);
        kw_put_suspension(&w, id, KW_SUSPENSION_LIFTED);
    }
    op->lifted = known;
    set(op, &kw_member_record, KW_MEMBER_FIELD_SUSPENSIONS, keep(op, &buf));
    return say(op, tx, false, err);
}

static SIM_JOB(revoke_all)
{
    struct op *op = context;
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    bool found;

    KW_TRY(find_partner(op, tx, &found, err));
    if (!found || op->partner->revoke_all_count == SIM_REVOKE_ALLS_MAX) {
        return KW_OK;
    }
    op->count = 1 + kw_vector_get(kw_record_value(&op->record, KW_MEMBER_FIELD_REVOKE_ALL),
                                  op->cell->store_id);
    kw_put_vector_entry(&w, op->cell->store_id, op->count);
    set(op, &kw_member_record, KW_MEMBER_FIELD_REVOKE_ALL, keep(op, &buf));
    return say(op, tx, true, err);
}

/* --- grants --- */

static SIM_JOB(make_grant)
{
    struct op *op = context;
    struct kw_bytes seen;
    bool found;

    KW_TRY(find_partner(op, tx, &found, err));
    if (!found) {
        return KW_OK;
    }
    seen = kw_record_value(&op->record, KW_MEMBER_FIELD_REVOKE_ALL);
    begin(op, &kw_grant_record, kw_id_bytes(&op->grant->id));
    set(op, &kw_grant_record, KW_GRANT_FIELD_PARTNER, kw_id_bytes(&op->partner->id));
    set(op, &kw_grant_record, KW_GRANT_FIELD_CREATED, number(op, clock_of(op)));
    if (seen.len > 0) {
        set(op, &kw_grant_record, KW_GRANT_FIELD_SEEN, seen);
    }
    for (size_t i = 0; i < op->sim->cell_count; i++) {
        op->grant->seen[i] = kw_vector_get(seen, op->sim->cells[i].store_id);
    }
    return say(op, tx, false, err);
}

static SIM_JOB(revoke_grant)
{
    struct op *op = context;
    bool found;

    KW_TRY(find_grant(op, tx, &found, err));
    if (!found) {
        return KW_OK;
    }
    set(op, &kw_grant_record, KW_GRANT_FIELD_REVOKED, first(op));
    return say(op, tx, true, err);
}

static SIM_JOB(use_grant)
{
    struct op *op = context;
    struct kw_record grant;
    bool found;

    KW_TRY(find_grant(op, tx, &found, err));
    grant = op->record;
    if (!found) {
        return KW_OK;
    }
    KW_TRY(find_partner(op, tx, &found, err));
    op->did = true;
    op->stands = found && kw_grant_record_stands(&grant, &op->record);
    if (kw_grant_record_revoked(&grant)) {
        op->grant->denied[op->cell->index] = true;
    }
    return KW_OK;
}

/* --- requests --- */

static SIM_JOB(run_request)
{
    struct op *op = context;
    const uint8_t key[] = {0x7e, (uint8_t)op->request};
    struct kw_buf runs = {0};
    struct kw_writer w = KW_WRITER(&runs);
    struct kw_request_run run = {.time_ms = clock_of(op), .store = op->cell->store_id};
    struct kw_bytes kept;
    bool found;

    KW_TRY(kw_arena_copy(op->arena, KW_BYTES_OF(key), &kept, err));
    KW_TRY(find(op, tx, &kw_authz_request_record, kept, &found, err));
    if (found) {
        return KW_OK; /* it was done: the answer is given again */
    }
    kw_put_request_run(&w, &run);
    set(op, &kw_authz_request_record, KW_REQUEST_FIELD_RUNS, keep(op, &runs));
    set(op, &kw_authz_request_record, KW_REQUEST_FIELD_ANSWER, first(op));
    return say(op, tx, false, err);
}

/* --- keys --- */

static SIM_JOB(make_key)
{
    struct op *op = context;

    begin(op, &kw_key_record, KW_BYTES_OF(op->key->name));
    set(op, &kw_key_record, KW_KEY_FIELD_DEVICE, number(op, op->key->device + 1));
    set(op, &kw_key_record, KW_KEY_FIELD_CHECK_VALUE, number(op, op->key->check_value));
    return say(op, tx, false, err);
}

/* --- what the truth is told --- */

static void stop_at(const struct op *op, struct sim_stop *stop)
{
    if (stop->at_ms == 0) {
        *stop = (struct sim_stop){.at_ms = op->sim->now_ms, .cell = op->cell->index};
    }
}

static void did_make_partner(struct op *op)
{
    op->sim->truth->partner_count++;
}

static void did_revoke_partner(struct op *op)
{
    stop_at(op, &op->partner->revoked);
}

static void did_suspend(struct op *op)
{
    stop_at(op, &op->partner->suspensions[op->partner->suspension_count++].stop);
}

static void did_resume(struct op *op)
{
    for (size_t at = 0; at < op->lifted.len; at += KW_SUSPENSION_ENTRY_LEN) {
        for (size_t i = 0; i < op->partner->suspension_count; i++) {
            struct sim_suspension *suspension = &op->partner->suspensions[i];

            if (memcmp(suspension->id.bytes, op->lifted.data + at, KW_ID_LEN) == 0) {
                suspension->lifted = true;
            }
        }
    }
}

static void did_revoke_all(struct op *op)
{
    struct sim_revoke_all *all = &op->partner->revoke_alls[op->partner->revoke_all_count++];

    stop_at(op, &all->stop);
    all->count = op->count;
}

static void did_make_grant(struct op *op)
{
    op->grant->partner = (size_t)(op->partner - op->sim->truth->partners);
    op->sim->truth->grant_count++;
}

static void did_revoke_grant(struct op *op)
{
    stop_at(op, &op->grant->revoked);
}

/* Whoever hasn't heard of everybody lately refuses: the strict rule. */
static void did_use(struct op *op)
{
    op->sim->counts.uses++;
    if (sim_cell_staleness(op->sim, op->cell->index) > SIM_STALE_MS) {
        op->sim->counts.stale++;
    } else if (op->stands) {
        op->sim->counts.allowed++;
        sim_truth_allowed(op->sim, op->cell->index, op->grant);
    }
}

static void did_make_key(struct op *op)
{
    op->sim->truth->key_count++;
}

static void did_run(struct op *op)
{
    op->sim->truth->runs[op->request]++;
}

/* --- the mix --- */

enum subject {
    NEW_PARTNER,
    PARTNER,
    NEW_GRANT,
    GRANT,
    REQUEST,
    NEW_KEY
};

static const struct {
    const char *name;
    unsigned weight;
    enum subject subject;
    struct kw_result (*job)(struct kw_tx *tx, void *context, struct kw_error *err);
    void (*did)(struct op *op);
} mix[] = {
    {"make_partner", 20, NEW_PARTNER, make_partner, did_make_partner},
    {"revoke_partner", 2, PARTNER, revoke_partner, did_revoke_partner},
    {"edit_partner", 60, PARTNER, edit_partner, NULL},
    {"suspend", 40, PARTNER, suspend_partner, did_suspend},
    {"resume", 60, PARTNER, resume_partner, did_resume},
    {"revoke_all", 8, PARTNER, revoke_all, did_revoke_all},
    {"make_grant", 250, NEW_GRANT, make_grant, did_make_grant},
    {"revoke_grant", 100, GRANT, revoke_grant, did_revoke_grant},
    {"run_request", 60, REQUEST, run_request, did_run},
    {"make_key", 40, NEW_KEY, make_key, did_make_key},
    {"use", 360, GRANT, use_grant, did_use},
};

static size_t draw_op(struct sim *sim)
{
    uint64_t at = sim_random(sim, 1000);
    size_t i = 0;

    while (at >= mix[i].weight) {
        at -= mix[i++].weight;
    }
    return i;
}

/* Ids need chance of their own, not order: which of two is lower decides ties. */
static struct kw_id draw_id(struct sim *sim)
{
    struct kw_id id;

    for (size_t i = 0; i < KW_ID_LEN; i++) {
        id.bytes[i] = (uint8_t)sim_random(sim, 256);
    }
    return id;
}

/* The next key of a device, as its cell counts. */
static bool draw_key(struct op *op)
{
    struct sim_truth *truth = op->sim->truth;

    if (truth->key_count == SIM_KEYS_MAX) {
        return false;
    }
    op->key = &truth->keys[truth->key_count];
    *op->key = (struct sim_key){.device = sim_random(op->sim, SIM_DEVICES),
                                .cell = op->cell->index,
                                .version = 1,
                                .check_value = 1 + sim_random(op->sim, 1U << 30)};
    for (size_t i = 0; i < truth->key_count; i++) {
        op->key->version +=
            truth->keys[i].device == op->key->device && truth->keys[i].cell == op->key->cell;
    }
    sim_key_name(op->key, op->key->name);
    return true;
}

/* False: there is none to do it with. */
static bool draw_subject(struct op *op, enum subject subject)
{
    struct sim *sim = op->sim;
    struct sim_truth *truth = sim->truth;

    if (subject == NEW_KEY) {
        return draw_key(op);
    }
    if (subject == NEW_PARTNER) {
        if (truth->partner_count == SIM_PARTNERS_MAX) {
            return false;
        }
        op->partner = &truth->partners[truth->partner_count];
        op->partner->id = draw_id(sim);
        return true;
    }
    op->request = sim_random(sim, SIM_REQUESTS_MAX);
    op->partner = &truth->partners[sim_random(sim, truth->partner_count)];
    op->partner->suspensions[op->partner->suspension_count % SIM_SUSPENSIONS_MAX].id = draw_id(sim);
    if (subject == NEW_GRANT) {
        if (truth->partner_count == 0 || truth->grant_count == SIM_GRANTS_MAX) {
            return false;
        }
        op->grant = &truth->grants[truth->grant_count];
        op->grant->id = draw_id(sim);
        return true;
    }
    if (subject == GRANT) {
        /* Mostly young ones: what happens to a grant happens to it at once in several cells. */
        uint64_t young = truth->grant_count < 20 ? truth->grant_count : 20;

        if (young == 0) {
            return false;
        }
        op->grant = &truth->grants[truth->grant_count - 1 - sim_random(sim, young)];
        op->partner = &truth->partners[op->grant->partner];
        return true;
    }
    return subject == REQUEST || truth->partner_count > 0;
}

void sim_load_one(struct sim *sim)
{
    struct op op = {.sim = sim, .cell = &sim->cells[sim_random(sim, sim->cell_count)]};
    size_t which = draw_op(sim);
    struct kw_error err = {0};

    if (!draw_subject(&op, mix[which].subject) || !sim_cell_runs(sim, op.cell->index)) {
        sim->counts.refused++;
        return;
    }
    op.arena = kw_arena_new(ARENA_BYTES);
    sim->counts.ops++;
    if (!kw_ok(sim_cell_write(sim, op.cell->index, mix[which].job, &op, &err))) {
        sim_fatal(mix[which].name, err.message);
    }
    if (op.did) {
        sim->counts.acked++;
        sim_note(sim, "%zu %s", op.cell->index, mix[which].name);
        if (mix[which].did != NULL) {
            mix[which].did(&op);
        }
    }
    kw_arena_free(op.arena);
}

/* --- the founding --- */

struct founding {
    struct op op;
    const struct sim_cell *about;
    struct kw_id incarnation; /* of the cell it is about */
};

static SIM_JOB(find_incarnation)
{
    struct founding *founding = context;
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;

    KW_TRY(
        kw_feed_lanes(&founding->about->feed, tx, KW_ID_NONE, lanes, SIM_LANES_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].ours) {
            founding->incarnation = lanes[i].lane.incarnation;
        }
    }
    return KW_OK;
}

static struct kw_bytes element(struct op *op, struct kw_bytes value)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_set_element(&w, value);
    return keep(op, &buf);
}

static struct kw_bytes signer(struct op *op, const struct kw_private_key *key)
{
    struct kw_public_key public = {0};
    struct kw_spki spki;
    uint8_t digest[KW_SHA256_LEN];

    SIM_MUST(kw_private_key_public(key, &public, err));
    SIM_MUST(kw_public_key_spki(&public, &spki, err));
    SIM_MUST(kw_sha256(kw_spki_bytes(&spki), digest, err));
    kw_public_key_done(&public);
    return element(op, KW_BYTES_OF(digest));
}

static SIM_JOB(write_store)
{
    struct founding *founding = context;
    struct op *op = &founding->op;

    begin(op, &kw_store_record, kw_id_bytes(&founding->about->store_id));
    set(op, &kw_store_record, KW_STORE_FIELD_PLACE, kw_bytes_str(founding->about->place.cell));
    set(op, &kw_store_record, KW_STORE_FIELD_STATE, number(op, KW_STORE_ACTIVE));
    set(op, &kw_store_record, KW_STORE_FIELD_SIGNERS, signer(op, founding->about->key));
    set(op, &kw_store_record, KW_STORE_FIELD_INCARNATIONS,
        element(op, kw_id_bytes(&founding->incarnation)));
    return say(op, tx, false, err);
}

void sim_load_found(struct sim *sim)
{
    for (size_t about = 0; about < sim->cell_count; about++) {
        struct founding founding = {.op = {.sim = sim, .arena = kw_arena_new(ARENA_BYTES)},
                                    .about = &sim->cells[about]};

        SIM_MUST(sim_store_write(founding.about->store, find_incarnation, &founding, err));
        for (size_t i = 0; i < sim->cell_count; i++) {
            founding.op.cell = &sim->cells[i];
            SIM_MUST(sim_cell_write(sim, i, write_store, &founding, err));
        }
        kw_arena_free(founding.op.arena);
    }
}
