/* The verifier as its users see it: trust, records by type, findings. */
#include "cli/verify_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROWTH 64

struct kw_result kw_list_add(struct kw_list *list, const void *item, struct kw_error *err)
{
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? GROWTH : 2 * list->cap;
        uint8_t *items = reallocarray(list->items, cap, list->size);

        KW_ENSURE(items != NULL, err, MEMORY, "evidence");
        list->items = items;
        list->cap = cap;
    }
    kw_copy(list->items + list->count * list->size, item, list->size);
    list->count++;
    return KW_OK;
}

void *kw_list_at(const struct kw_list *list, size_t index)
{
    return list->items + index * list->size;
}

void kw_list_sort(struct kw_list *list, int (*compare)(const void *, const void *))
{
    if (list->count > 0) {
        qsort(list->items, list->count, list->size, compare);
    }
}

void *kw_list_find(const struct kw_list *list, const void *item,
                   int (*compare)(const void *, const void *))
{
    return list->count > 0 ? bsearch(item, list->items, list->count, list->size, compare) : NULL;
}

void kw_list_done(struct kw_list *list)
{
    free(list->items);
    *list = (struct kw_list){.size = list->size};
}

int kw_verify_by_id(const void *a, const void *b)
{
    return memcmp(a, b, KW_ID_LEN);
}

const char *kw_finding_name(enum kw_finding_kind kind)
{
    static const char *const names[KW_FINDING_KIND_COUNT_] = {
        [KW_FINDING_RECORD_COUNT] = "record count",
        [KW_FINDING_RECEIPT_MISSING] = "receipt missing",
        [KW_FINDING_RECEIPT_ALTERED] = "receipt altered",
        [KW_FINDING_TAIL_MISSING] = "tail missing",
        [KW_FINDING_CHECKPOINT_FORGED] = "checkpoint forged",
        [KW_FINDING_CAPSULE_FORGED] = "capsule forged",
        [KW_FINDING_CAPSULE_MISFIT] = "capsule misfit",
        [KW_FINDING_CAPSULE_REUSED] = "capsule reused",
        [KW_FINDING_FACT_ALTERED] = "fact altered",
        [KW_FINDING_FACT_UNBACKED] = "fact unbacked",
        [KW_FINDING_FACT_MISSING] = "fact missing",
        [KW_FINDING_KEY_USED_WHEN_STOPPED] = "key used when stopped",
    };

    return (unsigned)kind < KW_FINDING_KIND_COUNT_ ? names[kind] : "unknown";
}

struct kw_result kw_verify_found(struct kw_verify *v, struct kw_error *err,
                                 enum kw_finding_kind kind, const char *format, ...)
{
    struct kw_finding finding = {.kind = kind};
    va_list args;

    v->finding_count++;
    if (v->findings.count == KW_FINDINGS_MAX) {
        return KW_OK;
    }
    va_start(args, format);
    (void)vsnprintf(finding.text, sizeof(finding.text), format, args);
    va_end(args);
    return kw_list_add(&v->findings, &finding, err);
}

char *kw_verify_chain_text(struct kw_id core, struct kw_id stream, char *text)
{
    kw_hex(KW_BYTES(core.bytes + KW_ID_LEN - 4, 4), text); /* the beginning is a time */
    text[8] = '/';
    kw_hex(KW_BYTES(stream.bytes + KW_ID_LEN - 4, 4), text + 9);
    return text;
}

static struct kw_verify *verifier_alloc(void)
{
    struct kw_verify *v = calloc(1, sizeof(*v));

    if (v != NULL) {
        v->authorities = sk_X509_new_null();
        v->signers.size = sizeof(struct kw_verify_signer);
        v->chains.size = sizeof(struct kw_verify_chain);
        v->capsules.size = sizeof(struct kw_id);
        v->witnesses.size = sizeof(struct kw_verify_witness);
        v->uses.size = sizeof(struct kw_verify_use);
        v->facts.size = sizeof(struct kw_verify_fact);
        v->named.size = sizeof(struct kw_verify_named);
        v->findings.size = sizeof(struct kw_finding);
    }
    return v;
}

/* The next DER value of several, whose length is below 256. */
static bool der_take(struct kw_bytes *rest, struct kw_bytes *ret_one)
{
    size_t len = 0;

    if (rest->len >= 3 && rest->data[1] < 0x80) {
        len = 2U + rest->data[1];
    } else if (rest->len >= 3 && rest->data[1] == 0x81) {
        len = 3U + rest->data[2];
    }
    if (len == 0 || len > rest->len) {
        return false;
    }
    *ret_one = KW_BYTES(rest->data, len);
    *rest = KW_BYTES(rest->data + len, rest->len - len);
    return true;
}

static struct kw_result checkpoints_load(struct kw_verify *v, struct kw_bytes keys,
                                         struct kw_error *err)
{
    struct kw_bytes spki;

