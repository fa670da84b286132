/* Fields that several records have, and the signature that stands at the end of two. */
#include "common/feed/lane_codec.h"

#include "common/base/limits.h"
#include "common/feed/lane_keys.h"

#define MAGIC_LEN 4

bool kw_get_magic(struct kw_reader *r, const char *magic)
{
    return kw_bytes_equal(kw_get_raw(r, MAGIC_LEN), KW_BYTES(magic, MAGIC_LEN));
}

void kw_put_lane(struct kw_writer *w, const struct kw_lane *lane)
{
    kw_put_raw(w, kw_id_bytes(&lane->mesh));
    kw_put_raw(w, kw_id_bytes(&lane->store));
    kw_put_raw(w, kw_id_bytes(&lane->incarnation));
    kw_put_u32(w, lane->writer);
}

void kw_get_lane(struct kw_reader *r, struct kw_lane *ret_lane)
{
    kw_get_copy(r, ret_lane->mesh.bytes, KW_ID_LEN);
    kw_get_copy(r, ret_lane->store.bytes, KW_ID_LEN);
    kw_get_copy(r, ret_lane->incarnation.bytes, KW_ID_LEN);
    ret_lane->writer = kw_get_u32(r);
}

bool kw_number_fits(uint64_t number)
{
    return number <= INT64_MAX;
}

uint64_t kw_get_number(struct kw_reader *r)
{
    uint64_t number = kw_get_u64(r);

    if (!kw_number_fits(number)) {
        r->failed = true;
    }
    return number;
}

void kw_put_point(struct kw_writer *w, const struct kw_lane_point *point)
{
    kw_put_u64(w, point->seq);
    kw_put_raw(w, KW_BYTES_OF(point->chain));
}

void kw_get_point(struct kw_reader *r, struct kw_lane_point *ret_point)
{
    ret_point->seq = kw_get_number(r);
    kw_get_copy(r, ret_point->chain, KW_SHA256_LEN);
}

bool kw_change_record_fits(struct kw_bytes record)
{
    return record.len > 0 && record.len <= KW_CHANGE_LEN_MAX;
}

void kw_put_change_record(struct kw_writer *w, struct kw_bytes record)
{
    kw_put_u32(w, (uint32_t)record.len);
    kw_put_raw(w, record);
}

struct kw_bytes kw_get_change_record(struct kw_reader *r)
{
    struct kw_bytes record = kw_get_raw(r, kw_get_u32(r));

    if (!kw_change_record_fits(record)) {
        r->failed = true;
    }
    return record;
}

static struct kw_result message_of(const char *label, struct kw_bytes content, struct kw_bytes key,
                                   struct kw_buf *out, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(label));
    kw_put_raw(&w, content);
    kw_put_var(&w, key);
    return kw_writer_end(&w, err);
}

struct kw_result kw_lane_sign(const char *label, struct kw_bytes content,
                              const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_writer w = KW_WRITER(out);
    struct kw_signature signature;
    struct kw_spki spki;

    KW_ENSURE(key->curve == KW_CURVE_P256, err, ARGUMENT_INVALID, "lanes are signed on P-256");
    KW_TRY(kw_private_key_spki(key, &spki, err));
    KW_TRY(message_of(label, content, kw_spki_bytes(&spki), &message, err));
    KW_TRY(kw_ecdsa_sign(key, kw_buf_bytes(&message), &signature, err));
    kw_put_raw(&w, content);
    kw_put_var(&w, kw_spki_bytes(&spki));
    kw_put_var(&w, kw_signature_bytes(&signature));
    return kw_writer_end(&w, err);
}

static bool within(struct kw_bytes bytes, size_t max)
{
    return bytes.len > 0 && bytes.len <= max;
}

void kw_get_signed(struct kw_reader *r, struct kw_bytes *ret_key, struct kw_bytes *ret_signature)
{
    *ret_key = kw_get_var(r);
    *ret_signature = kw_get_var(r);
    if (!within(*ret_key, KW_SPKI_LEN_MAX) || !within(*ret_signature, KW_SIGNATURE_LEN_MAX)) {
        r->failed = true;
    }
}

struct kw_result kw_lane_verify(const char *label, struct kw_bytes content, struct kw_bytes key,
                                struct kw_bytes signature, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key signer = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};

    KW_TRY(kw_lane_key(key, &signer, err));
    KW_TRY(message_of(label, content, key, &message, err));
    return kw_ecdsa_verify(&signer, kw_buf_bytes(&message), signature, err);
}
