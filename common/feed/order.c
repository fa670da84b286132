/* The record KWO1. */
#include "common/feed/order.h"

#include "common/feed/lane_codec.h"
#include "common/sync/lww.h"
#include "common/sync/order.h"
#include "common/sync/version_vector.h"

#define MAGIC          "KWO1"
#define MS_MAX         ((uint64_t)INT64_MAX >> 16) /* such that it is a reading of the hybrid clock */
#define SIGNATURE_HEAD 2                           /* the length before it */

/* --- writing --- */

static void put_store(struct kw_writer *w, enum kw_order_action action,
                      const struct kw_order_store *store)
{
    kw_put_raw(w, kw_id_bytes(&store->store));
    if (action == KW_ORDER_DRAIN) {
        kw_put_raw(w, kw_id_bytes(&store->life));
    } else if (action == KW_ORDER_FENCE) {
        kw_put_var(w, store->fence);
    }
}

static void put_all(struct kw_writer *w, const struct kw_order *order)
{
    kw_put_raw(w, kw_bytes_str(MAGIC));
    kw_put_raw(w, kw_id_bytes(&order->mesh));
    kw_put_u8(w, (uint8_t)order->action);
    kw_put_u64(w, order->issued_ms);
    kw_put_u8(w, (uint8_t)order->store_count);
    for (size_t i = 0; i < order->store_count; i++) {
        put_store(w, order->action, &order->stores[i]);
    }
}

struct kw_result kw_order_seal(struct kw_bytes content, struct kw_bytes signature,
                               struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(&record);
    struct kw_order read;
    struct kw_error why;

    kw_put_raw(&w, content);
    kw_put_var(&w, signature);
    KW_TRY(kw_writer_end(&w, err));
    KW_ENSURE(kw_ok(kw_order_decode(kw_buf_bytes(&record), &read, &why)), err, ARGUMENT_INVALID,
              "%s", why.message);
    return kw_buf_append(out, kw_buf_bytes(&record), err);
}

struct kw_result kw_order_encode(const struct kw_order *order, struct kw_buf *out,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(&content);

    KW_ENSURE(order->store_count <= KW_ORDER_STORES_MAX, err, ARGUMENT_INVALID,
              "an order about %zu stores", order->store_count);
    put_all(&w, order);
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(kw_order_seal(kw_buf_bytes(&content), kw_bytes_str("any"), &record, err));
    return kw_buf_append(out, kw_buf_bytes(&content), err);
}

/* --- reading --- */

static void get_store(struct kw_reader *r, enum kw_order_action action,
                      struct kw_order_store *ret_store)
{
    *ret_store = (struct kw_order_store){.store = KW_ID_NONE};
    kw_get_copy(r, ret_store->store.bytes, KW_ID_LEN);
    if (action == KW_ORDER_DRAIN) {
        kw_get_copy(r, ret_store->life.bytes, KW_ID_LEN);
    }
    if (action != KW_ORDER_FENCE) {
        return;
    }
    ret_store->fence = kw_get_var(r);
    if (ret_store->fence.len > 0 && !kw_vector_valid(ret_store->fence)) {
        r->failed = true;
    }
}

/* Each store once, in order: there is one encoding of what is said. */
static void get_stores(struct kw_reader *r, struct kw_order *order)
{
    order->store_count = kw_get_u8(r);
    if (order->store_count == 0 || order->store_count > KW_ORDER_STORES_MAX) {
        r->failed = true;
        return;
    }
    for (size_t i = 0; i < order->store_count; i++) {
        get_store(r, order->action, &order->stores[i]);
        if (i > 0 && kw_bytes_order(kw_id_bytes(&order->stores[i - 1].store),
                                    kw_id_bytes(&order->stores[i].store)) >= 0) {
            r->failed = true;
        }
    }
}

static void get_all(struct kw_reader *r, struct kw_order *order)
{
    uint8_t action;

    kw_get_copy(r, order->mesh.bytes, KW_ID_LEN);
    action = kw_get_u8(r);
    if (action == 0 || action >= KW_ORDER_ACTION_END_) {
        r->failed = true;
        return;
    }
    order->action = (enum kw_order_action)action;
    order->issued_ms = kw_get_u64(r);
    get_stores(r, order);
    order->signature = kw_get_var(r);
    if (order->signature.len == 0 || order->signature.len > KW_SIGNATURE_LEN_MAX) {
        r->failed = true;
    }
}

