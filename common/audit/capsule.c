/* The record KWC1 in and out, and its list of disabling facts. */
#include "common/audit/capsule.h"

#include "common/audit/record.h"
#include "common/pki/spiffe.h"

#define MAGIC "KWC1"

/* Takes one disabling fact off the list; sticks to the reader like any field. */
static void get_disabled(struct kw_reader *list, struct kw_fact *ret_fact)
{
    struct kw_bytes record = kw_get_var(list);

    if (!list->failed &&
        (!kw_ok(kw_fact_decode(record, ret_fact, NULL)) || kw_fact_kind_enabling(ret_fact->kind))) {
        list->failed = true;
    }
}

static bool disabled_well_formed(const struct kw_capsule *capsule)
{
    struct kw_reader list = KW_READER(capsule->disabled);
    struct kw_fact fact;

    for (unsigned i = 0; i < capsule->disabled_count && !list.failed; i++) {
        get_disabled(&list, &fact);
    }
    return !list.failed && list.rest.len == 0;
}

/* What is wrong with the fields, or NULL: the same question for both directions. */
static const char *fault(const struct kw_capsule *capsule)
{
    bool names_scope = capsule->scope == KW_SCOPE_BATCH || capsule->scope == KW_SCOPE_PRODUCT;

    if (!kw_record_text(capsule->region, KW_SPIFFE_SEGMENT_LEN_MAX) ||
        !kw_record_text(capsule->cell, KW_SPIFFE_SEGMENT_LEN_MAX)) {
        return "region or cell missing, too long or not text";
    }
    if (!kw_record_text(capsule->caller, KW_SPIFFE_TEXT_SIZE - 1)) {
        return "caller missing, too long or not text";
    }
    if (kw_id_is_none(capsule->id)) {
        return "no id";
    }
    if ((unsigned)capsule->scope >= KW_SCOPE_END_ ||
        kw_id_is_none(capsule->scope_id) == names_scope) {
        return "unknown scope, or scope and its id do not go together";
    }
    if ((unsigned)capsule->operation >= KW_OPERATION_COUNT_) {
        return "unknown operation";
    }
    if (capsule->not_after_ms < capsule->issued_ms) {
        return "ends before it begins";
    }
    return disabled_well_formed(capsule) ? NULL : "its facts are not all well-formed and disabling";
}

static void put_witness(struct kw_writer *w, const struct kw_witness *witness)
{
    kw_put_raw(w, kw_id_bytes(&witness->core));
    kw_put_raw(w, kw_id_bytes(&witness->stream));
    kw_put_u64(w, witness->seq);
    kw_put_raw(w, KW_BYTES_OF(witness->head));
}

static void get_witness(struct kw_reader *r, struct kw_witness *ret_witness)
{
    kw_get_copy(r, ret_witness->core.bytes, KW_ID_LEN);
    kw_get_copy(r, ret_witness->stream.bytes, KW_ID_LEN);
    ret_witness->seq = kw_get_u64(r);
    kw_get_copy(r, ret_witness->head, sizeof(ret_witness->head));
}

static void put_fields(struct kw_writer *w, const struct kw_capsule *capsule)
{
    kw_put_raw(w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_raw(w, kw_id_bytes(&capsule->id));
    kw_put_var(w, capsule->region);
    kw_put_var(w, capsule->cell);
    kw_put_var(w, capsule->caller);
    kw_put_raw(w, KW_BYTES_OF(capsule->fingerprint));
    kw_put_raw(w, kw_id_bytes(&capsule->grant));
    kw_put_u16(w, capsule->method);
    kw_put_raw(w, KW_BYTES_OF(capsule->body_hash));
    kw_put_u32(w, capsule->first);
    kw_put_u16(w, capsule->count);
    kw_put_u8(w, (uint8_t)capsule->scope);
    kw_put_raw(w, kw_id_bytes(&capsule->scope_id));
    kw_put_u8(w, (uint8_t)capsule->operation);
    kw_put_raw(w, kw_id_bytes(&capsule->owner));
    kw_put_u32(w, capsule->epoch);
    kw_put_u32(w, capsule->ptk_version);
    kw_put_u64(w, capsule->authz_epoch);
    kw_put_u64(w, capsule->issued_ms);
    kw_put_u64(w, capsule->not_after_ms);
    put_witness(w, &capsule->witness);
    kw_put_u16(w, capsule->disabled_count);
    kw_put_raw(w, capsule->disabled);
}

struct kw_result kw_capsule_encode(const struct kw_capsule *capsule, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    const char *wrong = fault(capsule);
    size_t start = out->len;

    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "capsule: %s", wrong);
    put_fields(&w, capsule);
    KW_TRY(kw_writer_end(&w, err));
    if (out->len - start > KW_CAPSULE_LEN_MAX) {
        out->len = start;
        KW_FAIL(err, LIMIT_REACHED, "capsule over %u bytes", KW_CAPSULE_LEN_MAX);
    }
    return KW_OK;
}

