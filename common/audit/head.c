/* The record KWH1. */
#include "common/audit/head.h"

#include "common/audit/record.h"

#define MAGIC "KWH1"

struct kw_result kw_head_encode(const struct kw_witness *witness, struct kw_buf *out,
                                struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    KW_ENSURE(witness->seq > 0, err, ARGUMENT_INVALID, "head of nothing");
    kw_put_raw(&w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_raw(&w, kw_id_bytes(&witness->core));
    kw_put_raw(&w, kw_id_bytes(&witness->stream));
    kw_put_u64(&w, witness->seq);
    kw_put_raw(&w, KW_BYTES_OF(witness->head));
    return kw_writer_end(&w, err);
}

struct kw_result kw_head_decode(struct kw_bytes record, struct kw_witness *ret_witness,
                                struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_witness witness;

    KW_ENSURE(kw_record_starts(&r, MAGIC), err, ENCODING_INVALID, "not a head");
    kw_get_copy(&r, witness.core.bytes, KW_ID_LEN);
    kw_get_copy(&r, witness.stream.bytes, KW_ID_LEN);
    witness.seq = kw_get_u64(&r);
    kw_get_copy(&r, witness.head, KW_SHA256_LEN);
    KW_TRY(kw_reader_end(&r, "head", err));
    KW_ENSURE(witness.seq > 0, err, ENCODING_INVALID, "head of nothing");
    *ret_witness = witness;
    return KW_OK;
}
