/* Suspending and resuming in two cells, every history of six steps: a suspension that nobody lifted
 * who knew of it is in force. A counter, where odd is suspended, loses some. */
#include "common/sync/suspension_set.h"
#include "tests/support/merge_values.h"
#include "tests/support/must.h"
#include "tests/support/note.h"

enum step {
    SUSPEND_A,
    SUSPEND_B,
    RESUME_A,
    RESUME_B,
    MEET,
    STEPS
};

enum {
    LENGTH = 6,
    HISTORIES = 15625
};

/* A cell by the product, by a counter, and as it truly is: a bit for each suspension. */
struct cell {
    struct kw_bytes set;
    unsigned counter;
    unsigned known;
    unsigned lifted;
};

struct world {
    struct cell cells[2];
    unsigned suspensions;
};

static void join(struct cell *cell, struct kw_bytes intent, struct kw_arena *arena)
{
    MUST(kw_suspensions_join(cell->set, intent, arena, &cell->set, err));
}

static struct kw_bytes entry(unsigned number, unsigned marks, struct kw_arena *arena)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_bytes copy;

    kw_put_suspension(&w, (struct kw_id){{(uint8_t)(number + 1)}}, marks);
    MUST(kw_arena_copy(arena, kw_buf_bytes(&buf), &copy, err));
    return copy;
}

static void suspend(struct world *world, struct cell *cell, struct kw_arena *arena)
{
    join(cell, entry(world->suspensions, KW_SUSPENSION_SET, arena), arena);
    cell->counter += cell->counter % 2 == 0;
    cell->known |= 1U << world->suspensions++;
}

/* Lifts each that the cell knows to be set. */
static void resume(struct cell *cell, struct kw_arena *arena)
{
    for (unsigned i = 0; i < LENGTH; i++) {
        if ((cell->known & (1U << i)) != 0) {
            join(cell, entry(i, KW_SUSPENSION_LIFTED, arena), arena);
        }
    }
    cell->counter += cell->counter % 2 == 1;
    cell->lifted |= cell->known;
}

static void meet(struct world *world, struct kw_arena *arena)
{
    struct cell *a = &world->cells[0];
    struct cell *b = &world->cells[1];

    join(a, b->set, arena);
    a->counter = a->counter > b->counter ? a->counter : b->counter;
    a->known |= b->known;
    a->lifted |= b->lifted;
    *b = *a;
}

static void take(struct world *world, enum step step, struct kw_arena *arena)
{
    switch (step) {
    case SUSPEND_A:
    case SUSPEND_B:
        suspend(world, &world->cells[step - SUSPEND_A], arena);
        break;
    case RESUME_A:
    case RESUME_B:
        resume(&world->cells[step - RESUME_A], arena);
        break;
    case MEET:
    case STEPS:
        meet(world, arena);
        break;
    }
}

/* What both cells have after a history, and after they met. */
static struct cell run(unsigned history, struct kw_arena *arena)
{
    struct world world = {0};

    for (unsigned i = 0; i < LENGTH; i++) {
        take(&world, (enum step)(history % STEPS), arena);
        history /= STEPS;
    }
    take(&world, MEET, arena);
    return world.cells[0];
}

Test(history, no_suspension_is_lost_to_a_concurrent_resume_and_none_is_invented)
{
    unsigned lost = 0;
    unsigned invented = 0;
    unsigned lost_by_counter = 0;

    for (unsigned history = 0; history < HISTORIES; history++) {
        struct kw_arena *arena = kw_arena_new(64 * 1024);
        struct cell cell = run(history, arena);
        bool truly = (cell.known & ~cell.lifted) != 0;
        bool in_force = kw_suspensions_in_force(cell.set);

        lost += truly && !in_force;
        invented += !truly && in_force;
        lost_by_counter += truly && cell.counter % 2 == 0;
        kw_arena_free(arena);
    }
    test_note("suspend against resume: %d histories, %u suspensions lost by set, %u by counter",
              HISTORIES, lost, lost_by_counter);
    cr_assert_eq(lost, 0);
    cr_assert_eq(invented, 0);
    cr_assert_gt(lost_by_counter, 0);
}
