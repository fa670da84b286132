/* Questions, answers, and what happens when there is none. */
#include "tests/sim/join.h"

#include "common/base/arena.h"
#include "common/feed/feed_join.h"
#include "common/feed/feed_snapshot.h"
#include "tests/sim/cell_step.h"
#include "tests/sim/hostile.h"
#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BYTES = 16 << 20,
    AGAIN_MS = 1200,  /* without an answer it asks somebody else */
    BEHIND_MS = 4000, /* what one peer has no more another one may bring, in this time */
};

/* A question or an answer on its way. */
struct letter {
    uint64_t number; /* cell->asked */
    struct kw_ask ask;
    struct kw_buf key; /* ask.from.key */
    struct kw_buf answer;
    unsigned attack;
};

static void ask(struct sim *sim, size_t cell);

static void letter_free(void *what)
{
    struct letter *letter = what;

    kw_buf_done(&letter->key);
    kw_buf_done(&letter->answer);
    free(letter);
}

static struct letter *letter_new(const struct kw_ask *of, uint64_t number)
{
    struct letter *letter = calloc(1, sizeof(*letter));

    if (letter == NULL) {
        sim_fatal("memory", "a letter");
    }
    letter->number = number;
    letter->ask = *of;
    SIM_MUST(kw_buf_append(&letter->key, of->from.key, err));
    letter->ask.from.key = kw_buf_bytes(&letter->key);
    return letter;
}

/* Of no life: who is up takes it. */
static void post(struct sim *sim, size_t from, size_t to, struct letter *letter,
                 void (*run)(struct sim *, struct sim_event *))
{
    struct sim_event *event;
    uint64_t way;

    if (!sim_net_way(sim, from, to, &way)) {
        letter_free(letter);
        return;
    }
    event = sim_after(sim, way, run);
    event->cell = from;
    event->other = to;
    event->what = letter;
    event->drop = letter_free;
}

/* --- the one that asks --- */

struct joining {
    struct sim *sim;
    struct sim_cell *cell;
    struct kw_arena *arena;
    struct kw_id donor;
    struct kw_ask ask;
    bool joins;
    const struct kw_answer *answer;
    enum kw_answer_verdict verdict;
    bool done;
};

static SIM_JOB(begin)
{
    struct joining *j = context;

    return kw_feed_join(&j->cell->feed, tx, j->donor, err);
}

static SIM_JOB(find_question)
{
    struct joining *j = context;

    return kw_feed_join_ask(tx, j->arena, &j->ask, &j->joins, err);
}

static SIM_JOB(take)
{
    struct joining *j = context;

    return kw_feed_join_take(&j->cell->feed, tx, j->answer, sim_cell_clock(j->sim, j->cell->index),
                             &j->verdict, &j->done, err);
}

static bool is_near(const struct sim *sim, size_t a, size_t b)
{
    return strcmp(sim->cells[a].place.region, sim->cells[b].place.region) == 0;
}

/* Somebody who has it all, in the same region if there is one; the cell itself if there is nobody. */
static size_t draw_donor(struct sim *sim, size_t cell)
{
    const struct sim_cell *at = &sim->cells[cell];
    size_t first = sim_random(sim, at->peer_count), found = cell;

    for (size_t i = 0; i < at->peer_count; i++) {
        size_t peer = at->peer_cells[(first + i) % at->peer_count];

        if (sim_cell_serves(sim, peer) && (found == cell || is_near(sim, cell, peer))) {
            found = peer;
        }
    }
    return found;
}

static void begin_with(struct sim *sim, size_t cell, size_t donor)
{
    struct joining j = {.sim = sim, .cell = &sim->cells[cell], .donor = sim->cells[donor].store_id};

    SIM_MUST(sim_store_write(j.cell->store, begin, &j, err));
    j.cell->donor = donor;
    j.cell->donors |= 1ULL << sim->cells[donor].member;
    sim->counts.leaks +=
        sim->desk->members[sim->cells[donor].member].fenced || sim_desk_lacks_fence(sim, donor);
}

