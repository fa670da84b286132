/* Receipts as callers see them: the record, and what it says repeated. */
#include "services/orchestrator/view.h"

#include "common/audit/capsule.h"
#include "common/audit/seal.h"
#include "common/rpc/methods.h"

#define CHAIN_NAME_LEN 16

static struct kw_result capsule_of(const struct kw_receipt *receipt, struct kw_capsule *ret_capsule,
                                   struct kw_error *err)
{
    struct kw_sealed sealed;

    KW_TRY(kw_sealed_decode(receipt->capsule, &sealed, err));
    return kw_capsule_decode(sealed.capsule, ret_capsule, err);
}

/* One name for (core boot, stream boot). */
static struct kw_result chain_of(struct kw_view *view, const struct kw_receipt *receipt,
                                 ProtobufCBinaryData *ret_chain, struct kw_error *err)
{
    struct kw_bytes parts[] = {kw_id_bytes(&receipt->core), kw_id_bytes(&receipt->stream)};
    uint8_t hash[KW_SHA256_LEN];

    KW_TRY(kw_sha256_list(parts, 2, hash, err));
    *ret_chain = kw_view_bytes(view, KW_BYTES(hash, CHAIN_NAME_LEN));
    return KW_OK;
}

static Keyward__V1__KeyOperation operation_of(const struct kw_capsule *capsule)
{
    if (capsule->operation == KW_OPERATION_RELEASE ||
        capsule->operation == KW_OPERATION_RELEASE_PAST) {
        return KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_RELEASE_KEY;
    }
    return capsule->operation == KW_OPERATION_DERIVE_SESSION
               ? KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_DERIVE_SESSION
               : KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_UNSPECIFIED;
}

/* A receipt about one key names it; one about many names none. */
static void show_item(struct kw_view *view, const struct kw_receipt *receipt,
                      Keyward__V1__Receipt *shown)
{
    struct kw_reader items = KW_READER(receipt->items);
    struct kw_receipt_item item;

    if (receipt->item_count != 1) {
        return;
    }
    kw_receipt_item_next(&items, &item);
    if (kw_id_is_none(item.device)) {
        return;
    }
    shown->device = kw_view_name(view, KW_RESOURCE_DEVICE, item.device);
    if (!kw_id_is_none(item.key)) {
        shown->key = kw_view_name2(view, KW_RESOURCE_KEY, item.device, item.key);
    }
}

static void show_capsule(struct kw_view *view, const struct kw_capsule *capsule,
                         Keyward__V1__Receipt *shown)
{
    const struct kw_method *method = kw_method_by_id(capsule->method);
    struct kw_spiffe caller;

    shown->method = kw_view_text(view, kw_bytes_str(method != NULL ? method->path : ""));
    shown->operation = operation_of(capsule);
    if (!kw_id_is_none(capsule->grant) && kw_ok(kw_spiffe_parse(capsule->caller, &caller, NULL))) {
        shown->grant = kw_view_name2(view, KW_RESOURCE_PARTNER_GRANT, caller.id, capsule->grant);
    }
}

struct kw_result kw_view_receipt(struct kw_view *view, struct kw_bytes record, const char *caller,
                                 Keyward__V1__Receipt **ret_receipt, struct kw_error *err)
{
    Keyward__V1__Receipt *shown = kw_view_message(view, &keyward__v1__receipt__descriptor);
    struct kw_receipt receipt;
    struct kw_capsule capsule;

    KW_TRY(kw_receipt_decode(record, &receipt, err));
    KW_TRY(capsule_of(&receipt, &capsule, err));
    KW_TRY(chain_of(view, &receipt, &shown->chain, err));
    shown->name = kw_view_name(view, KW_RESOURCE_RECEIPT, receipt.id);
    shown->encoded = kw_view_bytes(view, record);
    shown->create_time = kw_view_time(view, receipt.time_ms);
    shown->caller = kw_view_text(view, kw_bytes_str(caller));
    shown->region = kw_view_text(view, receipt.region);
    shown->cell = kw_view_text(view, receipt.cell);
    shown->sequence = receipt.seq;
    show_capsule(view, &capsule, shown);
    show_item(view, &receipt, shown);
    *ret_receipt = shown;
    return kw_view_whole(view, err);
}