struct kw_result kw_order_decode(struct kw_bytes record, struct kw_order *ret_order,
                                 struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_order order = {.record = record};

    KW_ENSURE(record.len <= KW_ORDER_LEN_MAX, err, ENCODING_INVALID, "an order of %zu bytes",
              record.len);
    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not an order");
    get_all(&r, &order);
    KW_TRY(kw_reader_end(&r, "order", err));
    KW_ENSURE(order.issued_ms > 0 && order.issued_ms <= MS_MAX, err, ENCODING_INVALID,
              "order: a time that is none");
    *ret_order = order;
    return KW_OK;
}

/* --- believing --- */

/* Its own bytes but for the signature, as they came. */
static struct kw_result verify(const struct kw_order *order, const struct kw_order_trust *trust,
                               struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    size_t len = order->record.len - order->signature.len - SIGNATURE_HEAD;

    KW_TRY(kw_buf_append(&message, kw_bytes_str(KW_ORDER_LABEL), err));
    KW_TRY(kw_buf_append(&message, KW_BYTES(order->record.data, len), err));
    return kw_ecdsa_verify(&trust->officer, kw_buf_bytes(&message), order->signature, err);
}

struct kw_result kw_order_read(struct kw_bytes record, struct kw_id mesh,
                               const struct kw_order_trust *trust, struct kw_order *ret_order,
                               enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    struct kw_result verified;

    if (!kw_ok(kw_order_decode(record, ret_order, err))) {
        *ret_verdict = KW_LANE_BROKEN;
        return KW_OK;
    }
    if (!kw_id_equal(ret_order->mesh, mesh)) {
        *ret_verdict = KW_LANE_OTHER_MESH;
        return KW_OK;
    }
    verified = verify(ret_order, trust, err);
    if (verified.reason == KW_E_SIGNATURE_INVALID) {
        *ret_verdict = KW_LANE_UNSIGNED;
        return KW_OK;
    }
    *ret_verdict = KW_LANE_NEWS;
    return verified;
}

/* --- what it says --- */

const struct kw_order_store *kw_order_of(const struct kw_order *order, struct kw_id store)
{
    for (size_t i = 0; i < order->store_count; i++) {
        if (kw_id_equal(order->stores[i].store, store)) {
            return &order->stores[i];
        }
    }
    return NULL;
}

uint8_t kw_order_field(enum kw_order_action action)
{
    static const uint8_t fields[KW_ORDER_ACTION_END_] = {
        [KW_ORDER_DRAIN] = KW_STORE_FIELD_DRAIN_ORDER,
        [KW_ORDER_FENCE] = KW_STORE_FIELD_FENCE_ORDER,
        [KW_ORDER_CUT] = KW_STORE_FIELD_CUT_ORDER,
    };

    return fields[action];
}

struct kw_bytes kw_order_in(const struct kw_record *row, enum kw_order_action action)
{
    struct kw_lww lww = {0};

    (void)kw_lww_read(kw_record_value(row, kw_order_field(action)), &lww);
    return lww.value;
}

struct kw_bytes kw_order_honours(const struct kw_record *row)
{
    const struct kw_order_store *said = NULL;
    struct kw_order order;
    struct kw_id store;

    if (kw_ok(kw_order_decode(kw_order_in(row, KW_ORDER_FENCE), &order, NULL)) &&
        order.action == KW_ORDER_FENCE && kw_ok(kw_id_from_bytes(row->key, &store, NULL))) {
        said = kw_order_of(&order, store);
    }
    return said != NULL ? said->fence : kw_record_value(row, KW_STORE_FIELD_FENCE);
}

bool kw_order_drains(const struct kw_record *row, struct kw_id life)
{
    const struct kw_order_store *said = NULL;
    struct kw_order order;
    struct kw_id store;

    if (kw_ok(kw_order_decode(kw_order_in(row, KW_ORDER_DRAIN), &order, NULL)) &&
        kw_ok(kw_id_from_bytes(row->key, &store, NULL))) {
        said = kw_order_of(&order, store);
    }
    return said != NULL && order.action == KW_ORDER_DRAIN &&
           (kw_id_is_none(life) || kw_id_equal(said->life, life));
}