static void get_fields(struct kw_reader *r, struct kw_capsule *capsule)
{
    kw_get_copy(r, capsule->id.bytes, KW_ID_LEN);
    capsule->region = kw_get_text(r);
    capsule->cell = kw_get_text(r);
    capsule->caller = kw_get_text(r);
    kw_get_copy(r, capsule->fingerprint, sizeof(capsule->fingerprint));
    kw_get_copy(r, capsule->grant.bytes, KW_ID_LEN);
    capsule->method = kw_get_u16(r);
    kw_get_copy(r, capsule->body_hash, sizeof(capsule->body_hash));
    capsule->first = kw_get_u32(r);
    capsule->count = kw_get_u16(r);
    capsule->scope = (enum kw_scope)kw_get_u8(r);
    kw_get_copy(r, capsule->scope_id.bytes, KW_ID_LEN);
    capsule->operation = (enum kw_operation)kw_get_u8(r);
    kw_get_copy(r, capsule->owner.bytes, KW_ID_LEN);
    capsule->epoch = kw_get_u32(r);
    capsule->ptk_version = kw_get_u32(r);
    capsule->authz_epoch = kw_get_u64(r);
    capsule->issued_ms = kw_get_u64(r);
    capsule->not_after_ms = kw_get_u64(r);
    get_witness(r, &capsule->witness);
    capsule->disabled_count = kw_get_u16(r);
    capsule->disabled = kw_get_raw(r, r->rest.len);
}

struct kw_result kw_capsule_decode(struct kw_bytes record, struct kw_capsule *ret_capsule,
                                   struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_capsule capsule = {0};
    const char *wrong;

    KW_ENSURE(record.len <= KW_CAPSULE_LEN_MAX && kw_record_starts(&r, MAGIC), err,
              ENCODING_INVALID, "not a capsule");
    get_fields(&r, &capsule);
    KW_TRY(kw_reader_end(&r, "capsule", err));
    wrong = fault(&capsule);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "capsule: %s", wrong);
    *ret_capsule = capsule;
    return KW_OK;
}

struct kw_result kw_capsule_disabled_add(struct kw_capsule *capsule, struct kw_buf *list,
                                         const struct kw_fact *fact, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(list);

    KW_ENSURE(!kw_fact_kind_enabling(fact->kind), err, ARGUMENT_INVALID,
              "an enabling fact among the disabling ones");
    KW_TRY(kw_fact_encode(fact, &record, err));
    KW_ENSURE(list->len + sizeof(uint16_t) + record.len <= KW_CAPSULE_LEN_MAX, err, LIMIT_REACHED,
              "too many disabling facts for one capsule");
    KW_TRY(kw_buf_reserve(list, sizeof(uint16_t) + record.len, err));
    kw_put_var(&w, kw_buf_bytes(&record));
    KW_TRY(kw_writer_end(&w, err));
    capsule->disabled = kw_buf_bytes(list);
    capsule->disabled_count++;
    return KW_OK;
}

struct kw_result kw_capsule_disabled_fold(const struct kw_capsule *capsule, struct kw_id key,
                                          struct kw_key_state *state, struct kw_error *err)
{
    struct kw_reader list = KW_READER(capsule->disabled);
    struct kw_fact fact = {0};

    for (unsigned i = 0; i < capsule->disabled_count; i++) {
        get_disabled(&list, &fact);
        KW_ENSURE(!list.failed, err, ARGUMENT_INVALID, "capsule was not decoded");
        if (kw_id_equal(fact.key, key)) {
            KW_TRY(kw_state_add(state, &fact, err));
        }
    }
    return KW_OK;
}

struct kw_result kw_capsule_actor(const struct kw_capsule *capsule, enum kw_actor *ret_actor,
                                  struct kw_error *err)
{
    static const enum kw_actor actors[KW_ROLE_COUNT_] = {
        [KW_ROLE_SERVICE] = KW_ACTOR_SERVICE,    [KW_ROLE_PARTNER] = KW_ACTOR_PARTNER,
        [KW_ROLE_OPERATOR] = KW_ACTOR_OPERATOR,  [KW_ROLE_STATION] = KW_ACTOR_STATION,
        [KW_ROLE_INVITATION] = KW_ACTOR_INVITED,
    };
    struct kw_spiffe caller;
    struct kw_error inner = {0};

    KW_TRY(
        kw_record_refuse_capsule(kw_spiffe_parse(capsule->caller, &caller, &inner), &inner, err));
    *ret_actor = actors[caller.role];
    return KW_OK;
}
