/* Change by change. */
#include "common/feed_service/replay_show.h"

#include "common/rpc/field.h"
#include "common/rpc/messages.h"
#include "common/sync/stamp_limits.h"

static Keyward__V1__OrphanState state_of(enum kw_replayed how)
{
    switch (how) {
    case KW_REPLAYED_LEFT:
        return KEYWARD__V1__ORPHAN_STATE__ORPHAN_STATE_LEFT;
    case KW_REPLAYED_SAID:
        return KEYWARD__V1__ORPHAN_STATE__ORPHAN_STATE_SAID;
    case KW_REPLAYED_KNOWN:
        return KEYWARD__V1__ORPHAN_STATE__ORPHAN_STATE_KNOWN;
    case KW_REPLAYED_HONOURED:
        return KEYWARD__V1__ORPHAN_STATE__ORPHAN_STATE_HONOURED;
    }
    return KEYWARD__V1__ORPHAN_STATE__ORPHAN_STATE_UNSPECIFIED;
}

struct shown {
    Keyward__V1__OrphanChange change;
    Google__Protobuf__Timestamp time;
};

static void show(const struct kw_replay *replay, const struct kw_replayed_change *change,
                 struct shown *shown)
{
    const struct kw_stamp stamp = {.hlc = change->hlc};

    kw_field_time_make(kw_stamp_ms(&stamp), &shown->time);
    keyward__v1__orphan_change__init(&shown->change);
    shown->change.lane = kw_field_bytes(kw_id_bytes(&replay->lane));
    shown->change.sequence = change->seq;
    shown->change.time = &shown->time;
    shown->change.table = kw_field_text(change->table);
    shown->change.key_digest = kw_field_bytes(KW_BYTES_OF(change->key));
    shown->change.state = state_of(change->how);
    shown->change.in_part = change->in_part;
}

struct kw_result kw_replay_show(const struct kw_replay *replay, const char *layer,
                                struct kw_arena *arena,
                                Keyward__V1__ReplayOrphansResponse *ret_response,
                                struct kw_error *err)
{
    Keyward__V1__OrphanChange **list = kw_arena_alloc(arena, (replay->count + 1) * sizeof(*list));
    struct shown *shown = kw_arena_alloc(arena, (replay->count + 1) * sizeof(*shown));

    KW_ENSURE(list != NULL && shown != NULL, err, MEMORY, "orphans");
    for (size_t i = 0; i < replay->count; i++) {
        show(replay, &replay->changes[i], &shown[i]);
        list[i] = &shown[i].change;
    }
    keyward__v1__replay_orphans_response__init(ret_response);
    ret_response->said = (uint32_t)replay->said;
    ret_response->lane = kw_field_bytes(kw_id_bytes(&replay->lane));
    ret_response->missing_first = replay->missing_first;
    ret_response->missing_last = replay->missing_last;
    ret_response->layer = kw_field_text(replay->known ? layer : "");
    ret_response->changes = list;
    ret_response->n_changes = replay->count;
    return KW_OK;
}
