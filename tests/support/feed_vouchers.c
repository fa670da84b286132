/* See the header. */
#include "tests/support/feed_vouchers.h"

#include "common/feed/feed_admit.h"
#include "tests/support/lane_order.h"
#include "tests/support/must.h"

#define ARENA (8U << 20)

struct voucher_owner *feed_owners[FEED_NODES_MAX];

void feed_owners_init(struct feed_node *nodes, const char *const *cells, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        feed_owners[i] = voucher_owner_new(voucher_ca(), cells[i], "authz", feed_key(i));
        feed_node_init_vouched(&nodes[i], i, &feed_owners[i]->trust, PKI_NOW_MS);
        nodes[i].feed.options.orders = order_trust();
    }
}

struct admitted {
    enum kw_lane_verdict verdict;
    struct kw_buf record;
};

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result run_admit(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA);
    struct admitted *admitted = job->out;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    return kw_feed_admit(&job->node->feed, tx, *(const struct kw_bytes *)job->in,
                         job->node->wall_ms, arena, &admitted->verdict, err);
}

static struct kw_result run_vouch(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA);
    struct admitted *admitted = job->out;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    return kw_feed_vouch(&job->node->feed, tx, &feed_owners[job->node->number]->credentials,
                         job->node->wall_ms, arena, &admitted->record, &admitted->verdict, err);
}

enum kw_lane_verdict feed_admit(struct feed_node *node, struct kw_bytes voucher)
{
    struct admitted admitted = {0};

    MUST(feed_do(node, run_admit, &voucher, &admitted, err));
    return admitted.verdict;
}

struct kw_bytes feed_vouch(struct feed_node *node, enum kw_lane_verdict verdict)
{
    struct admitted admitted = {0};

    MUST(feed_do(node, run_vouch, NULL, &admitted, err));
    cr_assert_eq(admitted.verdict, verdict);
    return value_keep(&admitted.record);
}

struct kw_bytes feed_made(const struct feed_node *node, struct kw_id life, uint64_t issued_ms)
{
    return voucher_made(feed_owners[node->number], node->feed.options.mesh, node->feed.seed, life,
                        issued_ms);
}

static struct kw_result run_row(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_store_record, kw_id_bytes(job->in), values_arena(), job->out,
                        &found, err));
    KW_ENSURE(found, err, NOT_FOUND, "no such store");
    return KW_OK;
}

struct kw_record feed_row_of(struct feed_node *node, const struct feed_node *of)
{
    struct kw_record row;

    MUST(feed_look(node, run_row, &of->id, &row, err));
    return row;
}

struct kw_bytes feed_row_bytes(struct feed_node *node, const struct feed_node *of)
{
    struct kw_record row = feed_row_of(node, of);
    struct kw_buf encoded = {0};

    MUST(kw_record_encode(&row, &encoded, err));
    return value_keep(&encoded);
}

struct kw_record feed_change_of(struct kw_bytes voucher)
{
    struct kw_voucher read = voucher_read(voucher);
    struct kw_record row;

    MUST(kw_voucher_row(&read, values_arena(), &row, err));
    return row;
}

int64_t feed_stores(struct feed_node *node)
{
    return feed_number(node, "SELECT count(*) FROM feed_records WHERE kind = 1");
}
