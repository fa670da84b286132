/* SQL of table feed_acks. */
#include "common/feed/ack_table.h"

static const char upsert_ack[] = "INSERT INTO feed_acks (lane, peer, seq) VALUES ($1, $2, $3)"
                                 " ON CONFLICT (lane, peer) DO UPDATE SET seq = excluded.seq"
                                 " WHERE excluded.seq > feed_acks.seq";
static const char upsert_told[] =
    "INSERT INTO feed_acks (lane, peer, seq, told) VALUES ($1, $2, 0, $3)"
    " ON CONFLICT (lane, peer) DO UPDATE SET told = excluded.told"
    " WHERE excluded.told > feed_acks.told";
static const char select_told[] = "SELECT told FROM feed_acks WHERE lane = $1 AND peer = $2";
static const char forget_told[] = "UPDATE feed_acks SET told = 0 WHERE told > 0";
static const char select_ack[] = "SELECT seq FROM feed_acks WHERE lane = $1 AND peer = $2";

static struct kw_result put(struct kw_tx *tx, const char *sql, struct kw_id lane, struct kw_id peer,
                            uint64_t seq, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_id(stmt, 2, &peer);
    kw_bind_i64(stmt, 3, (int64_t)seq);
    return kw_exec(stmt, NULL, err);
}

static struct kw_result get(struct kw_tx *tx, const char *sql, struct kw_id lane, struct kw_id peer,
                            uint64_t *ret_seq, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_id(stmt, 2, &peer);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_seq = found ? (uint64_t)kw_col_i64(stmt, 0) : 0;
    return KW_OK;
}

struct kw_result kw_ack_raise(struct kw_tx *tx, struct kw_id lane, struct kw_id peer, uint64_t seq,
                              struct kw_error *err)
{
    return put(tx, upsert_ack, lane, peer, seq, err);
}

struct kw_result kw_ack_find(struct kw_tx *tx, struct kw_id lane, struct kw_id peer,
                             uint64_t *ret_seq, struct kw_error *err)
{
    return get(tx, select_ack, lane, peer, ret_seq, err);
}

struct kw_result kw_ack_tell(struct kw_tx *tx, struct kw_id lane, struct kw_id peer, uint64_t seq,
                             struct kw_error *err)
{
    return put(tx, upsert_told, lane, peer, seq, err);
}

struct kw_result kw_ack_told(struct kw_tx *tx, struct kw_id lane, struct kw_id peer,
                             uint64_t *ret_seq, struct kw_error *err)
{
    return get(tx, select_told, lane, peer, ret_seq, err);
}

struct kw_result kw_ack_forget_told(struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, forget_told, &stmt, err));
    return kw_exec(stmt, NULL, err);
}
