/* Attacks. Everything is right but what the attacker can't have: the key of a member, or a place in the lane that
 * a fence honours. */
#include "tests/sim/hostile.h"

#include "common/base/codec.h"
#include "common/feed/answer.h"
#include "common/feed/lane_batch.h"
#include "common/feed/urgent.h"
#include "common/sync/first.h"
#include "services/authz/grant_merge.h"
#include "tests/sim/net.h"
#include "tests/sim/truth.h"

#include <string.h>

enum {
    ARENA_BYTES = 16 << 20,
    AHEAD_MS = 3000, /* what it promises beyond the truth */
    AHEAD = 1000,    /* what it says to hold beyond it */
};

static const struct sim_attack_row rows[SIM_ATTACK_END_] = {
#define SIM_ROW(name, text, may) [SIM_##name] = {text, may},
    SIM_ATTACKS(SIM_ROW)
#undef SIM_ROW
};

const struct sim_attack_row *sim_attack_row(enum sim_attack attack)
{
    return &rows[attack];
}

/* --- what became of it --- */

void sim_hostile_tried(struct sim *sim, enum sim_attack attack)
{
    sim->hostile->attempts[attack].count++;
}

static void count_refusal(struct sim_attempts *attempts, const char *name, uint64_t count)
{
    for (size_t i = 0; i < SIM_REFUSALS_MAX; i++) {
        struct sim_refusal *refusal = &attempts->refusals[i];

        if (refusal->name == NULL || strcmp(refusal->name, name) == 0) {
            refusal->name = name;
            refusal->count += count;
            return;
        }
    }
    sim_fatal("too many ways to refuse", name);
}

void sim_hostile_judged(struct sim *sim, unsigned attack, const char *verdict, bool believed)
{
    struct sim_attempts *attempts = &sim->hostile->attempts[attack];

    if (attack == SIM_NO_ATTACK) {
        return;
    }
    if (believed && !rows[attack].may) {
        sim_violation(sim, "a %s was believed: %s", rows[attack].text, verdict);
    }
    if (believed) {
        attempts->believed++;
    } else {
        count_refusal(attempts, verdict, 1);
    }
}

void sim_hostile_add(struct sim_hostile *sum, const struct sim_hostile *one)
{
    for (size_t i = 0; i < SIM_ATTACK_END_; i++) {
        const struct sim_attempts *of = &one->attempts[i];

        sum->attempts[i].count += of->count;
        sum->attempts[i].believed += of->believed;
        for (size_t k = 0; k < SIM_REFUSALS_MAX && of->refusals[k].name != NULL; k++) {
            count_refusal(&sum->attempts[i], of->refusals[k].name, of->refusals[k].count);
        }
    }
}

/* --- batches --- */

/* The head's key is the store's again, where the relay's own was signed with. */
static void put_key(struct kw_buf *record, struct kw_bytes forged, struct kw_bytes key)
{
    if (forged.len == key.len) {
        memcpy(record->data + (forged.data - record->data), key.data, key.len);
    }
}

/* Along the changes as they are now, and signed by the relay. */
static void forge_head(struct kw_lane_batch *batch, const struct kw_lane_head *head,
                       struct kw_buf *ret_head)
{
    struct kw_lane_head forged = *head;

    forged.point = batch->from;
    for (size_t i = 0; i < batch->count; i++) {
        SIM_MUST(kw_lane_advance(&forged.point, &batch->changes[i], err));
    }
    SIM_MUST(kw_lane_head_sign(&forged, sim_forger_key(), ret_head, err));
    SIM_MUST(kw_lane_head_decode(kw_buf_bytes(ret_head), &forged, err));
    put_key(ret_head, forged.key, head->key);
    batch->head_record = kw_buf_bytes(ret_head);
}

/* The batch's own last change becomes its first once more, or is as urgent as it was not. */
static void forge_change(struct kw_lane_batch *batch, struct kw_change *changes)
{
    struct kw_change *last = &changes[batch->count - 1];

    last->urgent = !last->urgent;
    last->record = changes[0].record;
}

