/* The forger: everything right but the signature. */
#include "tests/sim/forge.h"

#include "common/feed/lane_batch.h"
#include "tests/sim/cell.h"

#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BYTES = 4 << 20,
    AHEAD_MS = 3000, /* what it promises beyond the truth */
};

/* The head's key is the store's again, where the relay's own was signed with. */
static void put_key(struct kw_buf *head, struct kw_bytes key)
{
    struct kw_lane_head forged;

    SIM_MUST(kw_lane_head_decode(kw_buf_bytes(head), &forged, err));
    if (forged.key.len == key.len) {
        memcpy(head->data + (forged.key.data - head->data), key.data, key.len);
    }
}

static void forge_head(const struct kw_lane_batch *batch, struct kw_buf *ret_head)
{
    struct kw_lane_head head = batch->head;

    head.point = batch->from;
    for (size_t i = 0; i < batch->count; i++) {
        SIM_MUST(kw_lane_advance(&head.point, &batch->changes[i], err));
    }
    head.closed += (uint64_t)AHEAD_MS << 16;
    SIM_MUST(kw_lane_head_sign(&head, sim_forger_key(), ret_head, err));
    put_key(ret_head, batch->head.key);
}

/* The batch's own last change becomes its first once more, or is as urgent as it was not. */
static void forge_change(struct kw_lane_batch *batch, struct kw_change *copy)
{
    struct kw_change *last = &copy[batch->count - 1];

    memcpy(copy, batch->changes, batch->count * sizeof(*copy));
    last->urgent = !last->urgent;
    last->record = copy[0].record;
    batch->changes = copy;
}

static void forge(struct kw_lane_batch *batch, struct kw_arena *arena, struct kw_buf *out)
{
    struct kw_buf head = {0};

    if (batch->count > 0) {
        forge_change(batch, kw_arena_alloc(arena, batch->count * sizeof(*batch->changes)));
    }
    forge_head(batch, &head);
    batch->head_record = kw_buf_bytes(&head);
    kw_buf_done(out);
    SIM_MUST(kw_lane_batch_encode(batch, out, err));
    kw_buf_done(&head);
}

void sim_forge(struct sim *sim, struct kw_buf *record)
{
    struct kw_arena *arena = kw_arena_new(ARENA_BYTES);
    struct kw_lane_batch batch;
    struct kw_bytes copy;

    SIM_MUST(kw_arena_copy(arena, kw_buf_bytes(record), &copy, err));
    if (kw_ok(kw_lane_batch_decode(copy, arena, &batch, NULL))) {
        forge(&batch, arena, record);
        sim->counts.forgeries++;
    }
    kw_arena_free(arena);
}
