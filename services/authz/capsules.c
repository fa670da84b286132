/* Completing, sealing, and telling the calls. */
#include "services/authz/capsules.h"

#include "common/audit/seal.h"
#include "common/base/clock.h"
#include "common/base/container.h"

void kw_capsule_slot_done(struct kw_capsule_slot *slot)
{
    kw_buf_done(&slot->disabled);
    kw_buf_done(&slot->sealed);
}

struct kw_result kw_capsules_renew(struct kw_capsules *capsules, struct kw_credentials *credentials,
                                   struct kw_error *err)
{
    uint8_t fingerprint[KW_SHA256_LEN];
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    KW_ENSURE(credentials->key.curve == KW_CURVE_P256, err, CONFIG_INVALID,
              "authz's key signs capsules and is on P-256");
    KW_TRY(kw_certificate_fingerprint(&credentials->leaf, fingerprint, err));
    KW_TRY(kw_certificate_to_der(&credentials->leaf, &der, err));
    kw_copy(capsules->fingerprint, fingerprint, sizeof(fingerprint));
    kw_buf_move(&capsules->certificate, &der);
    kw_credentials_done(&capsules->credentials);
    capsules->credentials = *credentials;
    *credentials = (struct kw_credentials){0};
    return KW_OK;
}

static struct kw_result complete(const struct kw_capsules *capsules, struct kw_capsule *capsule,
                                 struct kw_buf *record, struct kw_error *err)
{
    KW_TRY(kw_id_v7(&capsule->id, err));
    capsule->region = kw_bytes_str(capsules->region);
    capsule->cell = kw_bytes_str(capsules->cell);
    capsule->issued_ms = kw_clock_wall_ms();
    capsule->not_after_ms = capsule->issued_ms + KW_CAPSULE_LIFETIME_MS;
    capsule->witness = *capsules->witness;
    return kw_capsule_encode(capsule, record, err);
}

/* Those of one signature. */
struct batch {
    struct kw_capsule_slot *slots[KW_SEAL_BATCH_MAX];
    struct kw_buf records[KW_SEAL_BATCH_MAX];
    struct kw_buf sealed[KW_SEAL_BATCH_MAX];
    size_t count;
};

static void batch_done(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        kw_buf_done(&batch->records[i]);
        kw_buf_done(&batch->sealed[i]);
    }
}

/* Takes slots off the list; one whose capsule can't be made fails alone. */
static void batch_fill(struct kw_capsules *capsules, struct batch *batch)
{
    while (batch->count < KW_SEAL_BATCH_MAX && capsules->first != NULL) {
        struct kw_capsule_slot *slot = capsules->first;
        struct kw_buf *record = &batch->records[batch->count];
        struct kw_error error;
        struct kw_result result;

        capsules->first = slot->next;
        if (capsules->first == NULL) {
            capsules->last = &capsules->first;
        }
        if (slot->skip) {
            slot->done(slot, KW_OK, &(struct kw_error){0});
            continue;
        }
        result = complete(capsules, &slot->capsule, record, &error);
        if (kw_ok(result)) {
            batch->slots[batch->count++] = slot;
        } else {
            kw_buf_done(record);
            slot->done(slot, result, &error);
        }
    }
}

static void batch_seal(struct kw_capsules *capsules, struct batch *batch)
{
    struct kw_bytes records[KW_SEAL_BATCH_MAX];
    struct kw_error error = {0};
    struct kw_result result;

    for (size_t i = 0; i < batch->count; i++) {
        records[i] = kw_buf_bytes(&batch->records[i]);
    }
    result = kw_capsules_seal(&capsules->credentials.key, capsules->fingerprint, records,
                              batch->count, batch->sealed, &error);
    capsules->signatures++;
    for (size_t i = 0; i < batch->count; i++) {
        kw_buf_move(&batch->slots[i]->sealed, &batch->sealed[i]);
        batch->slots[i]->done(batch->slots[i], result, &error);
    }
}

static void flush(struct kw_flush *hook)
{
    struct kw_capsules *capsules = KW_CONTAINER_OF(hook, struct kw_capsules, flush);

    while (capsules->first != NULL) {
        struct batch batch = {.count = 0};

        batch_fill(capsules, &batch);
        if (batch.count > 0) {
            batch_seal(capsules, &batch);
        }
        batch_done(&batch);
    }
}

void kw_capsules_init(struct kw_capsules *capsules, struct kw_loop *loop, const char *region,
                      const char *cell, const struct kw_witness *witness)
{
    capsules->loop = loop;
    capsules->flush.run = flush;
    capsules->region = region;
    capsules->cell = cell;
    capsules->witness = witness;
    capsules->last = &capsules->first;
}

void kw_capsules_done(struct kw_capsules *capsules)
{
    kw_credentials_done(&capsules->credentials);
    kw_buf_done(&capsules->certificate);
}

void kw_capsules_add(struct kw_capsules *capsules, struct kw_capsule_slot *slot)
{
    slot->next = NULL;
    *capsules->last = slot;
    capsules->last = &slot->next;
    kw_loop_mark(capsules->loop, &capsules->flush);
}
