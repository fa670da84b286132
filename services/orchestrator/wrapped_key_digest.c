/* Names of wrapped keys. */
#include "services/orchestrator/wrapped_key_digest.h"

#include "common/base/codec.h"

struct kw_result kw_wrapped_key_digest(const struct kw_wrapped_parts *parts,
                                       uint8_t ret_digest[KW_SHA256_LEN], struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf all = {0};
    struct kw_writer w = KW_WRITER(&all);

    kw_put_var(&w, parts->wrapped);
    kw_put_var(&w, parts->check_value);
    kw_put_var(&w, parts->mac);
    kw_put_var(&w, parts->nonce);
    KW_TRY(kw_writer_end(&w, err));
    return kw_sha256(kw_buf_bytes(&all), ret_digest, err);
}
