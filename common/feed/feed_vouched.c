/* Of a change that a lane brings, and of what is said of us. */
#include "common/feed/feed_vouched.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_alarm.h"
#include "common/feed/feed_room.h"
#include "common/feed/feed_rows.h"
#include "common/feed/lane_table.h"
#include "common/sync/grow_set.h"

static uint64_t moment(uint64_t hlc, uint64_t wall_ms)
{
    uint64_t ms = kw_hlc_ms(hlc);

    return ms > 0 && ms < wall_ms ? ms : wall_ms;
}

static struct kw_result says_the_same(const struct kw_voucher *voucher,
                                      const struct kw_record *change, struct kw_arena *arena,
                                      bool *ret_same, struct kw_error *err)
{
    struct kw_record row;

    KW_TRY(kw_voucher_row(voucher, arena, &row, err));
    return kw_feed_say_the_same(change, &row, ret_same, err);
}

struct kw_result kw_feed_is_vouched(const struct kw_feed *feed, const struct kw_record *change,
                                    uint64_t hlc, uint64_t wall_ms, struct kw_arena *arena,
                                    struct kw_voucher *ret_voucher, bool *ret_vouched,
                                    struct kw_error *err)
{
    const struct kw_voucher_trust *trust = feed->options.vouchers;
    enum kw_lane_verdict verdict;

    *ret_vouched = false;
    if (trust == NULL || !kw_record_has(change, KW_STORE_FIELD_VOUCHER)) {
        return KW_OK;
    }
    KW_TRY(kw_voucher_read(kw_voucher_of(change), feed->options.mesh, trust, moment(hlc, wall_ms),
                           ret_voucher, &verdict, err));
    return verdict == KW_LANE_NEWS ? says_the_same(ret_voucher, change, arena, ret_vouched, err)
                                   : KW_OK;
}

struct kw_result kw_feed_vouched_row(const struct kw_feed *feed, const struct kw_record *row,
                                     uint64_t wall_ms, struct kw_arena *arena,
                                     struct kw_voucher *ret_voucher, struct kw_record *ret_row,
                                     bool *ret_vouched, struct kw_error *err)
{
    struct kw_bytes record = kw_voucher_of(row);
    enum kw_lane_verdict verdict;
    struct kw_result read = kw_voucher_decode(record, ret_voucher, err);

    *ret_vouched = false;
    if (read.reason == KW_E_ENCODING_INVALID) {
        return KW_OK;
    }
    KW_TRY(read);
    KW_TRY(kw_voucher_check(ret_voucher, feed->options.mesh, feed->options.vouchers,
                            ret_voucher->issued_ms < wall_ms ? ret_voucher->issued_ms : wall_ms,
                            &verdict, err));
    *ret_vouched =
        verdict == KW_LANE_NEWS && kw_bytes_equal(row->key, kw_id_bytes(&ret_voucher->store));
    return *ret_vouched ? kw_voucher_row(ret_voucher, arena, ret_row, err) : KW_OK;
}

/* Digests, as a row of our store has them. */
static struct kw_result are_our_keys(const struct kw_feed *feed, struct kw_bytes signers,
                                     const struct kw_record *row, bool *ret_are,
                                     struct kw_error *err)
{
    struct kw_bytes ours =
        row != NULL ? kw_record_value(row, KW_STORE_FIELD_SIGNERS) : KW_BYTES_NONE;
    uint8_t present[KW_SHA256_LEN];
    struct kw_bytes signer;

    *ret_are = true;
    KW_TRY(kw_sha256(kw_spki_bytes(&feed->options.vouchers->key), present, err));
    while (kw_set_next(&signers, &signer)) {
        *ret_are =
            *ret_are && (kw_bytes_equal(signer, KW_BYTES_OF(present)) || kw_set_has(ours, signer));
    }
    return KW_OK;
}

static struct kw_result is_our_key(const struct kw_feed *feed, const struct kw_voucher *voucher,
                                   const struct kw_record *row, bool *ret_is, struct kw_error *err)
{
    struct kw_bytes ours =
        row != NULL ? kw_record_value(row, KW_STORE_FIELD_SIGNERS) : KW_BYTES_NONE;
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_sha256(voucher->key, digest, err));
    *ret_is = kw_bytes_equal(voucher->key, kw_spki_bytes(&feed->options.vouchers->key)) ||
              kw_set_has(ours, KW_BYTES_OF(digest));
    return KW_OK;
}

struct kw_result kw_feed_is_other_self(const struct kw_feed *feed, struct kw_tx *tx,
                                       const struct kw_voucher *voucher,
                                       const struct kw_record *row, bool *ret_is,
                                       struct kw_error *err)
{
    bool is_ours;

    *ret_is = false;
    if (!kw_id_equal(voucher->store, feed->options.store)) {
        return KW_OK;
    }
    KW_TRY(kw_lane_row_has_life(tx, voucher->store, voucher->incarnation, &is_ours, err));
    if (is_ours) {
        KW_TRY(is_our_key(feed, voucher, row, &is_ours, err));
    }
    *ret_is = !is_ours;
    return KW_OK;
}

/* Of our own store, is it of our keys? Whoever has a certificate of our place makes such vouchers: a key of theirs in
 * our row would let them speak in our lane to us. One that we signed with may come back to us: we may be a copy. It
 * is told, since another runs, or did, under our id. */
static struct kw_result is_of_us(struct kw_feed *feed, struct kw_tx *tx,
                                 const struct kw_voucher *voucher, const struct kw_record *row,
                                 uint64_t wall_ms, bool *ret_may, struct kw_error *err)
{
    bool is_other_self;

    KW_TRY(kw_feed_is_other_self(feed, tx, voucher, row, &is_other_self, err));
    if (is_other_self) {
        kw_feed_tell_voucher(feed, voucher, KW_LANE_FORK, wall_ms);
    }
    return are_our_keys(feed, voucher->signers, row, ret_may, err);
}

struct kw_result kw_feed_may_vouch(struct kw_feed *feed, struct kw_tx *tx,
                                   const struct kw_voucher *voucher,
                                   const struct kw_record *vouched, uint64_t wall_ms,
                                   struct kw_arena *arena, bool *ret_may, struct kw_error *err)
{
    const struct kw_record *held;
    struct kw_record row;
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_store_record, vouched->key, arena, &row, &found, err));
    held = found ? &row : NULL;
    if (kw_id_equal(voucher->store, feed->options.store)) {
        return is_of_us(feed, tx, voucher, held, wall_ms, ret_may, err);
    }
    KW_TRY(kw_feed_has_room(tx, vouched, held, ret_may, err));
    if (!*ret_may) {
        kw_feed_tell_voucher(feed, voucher, KW_LANE_WAITS, wall_ms);
    }
    return KW_OK;
}

void kw_feed_tell_voucher(struct kw_feed *feed, const struct kw_voucher *voucher,
                          enum kw_lane_verdict verdict, uint64_t wall_ms)
{
    kw_metric_add(KW_M_FEED_VERDICTS, kw_lane_verdict_name(verdict), 1);
    if (kw_lane_verdict_alarms(verdict) && kw_feed_may_alarm(feed, wall_ms)) {
        KW_LOG(ERROR, "a voucher is not believed",
               KW_F_STR("verdict", kw_lane_verdict_name(verdict)),
               KW_F_HEX("store", kw_id_bytes(&voucher->store)),
               KW_F_HEX("incarnation", kw_id_bytes(&voucher->incarnation)));
    }
}
