/* Which blob was it? A reason names none: an item is refused for its key's or for the transport key that
 * all items share. So keys take turns with each refusal, and transport keys when those of a key are
 * through: whichever two are the right ones come together. */
#include "services/orchestrator/refused.h"

#include "common/rpc/messages.h"
#include "services/orchestrator/transport_key_table.h"
#include "services/orchestrator/wrapped_key_digest.h"
#include "services/orchestrator/wrapped_key_table.h"

/* A device that we don't have has a key without id in the question, which is refused as well. */
static bool is_refused(const Keyward__Internal__V1__CoreItem *item,
                       const Keyward__Internal__V1__WrappedDeviceKey *key)
{
    return key->key_id.len > 0 &&
           strcmp(item->reason, kw_reason_row(KW_E_BINDING_INVALID)->name) == 0;
}

static struct kw_result note_key(struct kw_tx *tx,
                                 const Keyward__Internal__V1__WrappedDeviceKey *key,
                                 bool *ret_turned, struct kw_error *err)
{
    struct kw_wrapped_key_row row = {.kek_version = key->kek_version};

    KW_TRY(kw_id_from_bytes(kw_bytes_field(key->key_id), &row.key, err));
    KW_TRY(kw_wrapped_key_digest(
        &(struct kw_wrapped_parts){kw_bytes_field(key->wrapped), kw_bytes_field(key->check_value),
                                   kw_bytes_field(key->mac), KW_BYTES_NONE},
        row.digest, err));
    return kw_wrapped_key_refused(tx, &row, ret_turned, err);
}

static struct kw_result note_transport_key(struct kw_tx *tx,
                                           const Keyward__Internal__V1__WrappedTransportKey *key,
                                           struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    struct kw_id owner;

    KW_TRY(kw_id_from_bytes(kw_bytes_field(key->owner_id), &owner, err));
    KW_TRY(kw_wrapped_key_digest(
        &(struct kw_wrapped_parts){kw_bytes_field(key->wrapped), kw_bytes_field(key->check_value),
                                   kw_bytes_field(key->mac), kw_bytes_field(key->nonce)},
        digest, err));
    return kw_transport_key_refused(tx, owner, key->version, key->kek_version, digest, err);
}

struct kw_result kw_refused_note(const struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const Keyward__Internal__V1__CoreRequest *question = &call->question;
    const Keyward__Internal__V1__CoreReply *reply = call->core.reply;
    bool all = true;
    bool turned = false;

    if (reply == NULL || reply->n_items == 0 || reply->n_items != question->n_keys) {
        return KW_OK;
    }
    for (size_t i = 0; i < reply->n_items; i++) {
        if (is_refused(reply->items[i], question->keys[i])) {
            KW_TRY(note_key(tx, question->keys[i], &turned, err));
        } else {
            all = false;
        }
    }
    return all && turned && question->transport_key != NULL
               ? note_transport_key(tx, question->transport_key, err)
               : KW_OK;
}