/* Cuts off the last change, and leaves the head: or the first one, and begins where it ended. */
static void cut(struct kw_lane_batch *batch, enum sim_attack attack)
{
    if (attack == SIM_SKIPPED) {
        SIM_MUST(kw_lane_advance(&batch->from, &batch->changes[0], err));
        batch->changes++;
    } else {
        batch->from.seq++;
    }
    batch->count--;
}

static void rewrite(struct sim *sim, struct kw_lane_batch *batch, enum sim_attack attack,
                    struct kw_change *changes, struct kw_buf *out)
{
    struct kw_lane_head head = batch->head;
    struct kw_buf signed_head = {0};

    batch->changes = changes;
    if (attack == SIM_ALTERED_ROW) {
        forge_change(batch, changes);
    } else if (attack == SIM_TRUNCATED || attack == SIM_SKIPPED) {
        cut(batch, attack);
    } else {
        if (attack == SIM_FORGED_ROW) {
            forge_change(batch, changes);
        } else if (attack == SIM_FORGED_PROMISE) {
            head.closed += (uint64_t)AHEAD_MS << 16;
        } else if (attack == SIM_OTHER_MESH) {
            head.lane.mesh.bytes[0]++;
        } else {
            SIM_MUST(kw_id_random(&head.lane.incarnation, err));
        }
        forge_head(batch, &head, &signed_head);
    }
    kw_buf_clear(out);
    SIM_MUST(kw_lane_batch_encode(batch, out, err));
    kw_buf_done(&signed_head);
    sim_hostile_tried(sim, attack);
}

static enum sim_attack draw_batch_attack(struct sim *sim, size_t changes)
{
    static const enum sim_attack of_changes[] = {SIM_FORGED_ROW, SIM_ALTERED_ROW, SIM_SKIPPED,
                                                 SIM_TRUNCATED};
    static const enum sim_attack of_any[] = {SIM_FORGED_PROMISE, SIM_OLD_LIFE, SIM_OTHER_MESH};

    if (changes > 0 && sim_chance(sim, 700)) {
        return of_changes[sim_random(sim, changes > 1 ? 4 : 3)]; /* of one nothing would be left */
    }
    return of_any[sim_random(sim, 3)];
}

/* What is no batch any more stays as it is. */
static enum sim_attack spoil_batch(struct sim *sim, struct kw_buf *record)
{
    struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    enum sim_attack attack = SIM_NO_ATTACK;
    struct kw_lane_batch batch;
    struct kw_change *changes;
    struct kw_bytes copy;

    SIM_MUST(kw_arena_copy(arena, kw_buf_bytes(record), &copy, err));
    if (kw_ok(kw_lane_batch_decode(copy, arena, &batch, NULL))) {
        attack = draw_batch_attack(sim, batch.count);
        changes = kw_arena_alloc(arena, (batch.count + 1) * sizeof(*changes));
        if (batch.count > 0) {
            memcpy(changes, batch.changes, batch.count * sizeof(*changes));
        }
        rewrite(sim, &batch, attack, changes, record);
    }
    kw_arena_free(arena);
    return attack;
}

/* --- urgent changes --- */

/* It disables something else: another grant, named by the same number. */
static enum sim_attack spoil_urgent(struct sim *sim, struct kw_buf *record)
{
    struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    struct kw_urgent urgent, forged;
    struct kw_bytes copy, key;
    bool whole;

    SIM_MUST(kw_arena_copy(arena, kw_buf_bytes(record), &copy, err));
    whole = kw_ok(kw_urgent_decode(copy, &urgent, NULL));
    if (whole) {
        key = urgent.key;
        urgent.point.chain[0]++;
        kw_buf_clear(record);
        SIM_MUST(kw_urgent_sign(&urgent, sim_forger_key(), record, err));
        SIM_MUST(kw_urgent_decode(kw_buf_bytes(record), &forged, err));
        put_key(record, forged.key, key);
        sim_hostile_tried(sim, SIM_FORGED_URGENT);
    }
    kw_arena_free(arena);
    return whole ? SIM_FORGED_URGENT : SIM_NO_ATTACK;
}

/* --- what a replicator says of itself --- */