/* Still no answer to that question? */
static void look_again(struct sim *sim, struct sim_event *event)
{
    struct sim_cell *cell = &sim->cells[event->cell];
    const struct letter *letter = event->what;

    if (!cell->up || !cell->joining || cell->asked != letter->number) {
        return;
    }
    if (sim_cell_runs(sim, event->cell)) {
        size_t donor = draw_donor(sim, event->cell);

        if (donor != event->cell) {
            begin_with(sim, event->cell, donor);
        }
    }
    ask(sim, event->cell);
}

static void arrive_ask(struct sim *sim, struct sim_event *event);

static void ask(struct sim *sim, size_t index)
{
    struct joining j = {.sim = sim, .cell = &sim->cells[index]};
    struct sim_event *again;

    j.arena = kw_arena_new(ARENA_BYTES);
    SIM_MUST(sim_store_write(j.cell->store, find_question, &j, err));
    j.cell->joining = j.joins;
    if (j.joins) {
        j.cell->asked++;
        again = sim_after(sim, AGAIN_MS, look_again);
        again->cell = index;
        again->what = letter_new(&j.ask, j.cell->asked);
        again->drop = letter_free;
        post(sim, index, j.cell->donor, letter_new(&j.ask, j.cell->asked), arrive_ask);
    }
    kw_arena_free(j.arena);
}

static void end(struct sim *sim, size_t index)
{
    sim->cells[index].joining = false;
    sim->cells[index].donors = 0;
    sim->counts.snapshots++;
    sim->joined_ms = sim->now_ms;
    sim_note(sim, "%zu has joined", index);
    sim_cell_load(sim, index);
}

/* It takes everything that is well-formed: at worst it makes nothing of it. */
static void take_answer(struct joining *j)
{
    struct kw_error err = {0};

    if (!kw_ok(sim_store_write(j->cell->store, take, j, &err))) {
        sim_violation(j->sim, "cell %zu could not take an answer: %s", j->cell->index, err.message);
    }
    j->sim->counts.answers++;
}

static void arrive_answer(struct sim *sim, struct sim_event *event);

/* The relay has kept it, and brings it once more. */
static void replay(struct sim *sim, struct sim_event *event)
{
    const struct letter *letter = event->what;
    struct letter *again;

    if (sim->faults && sim_chance(sim, sim->rates.replay)) {
        again = letter_new(&letter->ask, letter->number);
        SIM_MUST(kw_buf_append(&again->answer, kw_buf_bytes(&letter->answer), err));
        again->attack = SIM_REPLAYED_ANSWER;
        sim_hostile_tried(sim, SIM_REPLAYED_ANSWER);
        post(sim, event->cell, event->other, again, arrive_answer);
    }
}

static void arrive_answer(struct sim *sim, struct sim_event *event)
{
    const struct letter *letter = event->what;
    struct sim_cell *cell = &sim->cells[event->other];
    struct joining j = {.sim = sim, .cell = cell, .arena = kw_arena_new(ARENA_BYTES)};
    struct kw_answer answer;

    if (sim_cell_runs(sim, cell->index) &&
        kw_ok(kw_answer_decode(kw_buf_bytes(&letter->answer), j.arena, &answer, NULL))) {
        j.answer = &answer;
        take_answer(&j);
        sim_note(sim, "%zu answer %s", cell->index, kw_answer_verdict_name(j.verdict));
        sim_hostile_judged(sim, letter->attack, kw_answer_verdict_name(j.verdict),
                           j.verdict == KW_ANSWER_GOOD);
        if (j.verdict == KW_ANSWER_GOOD) {
            replay(sim, event);
        }
        if (j.done) {
            end(sim, cell->index);
        } else if (j.verdict == KW_ANSWER_GOOD) {
            ask(sim, cell->index);
        }
    }
    kw_arena_free(j.arena);
}

/* --- the one that is asked --- */

struct answering {
    struct sim_cell *cell;
    struct letter *letter;
};

static SIM_JOB(answer_it)
{
    struct answering *a = context;

    return kw_feed_snapshot(&a->cell->feed, tx, &a->letter->ask, a->cell->key, &a->letter->answer,
                            err);
}

