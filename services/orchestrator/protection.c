/* Who is asked, what is stated, and when it is looked. */
#include "services/orchestrator/protection.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_copies.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/service.h"

/* --- who is asked --- */

static struct kw_feed_self self_of(const struct kw_orch *orch)
{
    return (struct kw_feed_self){orch->feed.options.store, kw_bytes_str(orch->config->region)};
}

/* Without a listener for a replicator nothing gets to anybody. */
struct kw_result kw_protection_asks(const struct kw_orch *orch, struct kw_tx *tx,
                                    struct kw_arena *arena, bool *ret_asks, struct kw_error *err)
{
    const struct kw_feed_self self = self_of(orch);
    struct kw_copies copies;

    *ret_asks = false;
    if (orch->config->feed_listen == NULL) {
        return KW_OK;
    }
    KW_TRY(kw_feed_copies(tx, &self, KW_ID_NONE, arena, &copies, err));
    *ret_asks = !kw_copies_reached(&copies, KW_ID_NONE, 1, KW_COPY_FAR);
    return KW_OK;
}

/* --- what is owed --- */

struct kw_result kw_protection_owe(const struct kw_feed_tx *feed_tx, struct kw_protection_row *rows,
                                   size_t count, struct kw_error *err)
{
    struct kw_id lane;
    uint64_t seq;

    KW_TRY(kw_feed_said(feed_tx, &lane, &seq, err));
    for (size_t i = 0; i < count; i++) {
        rows[i].lane = lane;
        rows[i].seq = seq;
        rows[i].since_ms = feed_tx->wall_ms;
        KW_TRY(kw_protection_put(feed_tx->tx, &rows[i], err));
    }
    return KW_OK;
}

static struct kw_result state_one(const struct kw_feed_tx *feed_tx,
                                  const struct kw_protection_row *row, struct kw_error *err)
{
    struct kw_fact_row fact = {.record = row->record, .mac = row->mac, .justification = ""};

    KW_TRY(kw_fact_decode(fact.record, &fact.fact, err));
    KW_TRY(kw_fact_state(feed_tx, &fact, err));
    return kw_protection_delete(feed_tx->tx, row->key, err);
}

/* Of one lane; `ret_more`: all of the chunk were stated. */
static struct kw_result state_lane(const struct kw_orch *orch, const struct kw_feed_tx *feed_tx,
                                   struct kw_id lane, bool *ret_more, struct kw_error *err)
{
    const struct kw_feed_self self = self_of(orch);
    struct kw_protection_row *rows =
        kw_arena_alloc(feed_tx->arena, KW_CHUNK_ITEMS_MAX * sizeof(*rows));
    struct kw_copies copies;
    size_t count;

    KW_ENSURE(rows != NULL, err, MEMORY, "keys that wait");
    KW_TRY(kw_feed_copies(feed_tx->tx, &self, lane, feed_tx->arena, &copies, err));
    KW_TRY(kw_protection_list(feed_tx->tx, lane, KW_CHUNK_ITEMS_MAX, feed_tx->arena, rows, &count,
                              err));
    *ret_more = count == KW_CHUNK_ITEMS_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!kw_copies_reached(&copies, lane, rows[i].seq, KW_COPY_FAR)) {
            *ret_more = false;
            break;
        }
        KW_TRY(state_one(feed_tx, &rows[i], err));
    }
    return KW_OK;
}

struct kw_result kw_protection_state(const struct kw_orch *orch, const struct kw_feed_tx *feed_tx,
                                     struct kw_protection_found *ret_found, struct kw_error *err)
{
    struct kw_id lane = KW_ID_NONE;
    bool found;
    bool more;

    *ret_found = (struct kw_protection_found){0};
    KW_TRY(kw_protection_lane(feed_tx->tx, lane, &lane, &found, err));
    while (found) {
        KW_TRY(state_lane(orch, feed_tx, lane, &more, err));
        ret_found->more = ret_found->more || more;
        KW_TRY(kw_protection_lane(feed_tx->tx, lane, &lane, &found, err));
    }
    return kw_protection_count(feed_tx->tx, &ret_found->waiting, &ret_found->since_ms, err);
}

/* --- when --- */

static struct kw_result run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_orch *orch = KW_CONTAINER_OF(job, struct kw_orch, protection.job);
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    const struct kw_feed_tx feed_tx = {&orch->feed, tx, arena, kw_clock_wall_ms()};
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for keys that wait");
    result = kw_protection_state(orch, &feed_tx, &orch->protection.found, err);
    kw_arena_free(arena);
    return result;
}

static void show(const struct kw_protection_found *found)
{
    uint64_t now_ms = kw_clock_wall_ms();
    bool waits = found->waiting > 0 && found->since_ms < now_ms;

    kw_metric_set(KW_M_KEYS_UNPROTECTED, NULL, (int64_t)found->waiting);
    kw_metric_set(KW_M_KEYS_UNPROTECTED_AGE, NULL, waits ? (int64_t)(now_ms - found->since_ms) : 0);
}

static void done(struct kw_store_job *job)
{
    struct kw_orch *orch = KW_CONTAINER_OF(job, struct kw_orch, protection.job);
    struct kw_protection *protection = &orch->protection;
    bool again = protection->again || protection->found.more;

    protection->runs = false;
    if (kw_ok(job->result)) {
        show(&protection->found);
    } else {
        KW_LOG(WARN, "keys can't be stated to be protected", KW_F_ERR(&job->error));
        again = false; /* the next look comes by itself */
    }
    if (again) {
        protection->looked_ns = 0;
        kw_protection_look(orch);
    }
    kw_orch_call_ended(orch);
}

void kw_protection_made(struct kw_orch *orch, uint64_t count)
{
    orch->protection.found.waiting += count;
}

/* Nothing waits most of the time, but other instances of this database may have made some. */
static bool is_due(const struct kw_protection *protection)
{
    return protection->found.waiting > 0 ||
           kw_clock_mono_ns() - protection->looked_ns >= KW_FEED_UPKEEP_MS * KW_NS_PER_MS;
}

void kw_protection_look(struct kw_orch *orch)
{
    struct kw_protection *protection = &orch->protection;
    struct kw_error error = {0};

    protection->again = protection->runs;
    if (protection->runs || orch->stopping || !is_due(protection)) {
        return;
    }
    protection->looked_ns = kw_clock_mono_ns();
    protection->job = (struct kw_store_job){.run = run, .done = done, .vital = true};
    protection->runs = kw_ok(kw_store_write(orch->store, &protection->job, &error));
    if (protection->runs) {
        kw_orch_call_began(orch); /* the store stays until it is done */
    } else {
        KW_LOG(WARN, "keys can't be stated to be protected", KW_F_ERR(&error));
    }
}
