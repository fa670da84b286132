/* Believing a voucher, from the cheap to the dear, and what it then says of its store. */
#include "common/feed/voucher.h"

#include "common/base/codec.h"
#include "common/pki/x509.h"
#include "common/sync/lww.h"

#define HLC_BITS       16
#define SIGNATURE_HEAD 2 /* the length before it */

static void free_chain(STACK_OF(X509) * *chain)
{
    sk_X509_pop_free(*chain, X509_free);
}

/* --- is it to be believed? --- */

/* What came of looking at it: what it is at fault in is nothing that is wrong with us. */
static struct kw_result verdict_of(struct kw_result looked, enum kw_lane_verdict *ret_verdict)
{
    switch ((int)looked.reason) {
    case KW_E_NONE:
        *ret_verdict = KW_LANE_NEWS;
        break;
    case KW_E_ENCODING_INVALID:
        *ret_verdict = KW_LANE_BROKEN;
        break;
    case KW_E_IDENTITY_INVALID:
    case KW_E_ARGUMENT_INVALID:
        *ret_verdict = KW_LANE_STRANGER;
        break;
    case KW_E_SIGNATURE_INVALID:
        *ret_verdict = KW_LANE_UNSIGNED;
        break;
    default:
        return looked;
    }
    return KW_OK;
}

static struct kw_result read_between(const struct kw_voucher *voucher, STACK_OF(X509) * chain,
                                     struct kw_error *err)
{
    for (size_t i = 1; i < voucher->chain_count; i++) {
        KW_SCOPED(kw_certificate_done) struct kw_certificate next = {0};

        KW_TRY(kw_certificate_from_der(&next, voucher->chain[i], err));
        KW_ENSURE(sk_X509_push(chain, next.x509) > 0, err, MEMORY, "a chain");
        next.x509 = NULL;
    }
    return KW_OK;
}

/* Is it by our CAs, and good at that time? */
static struct kw_result check_chain(const struct kw_voucher *voucher,
                                    const struct kw_voucher_trust *trust, uint64_t at_ms,
                                    const struct kw_certificate *leaf, struct kw_error *err)
{
    KW_SCOPED(free_chain) STACK_OF(X509) *between = sk_X509_new_null();

    KW_ENSURE(between != NULL, err, MEMORY, "a chain");
    KW_TRY(read_between(voucher, between, err));
    return kw_trust_verify(trust->services, leaf, between, KW_PURPOSE_CLIENT, at_ms, err);
}

/* Is it of this store's owner, and may it be of that time? */
static struct kw_result check_leaf(const struct kw_voucher *voucher,
                                   const struct kw_voucher_trust *trust, uint64_t at_ms,
                                   const struct kw_certificate *leaf, struct kw_error *err)
{
    struct kw_spiffe certified;
    struct kw_spiffe says;
    struct kw_validity validity;

    KW_TRY(kw_voucher_place(voucher, trust->self.trust_domain, &says, err));
    KW_TRY(kw_certificate_identity(leaf, trust->self.trust_domain, &certified, err));
    KW_ENSURE(kw_spiffe_equal(&certified, &says), err, IDENTITY_INVALID,
              "voucher: the certificate is of another service");
    KW_TRY(kw_certificate_validity(leaf, &validity, err));
    KW_ENSURE(voucher->issued_ms >= validity.not_before_ms &&
                  voucher->issued_ms <= validity.not_after_ms,
              err, IDENTITY_INVALID, "voucher: issued when its certificate was not good");
    KW_ENSURE(voucher->issued_ms <= at_ms + KW_STAMP_AHEAD_MS_MAX, err, IDENTITY_INVALID,
              "voucher: issued in the future");
    return KW_OK;
}

/* Its own bytes but for the signature, as they came. */
static struct kw_result check_signature(const struct kw_voucher *voucher,
                                        const struct kw_certificate *leaf, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    size_t len = voucher->record.len - voucher->signature.len - SIGNATURE_HEAD;

    KW_TRY(kw_certificate_public_key(leaf, &key, err));
    KW_TRY(kw_buf_append(&message, kw_bytes_str(KW_VOUCHER_LABEL), err));
    KW_TRY(kw_buf_append(&message, KW_BYTES(voucher->record.data, len), err));
    return kw_ecdsa_verify(&key, kw_buf_bytes(&message), voucher->signature, err);
}

static struct kw_result check(const struct kw_voucher *voucher,
                              const struct kw_voucher_trust *trust, uint64_t at_ms,
                              struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};

    KW_TRY(kw_voucher_check_key(voucher, err));
    KW_TRY(kw_certificate_from_der(&leaf, voucher->chain[0], err));
    KW_TRY(check_leaf(voucher, trust, at_ms, &leaf, err));
    KW_TRY(check_chain(voucher, trust, at_ms, &leaf, err));
    return check_signature(voucher, &leaf, err);
}

