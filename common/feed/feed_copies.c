/* Members, and what they acknowledged. */
#include "common/feed/feed_copies.h"

#include "common/feed/ack_table.h"
#include "common/feed/feed_members.h"
#include "common/sync/store_record.h"

/* Whose region is not known may be anywhere: it does not count as far. */
static bool is_far(const struct kw_feed_self *self, struct kw_bytes region)
{
    return region.len > 0 && !kw_bytes_equal(region, self->region);
}

/* One that still joins may be long in coming. One that drains is to go, and answers until it has gone: what is to be in
 * force everywhere has to be there, too. */
static bool is_asked(const struct kw_feed_self *self, const struct kw_feed_member *member)
{
    return !kw_id_equal(member->store, self->store) && member->state != KW_STORE_JOINING;
}

static struct kw_result find_holders(struct kw_tx *tx, const struct kw_feed_self *self,
                                     struct kw_arena *arena,
                                     struct kw_copy_holder holders[KW_COPY_HOLDERS_MAX],
                                     size_t *ret_count, struct kw_error *err)
{
    struct kw_feed_member *members;
    size_t count;

    *ret_count = 0;
    KW_TRY(kw_feed_members(tx, arena, &members, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (is_asked(self, &members[i])) {
            KW_ENSURE(*ret_count < KW_COPY_HOLDERS_MAX, err, LIMIT_REACHED,
                      "more than %u stores whose copies count", KW_COPY_HOLDERS_MAX);
            holders[(*ret_count)++] =
                (struct kw_copy_holder){.store = members[i].store,
                                        .far = is_far(self, members[i].region),
                                        .leaves = members[i].state == KW_STORE_DRAINING};
        }
    }
    return KW_OK;
}

struct kw_result kw_feed_copies(struct kw_tx *tx, const struct kw_feed_self *self,
                                struct kw_id lane, struct kw_arena *arena,
                                struct kw_copies *ret_copies, struct kw_error *err)
{
    *ret_copies = (struct kw_copies){.known = true, .lane = lane};
    KW_TRY(find_holders(tx, self, arena, ret_copies->holders, &ret_copies->count, err));
    for (size_t i = 0; i < ret_copies->count; i++) {
        struct kw_copy_holder *holder = &ret_copies->holders[i];

        KW_TRY(kw_ack_find(tx, lane, holder->store, &holder->seq, err));
    }
    return KW_OK;
}
