/* Drawing up, signing. */
#include "tests/support/lane_order.h"

#include "common/base/codec.h"
#include "common/sync/version_vector.h"
#include "tests/support/merge_values.h"
#include "tests/support/must.h"

const struct kw_private_key *order_officer(void)
{
    static struct kw_private_key key;

    if (key.evp == NULL) {
        MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    }
    return &key;
}

const struct kw_order_trust *order_trust(void)
{
    static struct kw_order_trust trust;

    if (trust.officer.evp == NULL) {
        MUST(kw_private_key_public(order_officer(), &trust.officer, err));
    }
    return &trust;
}

struct kw_bytes order_honours(struct kw_id lane, uint64_t seq)
{
    struct kw_buf vector = {0};
    struct kw_writer w = KW_WRITER(&vector);

    kw_put_vector_entry(&w, lane, seq);
    MUST(kw_writer_end(&w, err));
    return value_keep(&vector);
}

struct kw_bytes order_signed(const struct kw_order *order, const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_signature signature;
    struct kw_buf record = {0};

    MUST(kw_order_encode(order, &content, err));
    MUST(kw_buf_append(&message, kw_bytes_str("KEYWARD-ORDER-v1"), err));
    MUST(kw_buf_append(&message, kw_buf_bytes(&content), err));
    MUST(kw_ecdsa_sign(key, kw_buf_bytes(&message), &signature, err));
    MUST(kw_order_seal(kw_buf_bytes(&content), kw_signature_bytes(&signature), &record, err));
    return value_keep(&record);
}

static struct kw_bytes about(struct kw_id mesh, enum kw_order_action action, uint64_t issued_ms,
                             struct kw_order_store store)
{
    const struct kw_order order = {.mesh = mesh,
                                   .action = action,
                                   .issued_ms = issued_ms,
                                   .stores = {store},
                                   .store_count = 1};

    return order_signed(&order, order_officer());
}

struct kw_bytes order_fence(struct kw_id mesh, struct kw_id store, struct kw_bytes fence,
                            uint64_t issued_ms)
{
    return about(mesh, KW_ORDER_FENCE, issued_ms,
                 (struct kw_order_store){.store = store, .fence = fence});
}

struct kw_bytes order_cut(struct kw_id mesh, struct kw_id store, uint64_t issued_ms)
{
    return about(mesh, KW_ORDER_CUT, issued_ms, (struct kw_order_store){.store = store});
}

struct kw_bytes order_drain(struct kw_id mesh, struct kw_id store, struct kw_id life,
                            uint64_t issued_ms)
{
    return about(mesh, KW_ORDER_DRAIN, issued_ms,
                 (struct kw_order_store){.store = store, .life = life});
}