/* A relay may make another one of it. */
static void post_answer(struct sim *sim, size_t from, size_t to, struct letter *letter)
{
    letter->attack = sim_hostile_answer(sim, &letter->answer);
    post(sim, from, to, letter, arrive_answer);
}

/* A store that is itself joining says nothing, nor one that is not who was asked. */
static void arrive_ask(struct sim *sim, struct sim_event *event)
{
    const struct letter *letter = event->what;
    struct answering a = {&sim->cells[event->other], letter_new(&letter->ask, letter->number)};

    if (sim_cell_runs(sim, event->other) &&
        kw_ok(sim_store_write(a.cell->store, answer_it, &a, NULL))) {
        post_answer(sim, event->other, event->cell, a.letter);
    } else {
        letter_free(a.letter);
    }
}

/* --- its beginning --- */

void sim_join_begin(struct sim *sim, size_t index, size_t donor)
{
    struct sim_cell *cell = &sim->cells[index];

    cell->joining = true;
    cell->is_new = false;
    sim_note(sim, "%zu joins by %zu", index, donor);
    begin_with(sim, index, donor);
    ask(sim, index);
}

static void begin_new(struct sim *sim, struct sim_cell *cell, struct sim_step *step)
{
    size_t donor = draw_donor(sim, cell->index);

    (void)step;
    if (donor != cell->index) {
        sim_join_begin(sim, cell->index, donor);
    } else {
        sim_cell_later(sim, cell, AGAIN_MS, begin_new);
    }
}

void sim_join_resume(struct sim *sim, size_t index)
{
    struct sim_cell *cell = &sim->cells[index];

    if (cell->is_new) {
        cell->joining = true;
        begin_new(sim, cell, NULL);
    } else {
        ask(sim, index);
    }
}

/* --- what a peer has no more --- */

/* What is noted of a lane that is missed; NULL: too many are. */
static struct sim_missed *missed_of(struct sim_cell *cell, struct kw_id lane)
{
    size_t i = 0;

    while (i < cell->missed_count && !kw_id_equal(cell->missed[i].lane, lane)) {
        i++;
    }
    if (i == cell->missed_count) {
        if (i == SIM_LANES_MAX) {
            return NULL;
        }
        cell->missed[cell->missed_count++] = (struct sim_missed){.lane = lane};
    }
    return &cell->missed[i];
}

/* Has it stood still since that was first said? Somebody else may have what this peer has no more. */
static bool is_stuck(const struct sim *sim, struct sim_cell *cell, struct kw_id lane)
{
    struct sim_missed *missed = missed_of(cell, lane);
    uint64_t seq = sim_cell_holds(sim, cell->index, lane);

    if (missed == NULL) {
        return true;
    }
    if (missed->seq != seq || missed->since_ms == 0) {
        missed->seq = seq;
        missed->since_ms = sim->now_ms;
    }
    return sim->now_ms >= missed->since_ms + BEHIND_MS;
}

static void hear_told(struct sim *sim, struct sim_event *event)
{
    struct sim_cell *cell = &sim->cells[event->other];
    const struct kw_id *lane = event->what;

    /* By one that joins nobody joins: two that wait for one another would wait for ever. */
    if (sim_cell_serves(sim, event->other) && sim_cell_serves(sim, event->cell) &&
        is_stuck(sim, cell, *lane)) {
        sim->counts.behind++;
        sim_note(sim, "%zu lacks what comes after %llu of a lane", cell->index,
                 (unsigned long long)sim_cell_holds(sim, cell->index, *lane));
        cell->missed_count = 0;
        sim_join_begin(sim, event->other, event->cell);
    }
}

void sim_join_tell(struct sim *sim, size_t from, size_t cell, struct kw_id lane)
{
    struct kw_id *what = malloc(sizeof(*what));
    struct sim_event *event;
    uint64_t way;

    if (what == NULL) {
        sim_fatal("memory", "the name of a lane");
    }
    if (!sim_net_way(sim, from, cell, &way)) {
        free(what);
        return;
    }
    *what = lane;
    event = sim_after(sim, way, hear_told);
    event->cell = from;
    event->other = cell;
    event->what = what;
    event->drop = free;
}
