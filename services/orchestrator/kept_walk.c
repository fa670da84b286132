/* Receipts out of segments, checkpoints out of the feed. */
#include "services/orchestrator/kept_walk.h"

#include "common/audit/segment.h"
#include "common/base/limits.h"
#include "common/sync/grow_set.h"
#include "services/orchestrator/kept_table.h"
#include "services/orchestrator/receipt_head_feed.h"

enum {
    RANK_RECEIPT,
    RANK_CHECKPOINT,
    RANK_CLOSED,
};

/* A page as it fills. */
struct filling {
    struct kw_tx *tx;
    struct kw_kept_cursor *cursor;
    const struct kw_chain_page *page;
    size_t count;
    size_t len;
    struct kw_receipt_head_walk walk; /* at the next number that is signed */
    struct kw_receipt_heads heads;
    struct kw_arena *heads_arena; /* of them alone: any member may have made their row large */
    bool signs;                   /* there is one */
};

/* A receipt comes with all that is signed at its number. */
static bool has_room(const struct filling *f)
{
    return f->count == 0 ||
           (f->count + 1 + KW_SET_ELEMENTS_MAX <= f->page->max && f->len < f->page->len_max);
}

static struct kw_result add(struct filling *f, struct kw_bytes record, uint32_t rank,
                            struct kw_error *err)
{
    struct kw_chain_record *made = &f->page->records[f->count++];

    made->place = (struct kw_chain_place){f->cursor->seq, rank};
    f->len += record.len;
    return kw_arena_copy(f->page->arena, record, &made->record, err);
}

/* --- checkpoints --- */

/* The next number behind `seq` that is signed. */
static struct kw_result look_ahead(struct filling *f, uint64_t seq, struct kw_error *err)
{
    kw_arena_free(f->heads_arena);
    f->heads_arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    KW_ENSURE(f->heads_arena != NULL, err, MEMORY, "an arena for heads");
    f->walk = (struct kw_receipt_head_walk){f->cursor->core, f->cursor->stream, seq};
    return kw_receipt_heads_next(f->tx, &f->walk, f->heads_arena, &f->heads, &f->signs, err);
}

/* A close comes last. */
static struct kw_result add_signed(struct filling *f, bool closed, struct kw_error *err)
{
    struct kw_bytes all = f->heads.checkpoints;
    struct kw_checkpoint checkpoint;
    struct kw_bytes one;

    while (kw_set_next(&all, &one)) {
        KW_TRY(kw_checkpoint_decode(one, &checkpoint, err));
        if (checkpoint.closed == closed) {
            KW_TRY(add(f, one, closed ? RANK_CLOSED : RANK_CHECKPOINT, err));
        }
    }
    return KW_OK;
}

static struct kw_result add_checkpoints(struct filling *f, struct kw_error *err)
{
    KW_TRY(add_signed(f, false, err));
    return add_signed(f, true, err);
}

/* --- receipts --- */

static struct kw_result add_receipt(struct filling *f, struct kw_bytes record, struct kw_error *err)
{
    f->cursor->seq++;
    KW_TRY(add(f, record, RANK_RECEIPT, err));
    if (!f->signs || f->walk.seq != f->cursor->seq) {
        return KW_OK;
    }
    KW_TRY(add_checkpoints(f, err));
    return look_ahead(f, f->cursor->seq, err);
}

static struct kw_result add_segment(struct filling *f, struct kw_error *err)
{
    const struct kw_kept_cursor *cursor = f->cursor;
    struct kw_segment segment;
    struct kw_bytes stored;
    struct kw_reader records;
    bool found;

    KW_TRY(kw_kept_segment(f->tx, cursor->place, cursor->core, cursor->stream, cursor->seq + 1,
                           f->page->arena, &stored, &found, err));
    KW_ENSURE(found && kw_ok(kw_segment_decode(stored, &segment, NULL)) &&
                  segment.after <= cursor->seq,
              err, INTERNAL, "a kept segment is damaged");
    records = KW_READER(segment.records);
    for (uint64_t seq = segment.after + 1; seq <= segment.after + segment.count && has_room(f);
         seq++) {
        struct kw_bytes record = kw_segment_next(&records);

        if (seq > cursor->seq) {
            KW_TRY(add_receipt(f, record, err));
        }
    }
    return KW_OK;
}

/* --- chains --- */

static struct kw_result next_chain(struct filling *f, bool *ret_any, struct kw_error *err)
{
    struct kw_kept_cursor *cursor = f->cursor;
    struct kw_kept_chain chain;

    KW_TRY(kw_kept_next(f->tx, cursor->place, cursor->core, cursor->stream, &chain, ret_any, err));
    cursor->in_chain = *ret_any;
    cursor->core = chain.at.core;
    cursor->stream = chain.at.stream;
    cursor->end = chain.at.seq;
    cursor->seq = 0;
    return KW_OK;
}

/* The chain's end, here: is it signed for more? */
static struct kw_result end_chain(struct filling *f, struct kw_error *err)
{
    f->cursor->in_chain = false;
    return f->signs ? add_checkpoints(f, err) : KW_OK;
}

static struct kw_result fill(struct filling *f, struct kw_error *err)
{
    struct kw_kept_cursor *cursor = f->cursor;
    bool any = true;

    while (any && f->count == 0) {
        if (!cursor->in_chain) {
            KW_TRY(next_chain(f, &any, err));
            continue;
        }
        KW_TRY(look_ahead(f, cursor->seq, err));
        KW_TRY(cursor->seq < cursor->end ? add_segment(f, err) : end_chain(f, err));
    }
    return KW_OK;
}

struct kw_result kw_kept_walk(struct kw_tx *tx, struct kw_kept_cursor *cursor,
                              const struct kw_chain_page *page, size_t *ret_count,
                              struct kw_error *err)
{
    struct filling f = {.tx = tx, .cursor = cursor, .page = page};
    struct kw_result result = fill(&f, err);

    kw_arena_free(f.heads_arena);
    *ret_count = f.count;
    return result;
}
