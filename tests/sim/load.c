/* Operations. Each is one job in one cell: it reads what that cell holds, and says what is new. */
#include "tests/sim/load.h"

#include "common/sync/first.h"
#include "common/sync/lww.h"
#include "common/sync/request_record.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"
#include "services/authz/grant_merge.h"
#include "services/authz/member_merge.h"
#include "services/authz/request_merge.h"
#include "services/orchestrator/key_merge.h"

#include <string.h>

enum {
    ARENA_BYTES = 4 << 20,
    OLD = 50, /* grants that came after one: all have it, and clients ask for others */
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
    struct kw_id lane; /* and what of it says so */
    uint64_t seq;
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

/* Where in its lane this was just said. */
static struct kw_result find_point(struct op *op, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;

    KW_TRY(kw_feed_lanes(&op->cell->feed, tx, KW_ID_NONE, lanes, SIM_LANES_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].ours) {
            op->lane = lanes[i].id;
            op->seq = lanes[i].point.seq;
        }
    }
    return KW_OK;
}

static struct kw_result say(struct op *op, struct kw_tx *tx, bool urgent, struct kw_error *err)
{
    KW_TRY(kw_feed_write(&op->cell->feed, tx, &op->intent, urgent, clock_of(op), op->arena, NULL,
                         err));
    op->did = true;
    return find_point(op, tx, err);
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
    kw_put_suspension(&w, op->partner->suspensions[op->partner->suspension_count],
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
    for (size_t i = 0; i < op->sim->desk->count; i++) {
        op->grant->seen[i] = kw_vector_get(seen, op->sim->desk->members[i].id);
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

static void tell(const struct op *op, enum sim_what what, size_t which, size_t sub)
{
    const struct sim_said said = {.what = what,
                                  .which = which,
                                  .sub = sub,
                                  .cell = op->cell->index,
                                  .member = op->cell->member,
                                  .lane = op->lane,
                                  .seq = op->seq,
                                  .at_ms = op->sim->now_ms};

    sim_truth_said(op->sim, &said);
}

static size_t which_partner(const struct op *op)
{
    return (size_t)(op->partner - op->sim->truth->partners);
}

static size_t which_grant(const struct op *op)
{
    return (size_t)(op->grant - op->sim->truth->grants);
}

static void did_make_partner(struct op *op)
{
    tell(op, SIM_MADE_PARTNER, op->sim->truth->partner_count++, 0);
}

static void did_revoke_partner(struct op *op)
{
    tell(op, SIM_REVOKED_PARTNER, which_partner(op), 0);
}

static void did_suspend(struct op *op)
{
    tell(op, SIM_SUSPENDED, which_partner(op), op->partner->suspension_count++);
}

static void did_resume(struct op *op)
{
    for (size_t at = 0; at < op->lifted.len; at += KW_SUSPENSION_ENTRY_LEN) {
        for (size_t i = 0; i < op->partner->suspension_count; i++) {
            if (memcmp(op->partner->suspensions[i].bytes, op->lifted.data + at, KW_ID_LEN) == 0) {
                tell(op, SIM_LIFTED, which_partner(op), i);
            }
        }
    }
}

static void did_revoke_all(struct op *op)
{
    size_t sub = op->partner->revoke_all_count++;

    op->partner->revoke_alls[sub] = (struct sim_count_of){op->cell->member, op->count};
    tell(op, SIM_REVOKED_ALL, which_partner(op), sub);
}

static void did_make_grant(struct op *op)
{
    op->grant->partner = which_partner(op);
    op->grant->made_ms = op->sim->now_ms;
    tell(op, SIM_MADE_GRANT, op->sim->truth->grant_count++, 0);
}

static void did_revoke_grant(struct op *op)
{
    tell(op, SIM_REVOKED_GRANT, which_grant(op), 0);
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
    tell(op, SIM_MADE_KEY, op->sim->truth->key_count++, 0);
}

static void did_run(struct op *op)
{
    tell(op, SIM_RAN, op->request, 0);
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
    bool disables;
} mix[] = {
    {"make_partner", 20, NEW_PARTNER, make_partner, did_make_partner, false},
    {"revoke_partner", 2, PARTNER, revoke_partner, did_revoke_partner, true},
    {"edit_partner", 60, PARTNER, edit_partner, NULL, false},
    {"suspend", 40, PARTNER, suspend_partner, did_suspend, true},
    {"resume", 60, PARTNER, resume_partner, did_resume, false},
    {"revoke_all", 8, PARTNER, revoke_all, did_revoke_all, true},
    {"make_grant", 250, NEW_GRANT, make_grant, did_make_grant, false},
    {"revoke_grant", 100, GRANT, revoke_grant, did_revoke_grant, true},
    {"run_request", 60, REQUEST, run_request, did_run, false},
    {"make_key", 40, NEW_KEY, make_key, did_make_key, false},
    {"use", 360, GRANT, use_grant, did_use, false},
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
    op->partner->suspensions[op->partner->suspension_count % SIM_SUSPENSIONS_MAX] = draw_id(sim);
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

/* Nothing is decided by rows that are not all here; and who knows that it is fenced knows that nobody would hear it. */
static bool can_do(const struct op *op, size_t which)
{
    return sim_cell_runs(op->sim, op->cell->index) && (!op->cell->joining || mix[which].disables) &&
           !op->cell->feed.fenced;
}

static void do_op(struct op *op, size_t which)
{
    struct sim *sim = op->sim;
    struct kw_error err = {0};

    op->arena = kw_arena_new(ARENA_BYTES);
    sim->counts.ops++;
    if (!kw_ok(sim_cell_write(sim, op->cell->index, mix[which].job, op, &err))) {
        sim_fatal(mix[which].name, err.message);
    }
    if (op->did) {
        sim->counts.acked++;
        sim_note(sim, "%zu %s", op->cell->index, mix[which].name);
        if (mix[which].did != NULL) {
            mix[which].did(op);
        }
    }
    kw_arena_free(op->arena);
}

void sim_load_one(struct sim *sim)
{
    struct op op = {.sim = sim, .cell = &sim->cells[sim_random(sim, sim->cell_count)]};
    size_t which = draw_op(sim);

    if (!draw_subject(&op, mix[which].subject) || !can_do(&op, which)) {
        sim->counts.refused++;
        return;
    }
    do_op(&op, which);
}

bool sim_load_on(struct sim *sim, const char *name, size_t cell, size_t grant)
{
    struct sim_grant *of = &sim->truth->grants[grant];
    struct op op = {.sim = sim,
                    .cell = &sim->cells[cell],
                    .grant = of,
                    .partner = &sim->truth->partners[of->partner]};
    size_t which = 0;

    while (strcmp(mix[which].name, name) != 0) {
        which++;
    }
    if (can_do(&op, which)) {
        do_op(&op, which);
    }
    return op.did;
}

/* What lifts no resume. */
static bool is_stopped(const struct sim_truth *truth, size_t grant)
{
    size_t partner = truth->grants[grant].partner;

    for (size_t i = 0; i < truth->said_count; i++) {
        const struct sim_said *said = &truth->said[i];

        if ((said->what == SIM_REVOKED_GRANT && said->which == grant) ||
            ((said->what == SIM_REVOKED_PARTNER || said->what == SIM_REVOKED_ALL) &&
             said->which == partner)) {
            return true;
        }
    }
    return false;
}

bool sim_load_find(const struct sim *sim, size_t *ret_grant)
{
    const struct sim_truth *truth = sim->truth;

    *ret_grant = 0;
    while (*ret_grant + OLD < truth->grant_count && is_stopped(truth, *ret_grant)) {
        (*ret_grant)++;
    }
    return *ret_grant + OLD < truth->grant_count;
}
