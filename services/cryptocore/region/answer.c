/* Writing and reading an answer. */
#include "services/cryptocore/region/answer.h"

#define MAGIC "KWA1"
#define LABEL "KEYWARD-REGION-ANSWER-v1"

static struct kw_result body_write(const struct kw_region_answer *answer, struct kw_buf *record,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(record);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_raw(&w, KW_BYTES_OF(answer->request_digest));
    kw_put_u64(&w, answer->time_ms);
    kw_put_var(&w, answer->approval);
    kw_put_var(&w, answer->set);
    kw_put_var(&w, answer->carried);
    kw_put_u16(&w, (uint16_t)answer->officer_count);
    for (size_t i = 0; i < answer->officer_count; i++) {
        kw_put_var(&w, answer->officers[i]);
    }
    return kw_writer_end(&w, err);
}

struct kw_result kw_region_answer_write(const struct kw_region_answer *answer,
                                        struct kw_hsm_ceremony *ceremony, struct kw_buf *record,
                                        struct kw_error *err)
{
    KW_TRY(body_write(answer, record, err));
    return kw_region_sign(ceremony, KW_HSM_ROOT, LABEL, kw_buf_bytes(record), record, err);
}

static void officers_read(struct kw_reader *r, struct kw_region_answer *answer)
{
    size_t count = kw_get_u16(r);

    if (count == 0 || count > KW_REGION_OFFICERS_MAX) {
        r->failed = true;
    }
    while (!r->failed && answer->officer_count < count) {
        answer->officers[answer->officer_count++] = kw_get_var(r);
    }
}

static struct kw_result decode(struct kw_bytes record, struct kw_region_answer *answer,
                               struct kw_bytes *ret_body, struct kw_bytes *ret_signature,
                               struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);

    kw_region_magic(&r, MAGIC);
    kw_get_copy(&r, answer->request_digest, sizeof(answer->request_digest));
    answer->time_ms = kw_get_u64(&r);
    answer->approval = kw_get_var(&r);
    answer->set = kw_get_var(&r);
    answer->carried = kw_get_var(&r);
    officers_read(&r, answer);
    *ret_body = KW_BYTES(record.data, record.len - r.rest.len);
    *ret_signature = kw_get_var(&r);
    return kw_reader_end(&r, "answer to a region", err);
}

struct kw_result kw_region_answer_read(struct kw_bytes record, const struct kw_certificate *root,
                                       const struct kw_region_request *request,
                                       struct kw_region_answer *ret, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_region_answer answer = {.officer_count = 0};
    struct kw_bytes body;
    struct kw_bytes signature;

    KW_TRY(decode(record, &answer, &body, &signature, err));
    KW_TRY(kw_certificate_public_key(root, &key, err));
    KW_TRY(kw_region_verify(&key, LABEL, body, signature, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(answer.request_digest), KW_BYTES_OF(request->digest)), err,
              BINDING_INVALID, "an answer to another request");
    *ret = answer;
    return KW_OK;
}
