/* Comparing rows with one neighbour, another one each time: roots, children, buckets, then the rows of
 * those that differ are asked for and merged.
 *
 * Rows that are on their way differ, too. So where lanes are held as far here as there, what differs is a
 * fault; where they are not, it is looked at again, and compared all the same only now and then. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_repair.h"
#include "common/feed_service/errands.h"
#include "common/feed_service/feed_service_internal.h"

#define APART_TIMES 5 /* looked at soon again so often */

static const struct kw_feed_errand comparing, repairing;

static void end(struct kw_feed_service *service, const char *outcome, unsigned paces)
{
    kw_metric_add(KW_M_FEED_COMPARED, outcome, 1);
    kw_feed_errand_end(service, paces);
}

/* --- asking --- */

static void ask(struct kw_feed_service *service, uint16_t table, struct kw_bytes name)
{
    const struct kw_answer_place place = {.section = KW_SECTION_ROWS, .table = table, .key = name};

    service->errands.now = &comparing;
    service->errands.steps++;
    kw_feed_errand_ask(service, service->errands.ask.store, KW_ASK_DIGESTS, &place, NULL, 0);
}

/* The rest of a bucket, or the next node. */
static void go_on(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    uint8_t name[KW_DIGEST_NAME_LEN];

    if (errands->steps >= KW_COMPARE_STEPS_MAX || kw_clock_mono_ns() >= errands->until_ns) {
        end(service, "differs", KW_ERRAND_SOON);
    } else if (errands->rest.len > 0) {
        ask(service, errands->rest_table, kw_buf_bytes(&errands->rest));
    } else if (errands->node_count > 0) {
        struct kw_digest_node node = errands->nodes[--errands->node_count];

        kw_digest_name(node, name);
        ask(service, node.table, KW_BYTES_OF(name));
    } else {
        end(service, "differs", errands->repaired ? KW_ERRAND_SOON : KW_ERRAND_LATER);
    }
}

/* --- what is found --- */

static struct kw_result run(struct kw_feed_service *service, struct kw_tx *tx,
                            struct kw_arena *arena, const struct kw_answer *answer,
                            struct kw_error *err)
{
    struct kw_feed_errands *errands = &service->errands;

    return kw_feed_compare(service->options.feed, tx, &errands->ask, answer, arena,
                           &errands->verdict, &errands->found, err);
}

/* What differs is on its way, it seems. */
static void wait_for_lanes(struct kw_feed_service *service)
{
    bool soon = ++service->errands.apart <= APART_TIMES;

    end(service, "apart", soon ? KW_ERRAND_SOON : KW_ERRAND_LATER);
}

static void push_nodes(struct kw_feed_errands *errands)
{
    for (size_t i = 0; i < errands->found.node_count && errands->node_count < KW_DIGEST_NODES_MAX;
         i++) {
        errands->nodes[errands->node_count++] = errands->found.nodes[i];
    }
}

/* Of a bucket: where its rows go on. Fails: MEMORY. */
static struct kw_result keep_rest(struct kw_feed_errands *errands, struct kw_error *err)
{
    const struct kw_answer *answer = &errands->answer;

    kw_buf_clear(&errands->rest);
    errands->rest_table = answer->next.table;
    return kw_answer_place_equal(&answer->next, &answer->to.from)
               ? KW_OK
               : kw_buf_append(&errands->rest, answer->next.key, err);
}

static void look_into(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    const struct kw_answer_place place = {.section = KW_SECTION_ROWS,
                                          .table = errands->answer.to.from.table};
    struct kw_error error = {0};

    push_nodes(errands);
    if (!kw_ok(keep_rest(errands, &error))) {
        kw_feed_service_log(service, "comparing", &error);
    }
    if (errands->found.key_count == 0) {
        go_on(service);
        return;
    }
    errands->now = &repairing;
    kw_feed_errand_ask(service, errands->ask.store, KW_ASK_REPAIR, &place, errands->found.keys,
                       errands->found.key_count);
}

static void done(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    bool is_root = errands->answer.to.from.key.len == 0;

    if (is_root && errands->found.node_count == 0) {
        errands->apart = 0;
        end(service, "equal", KW_ERRAND_LATER);
    } else if (!errands->found.same_reach && !errands->apart_too) {
        wait_for_lanes(service);
    } else {
        look_into(service);
    }
}

static void refused(struct kw_feed_service *service, enum kw_feed_answered how)
{
    (void)how;
    end(service, "unanswered", KW_ERRAND_LATER);
}

static const struct kw_feed_errand comparing = {.run = run, .done = done, .refused = refused};

/* --- rows --- */

static struct kw_result run_repair(struct kw_feed_service *service, struct kw_tx *tx,
                                   struct kw_arena *arena, const struct kw_answer *answer,
                                   struct kw_error *err)
{
    struct kw_feed_errands *errands = &service->errands;
    size_t repaired;

    (void)arena;
    KW_TRY(kw_feed_repair(service->options.feed, tx, &errands->ask, answer, kw_clock_wall_ms(),
                          &errands->verdict, &repaired, err));
    errands->repaired = errands->repaired || repaired > 0;
    return KW_OK;
}

static const struct kw_feed_errand repairing = {
    .writes = true, .run = run_repair, .done = go_on, .refused = refused};

/* --- its beginning --- */

/* Now and then what differs is asked for though lanes are apart: they may be so for ever. */
static bool is_apart_due(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;
    bool due = errands->apart_due_ns != 0 && kw_clock_mono_ns() >= errands->apart_due_ns;

    if (due || errands->apart_due_ns == 0) {
        errands->apart_due_ns = kw_feed_errand_time(service, KW_ERRAND_APART);
    }
    return due;
}

void kw_feed_comparing_begin(struct kw_feed_service *service)
{
    struct kw_feed_errands *errands = &service->errands;

    if (errands->round.count == 0) {
        kw_feed_errand_end(service, KW_ERRAND_LATER);
        return;
    }
    errands->compared = (errands->compared + 1) % errands->round.count;
    errands->ask.store = errands->round.list[errands->compared].store;
    errands->node_count = 0;
    errands->steps = 0;
    errands->until_ns = kw_clock_mono_ns() + (uint64_t)KW_COMPARE_MS * KW_NS_PER_MS;
    errands->repaired = false;
    errands->apart_too = is_apart_due(service);
    kw_buf_clear(&errands->rest);
    ask(service, 1, KW_BYTES_NONE);
}