struct kw_result kw_voucher_check(const struct kw_voucher *voucher, struct kw_id mesh,
                                  const struct kw_voucher_trust *trust, uint64_t at_ms,
                                  enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    if (!kw_id_equal(voucher->mesh, mesh)) {
        *ret_verdict = KW_LANE_OTHER_MESH;
        return KW_OK;
    }
    if (!kw_bytes_equal(voucher->service, kw_bytes_str(trust->self.service))) {
        *ret_verdict = KW_LANE_STRANGER;
        return KW_OK;
    }
    return verdict_of(check(voucher, trust, at_ms, err), ret_verdict);
}

struct kw_result kw_voucher_read(struct kw_bytes record, struct kw_id mesh,
                                 const struct kw_voucher_trust *trust, uint64_t at_ms,
                                 struct kw_voucher *ret_voucher, enum kw_lane_verdict *ret_verdict,
                                 struct kw_error *err)
{
    KW_TRY(verdict_of(kw_voucher_decode(record, ret_voucher, err), ret_verdict));
    return *ret_verdict == KW_LANE_NEWS
               ? kw_voucher_check(ret_voucher, mesh, trust, at_ms, ret_verdict, err)
               : KW_OK;
}

/* --- what it says --- */

static struct kw_result keep(struct kw_buf *buf, struct kw_arena *arena, struct kw_record *row,
                             enum kw_store_field field, struct kw_error *err)
{
    struct kw_bytes value;

    KW_TRY(kw_arena_copy(arena, kw_buf_bytes(buf), &value, err));
    return kw_record_set(row, &kw_store_record, (uint8_t)field, value, err);
}

static struct kw_result set_place(const struct kw_voucher *voucher, struct kw_arena *arena,
                                  struct kw_record *row, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};

    KW_TRY(kw_store_record_place(voucher->region, voucher->cell, &value, err));
    return keep(&value, arena, row, KW_STORE_FIELD_PLACE, err);
}

static struct kw_result set_active(struct kw_arena *arena, struct kw_record *row,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);

    kw_put_u64(&w, KW_STORE_ACTIVE);
    KW_TRY(kw_writer_end(&w, err));
    return keep(&value, arena, row, KW_STORE_FIELD_STATE, err);
}

/* An empty one says nothing. */
static struct kw_result set_past(struct kw_bytes past, struct kw_arena *arena,
                                 struct kw_record *row, enum kw_store_field field,
                                 struct kw_error *err)
{
    struct kw_bytes value;

    if (past.len == 0) {
        return KW_OK;
    }
    KW_TRY(kw_arena_copy(arena, past, &value, err));
    return kw_record_set(row, &kw_store_record, (uint8_t)field, value, err);
}

static struct kw_result set_voucher(const struct kw_voucher *voucher, struct kw_arena *arena,
                                    struct kw_record *row, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);

    kw_put_lww(&w, &(struct kw_lww){
                       .stamp = {.hlc = voucher->issued_ms << HLC_BITS, .store = voucher->store},
                       .value = voucher->record});
    KW_TRY(kw_writer_end(&w, err));
    return keep(&value, arena, row, KW_STORE_FIELD_VOUCHER, err);
}

struct kw_result kw_voucher_row(const struct kw_voucher *voucher, struct kw_arena *arena,
                                struct kw_record *ret_row, struct kw_error *err)
{
    *ret_row = (struct kw_record){.table = KW_TABLE_STORES};
    KW_TRY(kw_arena_copy(arena, kw_id_bytes(&voucher->store), &ret_row->key, err));
    KW_TRY(set_place(voucher, arena, ret_row, err));
    KW_TRY(set_active(arena, ret_row, err));
    KW_TRY(set_past(voucher->signers, arena, ret_row, KW_STORE_FIELD_SIGNERS, err));
    KW_TRY(set_past(voucher->lives, arena, ret_row, KW_STORE_FIELD_INCARNATIONS, err));
    KW_TRY(set_past(voucher->settled, arena, ret_row, KW_STORE_FIELD_SETTLED, err));
    return set_voucher(voucher, arena, ret_row, err);
}

struct kw_bytes kw_voucher_of(const struct kw_record *row)
{
    struct kw_lww lww = {0};

    (void)kw_lww_read(kw_record_value(row, KW_STORE_FIELD_VOUCHER), &lww);
    return lww.value;
}
