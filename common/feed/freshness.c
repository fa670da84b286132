/* The oldest of the promises that count. */
#include "common/feed/freshness.h"

#include "common/sync/stamp.h"
#include "common/sync/store_record.h"

/* A state that is not known may be one in which it revokes. */
static bool may_revoke(uint64_t state)
{
    return state >= KW_STORE_ACTIVE && state != KW_STORE_FENCED;
}

static bool counts(const struct kw_freshness_mesh *mesh, const struct kw_freshness_store *store)
{
    bool is_near = kw_id_equal(store->id, mesh->store) ||
                   (store->region.len > 0 && kw_bytes_equal(store->region, mesh->region));

    return !is_near && may_revoke(store->state);
}

static struct kw_id present_life(const struct kw_freshness_mesh *mesh,
                                 const struct kw_freshness_store *store)
{
    struct kw_id life = store->life;
    uint64_t newest = 0;

    for (size_t i = 0; i < mesh->lane_count && kw_id_is_none(store->life); i++) {
        const struct kw_freshness_lane *lane = &mesh->lanes[i];

        if (kw_id_equal(lane->store, store->id) && lane->closed >= newest) {
            newest = lane->closed;
            life = lane->incarnation;
        }
    }
    return life;
}

static uint64_t counted_ms(const struct kw_freshness_lane *lane)
{
    uint64_t ms = kw_hlc_ms(lane->closed);

    return ms < lane->heard_ms ? ms : lane->heard_ms;
}

/* Up to when all of its lanes promise, in milliseconds; 0: nothing is promised. */
static uint64_t promised_ms(const struct kw_freshness_mesh *mesh,
                            const struct kw_freshness_store *store)
{
    struct kw_id life = present_life(mesh, store);
    uint64_t oldest = UINT64_MAX;

    if (!kw_store_settled(store->lives, store->settled, life)) {
        return 0;
    }
    for (size_t i = 0; i < mesh->lane_count; i++) {
        const struct kw_freshness_lane *lane = &mesh->lanes[i];

        if (kw_id_equal(lane->store, store->id) && kw_id_equal(lane->incarnation, life) &&
            counted_ms(lane) < oldest) {
            oldest = counted_ms(lane);
        }
    }
    return oldest < UINT64_MAX ? oldest : 0;
}

/* Is it ours, and may somebody else hold more of what it said in an earlier life? Then we do not know what we revoked. */
static bool forgot(const struct kw_freshness_mesh *mesh, const struct kw_freshness_store *store)
{
    return kw_id_equal(store->id, mesh->store) &&
           !kw_store_settled(store->lives, store->settled, present_life(mesh, store));
}

static uint64_t age_of(uint64_t ms, uint64_t now_ms)
{
    if (ms == 0) {
        return KW_FRESHNESS_NEVER;
    }
    return ms < now_ms ? now_ms - ms : 0;
}

struct kw_freshness kw_freshness(const struct kw_freshness_mesh *mesh, uint64_t now_ms)
{
    struct kw_freshness oldest = {.age_ms = 0};

    for (size_t i = 0; i < mesh->store_count; i++) {
        const struct kw_freshness_store *store = &mesh->stores[i];
        uint64_t age;

        if (forgot(mesh, store)) {
            return (struct kw_freshness){.age_ms = KW_FRESHNESS_NEVER, .store = store->id};
        }
        if (!counts(mesh, store)) {
            continue;
        }
        age = age_of(promised_ms(mesh, store), now_ms);
        if (age > oldest.age_ms || kw_id_is_none(oldest.store)) {
            oldest = (struct kw_freshness){.age_ms = age, .store = store->id};
        }
    }
    return oldest;
}