    do {
        KW_ENSURE(v->checkpoint_count < KW_VERIFY_KEYS_MAX, err, CONFIG_INVALID,
                  "more than %d checkpoint keys", KW_VERIFY_KEYS_MAX);
        KW_ENSURE(der_take(&keys, &spki) && kw_ok(kw_public_key_from_spki(
                                                &v->checkpoints[v->checkpoint_count], spki, NULL)),
                  err, CONFIG_INVALID, "the checkpoint key is no SubjectPublicKeyInfo of ours");
        v->checkpoint_count++;
    } while (keys.len > 0);
    return KW_OK;
}

static struct kw_result trust_load(struct kw_verify *v, const struct kw_verify_trust *trust,
                                   struct kw_error *err)
{
    KW_ENSURE(v->authorities != NULL, err, MEMORY, "a verifier");
    KW_TRY(kw_trust_from_pem(&v->root, trust->root, err));
    KW_TRY(checkpoints_load(v, trust->checkpoint, err));
    v->trust = trust;
    return KW_OK;
}

struct kw_result kw_verify_new(const struct kw_verify_trust *trust,
                               const struct kw_verify_span *span, struct kw_verify **ret_verifier,
                               struct kw_error *err)
{
    struct kw_verify *v = verifier_alloc();
    struct kw_result result;

    KW_ENSURE(v != NULL, err, MEMORY, "a verifier");
    v->span = *span;
    result = trust_load(v, trust, err);
    if (!kw_ok(result)) {
        kw_verify_free(v);
        return result;
    }
    *ret_verifier = v;
    return KW_OK;
}

static void signers_free(struct kw_verify *v)
{
    for (size_t i = 0; i < v->signers.count; i++) {
        kw_seal_verifier_free(((struct kw_verify_signer *)kw_list_at(&v->signers, i))->seals);
    }
    kw_list_done(&v->signers);
}

static void chains_free(struct kw_verify *v)
{
    for (size_t i = 0; i < v->chains.count; i++) {
        free(((struct kw_verify_chain *)kw_list_at(&v->chains, i))->heads);
    }
    kw_list_done(&v->chains);
}

void kw_verify_free(struct kw_verify *verifier)
{
    if (verifier == NULL) {
        return;
    }
    signers_free(verifier);
    chains_free(verifier);
    kw_list_done(&verifier->capsules);
    kw_list_done(&verifier->witnesses);
    kw_list_done(&verifier->uses);
    kw_list_done(&verifier->facts);
    kw_list_done(&verifier->named);
    kw_list_done(&verifier->findings);
    kw_trust_done(&verifier->authorities_trust);
    kw_buf_done(&verifier->authorities_pem);
    sk_X509_pop_free(verifier->authorities, X509_free);
    for (size_t i = 0; i < verifier->checkpoint_count; i++) {
        kw_public_key_done(&verifier->checkpoints[i]);
    }
    kw_trust_done(&verifier->root);
    free(verifier);
}

/* Whatever was exported first is the least complete. */
struct kw_result kw_verify_another(struct kw_verify *verifier, const struct kw_verify_span *span,
                                   struct kw_error *err)
{
    struct kw_verify_span *ours = &verifier->span;

    KW_ENSURE(span->start_ms == ours->start_ms && span->end_ms == ours->end_ms, err, CONFIG_INVALID,
              "exports of different stretches of time");
    ours->copy = span->copy;
    ours->exported_ms =
        span->exported_ms < ours->exported_ms ? span->exported_ms : ours->exported_ms;
    return KW_OK;
}

struct kw_result kw_verify_take(struct kw_verify *verifier,
                                Keyward__V1__VerificationRecordType type, struct kw_bytes record,
                                struct kw_error *err)
{
    verifier->records++;
    switch ((int)type) {
    case KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_RECEIPT:
        return kw_verify_receipt(verifier, record, err);
    case KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CHECKPOINT:
        return kw_verify_checkpoint_record(verifier, record, err);
    case KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_HEAD:
        return kw_verify_head(verifier, record, err);
    case KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_FACT:
        return kw_verify_fact(verifier, record, err);
    case KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CERTIFICATE:
        return kw_verify_authority(verifier, record, err);
    default: /* of a newer server, and nothing that we would believe */
        return KW_OK;
    }
}

struct kw_result kw_verify_end(struct kw_verify *verifier, uint64_t records, struct kw_error *err)
{
    if (records != verifier->records) {
        KW_TRY(kw_verify_found(verifier, err, KW_FINDING_RECORD_COUNT,
                               "%" PRIu64 " are here, %" PRIu64 " were exported", verifier->records,
                               records));
    }
    KW_TRY(kw_verify_chains_end(verifier, err));
    return kw_verify_facts_end(verifier, err);
}

const struct kw_finding *kw_verify_findings(const struct kw_verify *verifier, size_t *ret_count)
{
    *ret_count = verifier->finding_count;
    return (const struct kw_finding *)verifier->findings.items;
}

const struct kw_verify_chain *kw_verify_chains(const struct kw_verify *verifier, size_t *ret_count)
{
    *ret_count = verifier->chains.count;
    return (const struct kw_verify_chain *)verifier->chains.items;
}

size_t kw_verify_fact_count(const struct kw_verify *verifier)
{
    return verifier->facts.count;
}