static enum sim_attack spoil_hello(struct sim *sim, size_t to, struct kw_frame *frame)
{
    enum sim_attack attack = sim_chance(sim, 500) ? SIM_HELLO_SELF : SIM_HELLO_MESH;

    if (attack == SIM_HELLO_SELF) {
        frame->stores[KW_OWNER_AUTHZ] = sim->cells[to].store_id;
    } else {
        frame->mesh.bytes[0]++;
    }
    sim_hostile_tried(sim, attack);
    return attack;
}

static bool is_own_lane(const struct sim *sim, size_t cell, struct kw_id lane)
{
    const struct sim_member *member = &sim->desk->members[sim->cells[cell].member];

    for (size_t i = 0; i < member->life_count; i++) {
        if (kw_id_equal(member->lives[i].lane, lane)) {
            return true;
        }
    }
    return false;
}

static enum sim_attack lie(struct sim *sim, size_t to, struct kw_reach *reaches, size_t count)
{
    struct kw_reach *reach;

    if (count == 0) {
        return SIM_NO_ATTACK;
    }
    reach = &reaches[sim_random(sim, count)];
    reach->extent.seq += 1 + sim_random(sim, AHEAD);
    sim->cells[to].lied_to |= is_own_lane(sim, to, reach->lane);
    sim_hostile_tried(sim, SIM_FALSE_ACK);
    return SIM_FALSE_ACK;
}

enum sim_attack sim_hostile_frame(struct sim *sim, size_t to, struct kw_frame *frame,
                                  struct kw_reach *reaches, struct kw_buf *record)
{
    if (!sim_chance(sim, sim->rates.forge)) {
        return SIM_NO_ATTACK;
    }
    switch (frame->type) {
    case KW_FRAME_BATCH:
        return spoil_batch(sim, record);
    case KW_FRAME_URGENT:
        return spoil_urgent(sim, record);
    case KW_FRAME_HELLO:
        return spoil_hello(sim, to, frame);
    case KW_FRAME_REACH:
    case KW_FRAME_ACK:
        return sim_chance(sim, 100) ? lie(sim, to, reaches, frame->reach_count) : SIM_NO_ATTACK;
    case KW_FRAME_NEED:
    case KW_FRAME_VOUCHER:
    case KW_FRAME_QUESTION:
    case KW_FRAME_ANSWER:
    case KW_FRAME_END_:
        break;
    }
    return SIM_NO_ATTACK;
}

/* --- answers --- */

/* The last item comes in the place of the first, or is left out. */
static void spoil_answer(struct kw_answer *answer, struct kw_bytes *items, enum sim_attack attack,
                         struct kw_buf *out)
{
    struct kw_bytes key = answer->key;
    struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    struct kw_answer forged;

    if (attack == SIM_CUT_ANSWER) {
        answer->count--;
    } else {
        items[0] = items[answer->count - 1];
    }
    answer->items = items;
    kw_buf_clear(out);
    SIM_MUST(kw_answer_sign(answer, sim_forger_key(), out, err));
    SIM_MUST(kw_answer_decode(kw_buf_bytes(out), arena, &forged, err));
    put_key(out, forged.key, key);
    kw_arena_free(arena);
}

enum sim_attack sim_hostile_answer(struct sim *sim, struct kw_buf *record)
{
    struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    enum sim_attack attack = SIM_NO_ATTACK;
    struct kw_answer answer;
    struct kw_bytes copy;

    SIM_MUST(kw_arena_copy(arena, kw_buf_bytes(record), &copy, err));
    if (sim->faults && sim_chance(sim, 10 * sim->rates.forge) &&
        kw_ok(kw_answer_decode(copy, arena, &answer, NULL)) && answer.count > 1) {
        struct kw_bytes *items = kw_arena_alloc(arena, answer.count * sizeof(*items));

        memcpy(items, answer.items, answer.count * sizeof(*items));
        attack = sim_chance(sim, 500) ? SIM_CUT_ANSWER : SIM_FORGED_ANSWER;
        spoil_answer(&answer, items, attack, record);
        sim_hostile_tried(sim, attack);
    }
    kw_arena_free(arena);
    return attack;
}

