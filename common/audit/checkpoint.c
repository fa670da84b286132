/* The record KWK1, the part of it that is signed, and the check of its signature. */
#include "common/audit/checkpoint.h"

#include "common/audit/record.h"

#define MAGIC "KWK1"
#define LABEL "KEYWARD-CKPT-v1"

static void put_fields(struct kw_writer *w, const struct kw_checkpoint *checkpoint)
{
    kw_put_raw(w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_raw(w, kw_id_bytes(&checkpoint->core));
    kw_put_raw(w, kw_id_bytes(&checkpoint->stream));
    kw_put_u64(w, checkpoint->seq);
    kw_put_raw(w, KW_BYTES_OF(checkpoint->head.bytes));
    kw_put_u64(w, checkpoint->time_ms);
    kw_put_u8(w, checkpoint->closed ? 1 : 0);
}

static struct kw_result message(const struct kw_checkpoint *checkpoint, struct kw_buf *out,
                                struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(LABEL));
    put_fields(&w, checkpoint);
    return kw_writer_end(&w, err);
}

struct kw_result kw_checkpoint_content(const struct kw_checkpoint *checkpoint, struct kw_buf *out,
                                       struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    put_fields(&w, checkpoint);
    return kw_writer_end(&w, err);
}

struct kw_result kw_checkpoint_encode(const struct kw_checkpoint *checkpoint, struct kw_buf *out,
                                      struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    KW_ENSURE(checkpoint->signature.len > 0 && checkpoint->signature.len <= KW_SIGNATURE_LEN_MAX,
              err, ARGUMENT_INVALID, "signature of %zu bytes", checkpoint->signature.len);
    put_fields(&w, checkpoint);
    kw_put_var(&w, checkpoint->signature);
    return kw_writer_end(&w, err);
}

struct kw_result kw_checkpoint_decode(struct kw_bytes record, struct kw_checkpoint *ret_checkpoint,
                                      struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_checkpoint checkpoint = {0};
    uint8_t closed;

    KW_ENSURE(kw_record_starts(&r, MAGIC), err, ENCODING_INVALID, "not a checkpoint");
    kw_get_copy(&r, checkpoint.core.bytes, KW_ID_LEN);
    kw_get_copy(&r, checkpoint.stream.bytes, KW_ID_LEN);
    checkpoint.seq = kw_get_u64(&r);
    kw_get_copy(&r, checkpoint.head.bytes, KW_SHA256_LEN);
    checkpoint.time_ms = kw_get_u64(&r);
    closed = kw_get_u8(&r);
    checkpoint.signature = kw_get_var(&r);
    KW_TRY(kw_reader_end(&r, "checkpoint", err));
    KW_ENSURE(closed <= 1 && checkpoint.signature.len > 0 &&
                  checkpoint.signature.len <= KW_SIGNATURE_LEN_MAX,
              err, ENCODING_INVALID, "checkpoint: a field is out of range");
    checkpoint.closed = closed == 1;
    *ret_checkpoint = checkpoint;
    return KW_OK;
}

struct kw_result kw_checkpoint_verify(const struct kw_checkpoint *checkpoint,
                                      const struct kw_public_key *key, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf input = {0};

    KW_ENSURE(key->curve == KW_CURVE_P384, err, SIGNATURE_INVALID,
              "checkpoints are signed on P-384");
    KW_TRY(message(checkpoint, &input, err));
    return kw_ecdsa_verify(key, kw_buf_bytes(&input), checkpoint->signature, err);
}
