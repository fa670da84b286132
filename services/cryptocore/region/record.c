/* Signing, verifying, reading. */
#include "services/cryptocore/region/record.h"

#include "common/crypto/keyfile.h"

#include <fcntl.h>

static struct kw_result labelled(const char *label, struct kw_bytes body, struct kw_buf *message,
                                 struct kw_error *err)
{
    KW_TRY(kw_buf_append(message, kw_bytes_str(label), err));
    return kw_buf_append(message, body, err);
}

struct kw_result kw_region_sign(struct kw_hsm_ceremony *ceremony, enum kw_hsm_signer signer,
                                const char *label, struct kw_bytes body, struct kw_buf *record,
                                struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_writer w = KW_WRITER(record);
    struct kw_signature signature;

    KW_TRY(labelled(label, body, &message, err));
    KW_TRY(kw_hsm_ceremony_sign(ceremony, signer, kw_buf_bytes(&message), &signature, err));
    kw_put_var(&w, kw_signature_bytes(&signature));
    return kw_writer_end(&w, err);
}

struct kw_result kw_region_verify(const struct kw_public_key *key, const char *label,
                                  struct kw_bytes body, struct kw_bytes signature,
                                  struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};

    KW_TRY(labelled(label, body, &message, err));
    return kw_ecdsa_verify(key, kw_buf_bytes(&message), signature, err);
}

void kw_region_magic(struct kw_reader *r, const char *magic)
{
    if (!kw_bytes_equal(kw_get_raw(r, strlen(magic)), kw_bytes_str(magic))) {
        r->failed = true;
    }
}

struct kw_result kw_region_record_load(const char *path, struct kw_buf *ret_record,
                                       struct kw_error *err)
{
    return kw_keyfile_read(AT_FDCWD, path, KW_REGION_RECORD_LEN_MAX, false, ret_record, err);
}