/* --- a store that was fenced --- */

struct dead {
    struct sim *sim;
    const struct sim_member *member;
    struct kw_lane lane;
    struct kw_lane_point point; /* after what its fence honours */
    struct kw_buf change;       /* a grant is revoked */
};

static void make_change(struct dead *dead)
{
    struct sim_truth *truth = dead->sim->truth;
    const struct sim_grant *grant = &truth->grants[sim_random(dead->sim, truth->grant_count)];
    struct kw_record record = {.table = kw_grant_record.table, .key = kw_id_bytes(&grant->id)};
    const struct kw_first now = {.time_ms = dead->sim->now_ms, .store = dead->member->id};
    struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);

    kw_put_first(&w, &now);
    SIM_MUST(kw_record_set(&record, &kw_grant_record, KW_GRANT_FIELD_REVOKED, kw_buf_bytes(&value),
                           err));
    SIM_MUST(kw_record_encode(&record, &dead->change, err));
    kw_buf_done(&value);
}

static void say(const struct dead *dead, bool urgent, struct kw_buf *out)
{
    const struct kw_change change = {
        .hlc = dead->sim->now_ms << 16, .urgent = true, .record = kw_buf_bytes(&dead->change)};
    struct kw_lane_point point = dead->point;
    struct kw_buf head_record = {0};

    SIM_MUST(kw_lane_advance(&point, &change, err));
    if (urgent) {
        const struct kw_urgent said = {.lane = dead->lane, .point = point, .change = change};

        SIM_MUST(kw_urgent_sign(&said, dead->member->key, out, err));
    } else {
        const struct kw_lane_head head = {.lane = dead->lane, .point = point, .closed = change.hlc};
        struct kw_lane_batch batch = {.from = dead->point, .changes = &change, .count = 1};

        SIM_MUST(kw_lane_head_sign(&head, dead->member->key, &head_record, err));
        batch.head_record = kw_buf_bytes(&head_record);
        SIM_MUST(kw_lane_batch_encode(&batch, out, err));
    }
    kw_buf_done(&head_record);
}

/* One of which all who are up have heard that it is fenced; NULL: there is none. */
static const struct sim_member *draw_dead(struct sim *sim)
{
    size_t first = sim_random(sim, sim->desk->count);

    for (size_t i = 0; i < sim->desk->count; i++) {
        const struct sim_member *member = &sim->desk->members[(first + i) % sim->desk->count];

        if (member->fenced && sim->now_ms > member->fenced_ms + SIM_ORDER_MS) {
            return member;
        }
    }
    return NULL;
}

/* What any disk has of a lane may be honoured yet, when its cell comes back: two changes by the store's own key within that
 * are a fork like any. So what is said is behind all of it. */
static uint64_t end_of(const struct sim *sim, const struct sim_life *life)
{
    uint64_t end = life->fence;

    for (size_t i = 0; i < sim->cell_count; i++) {
        uint64_t held = sim_cell_holds(sim, i, life->lane);

        end = held > end ? held : end;
    }
    return end;
}

void sim_hostile_dead(struct sim *sim)
{
    struct dead dead = {.sim = sim, .member = draw_dead(sim)};
    bool urgent = sim_chance(sim, 500);
    enum sim_attack attack = urgent ? SIM_FENCED_URGENT : SIM_FENCED;
    struct kw_buf record = {0};
    const struct sim_life *life;

    if (dead.member == NULL || sim->truth->grant_count == 0) {
        return;
    }
    life = &dead.member->lives[dead.member->life_count - 1];
    dead.lane = (struct kw_lane){
        .mesh = sim_mesh, .store = dead.member->id, .incarnation = life->incarnation};
    dead.point.seq = end_of(sim, life);
    make_change(&dead);
    say(&dead, urgent, &record);
    if (sim_net_inject(sim, urgent ? KW_FRAME_URGENT : KW_FRAME_BATCH, &record, attack)) {
        sim_hostile_tried(sim, attack);
    }
    kw_buf_done(&dead.change);
    kw_buf_done(&record);
}
