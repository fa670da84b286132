/* SQL of table feed_acks. */
#include "common/feed/ack_table.h"

static const char upsert_ack[] = "INSERT INTO feed_acks (lane, peer, seq) VALUES ($1, $2, $3)"
                                 " ON CONFLICT (lane, peer) DO UPDATE SET seq = excluded.seq"
                                 " WHERE excluded.seq > feed_acks.seq";
static const char select_ack[] = "SELECT seq FROM feed_acks WHERE lane = $1 AND peer = $2";

struct kw_result kw_ack_raise(struct kw_tx *tx, struct kw_id lane, struct kw_id peer, uint64_t seq,
                              struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_ack, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_id(stmt, 2, &peer);
    kw_bind_i64(stmt, 3, (int64_t)seq);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_ack_find(struct kw_tx *tx, struct kw_id lane, struct kw_id peer,
                             uint64_t *ret_seq, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_ack, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_id(stmt, 2, &peer);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_seq = found ? (uint64_t)kw_col_i64(stmt, 0) : 0;
    return KW_OK;
}
