/* Writing and reading what is carried. */
#include "services/cryptocore/region/carried.h"

#define MAGIC "KWT1"
#define LABEL "KEYWARD-CARRY-v1"

struct kw_result kw_region_carried_info(const uint8_t request_digest[KW_SHA256_LEN],
                                        struct kw_buf *info, struct kw_error *err)
{
    KW_TRY(kw_buf_append(info, kw_bytes_str(LABEL), err));
    return kw_buf_append(info, KW_BYTES(request_digest, KW_SHA256_LEN), err);
}

static void key_write(struct kw_writer *w, const struct kw_hsm_carried_key *key)
{
    kw_put_raw(w, KW_BYTES_OF(key->wrapped));
    kw_put_raw(w, KW_BYTES_OF(key->check));
}

struct kw_result kw_region_carried_write(const struct kw_hsm_carried *carried,
                                         const uint8_t request_digest[KW_SHA256_LEN],
                                         struct kw_buf *record, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(record);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_raw(&w, KW_BYTES(request_digest, KW_SHA256_LEN));
    kw_put_raw(&w, KW_BYTES_OF(carried->ephemeral));
    key_write(&w, &carried->kek);
    key_write(&w, &carried->mac);
    kw_put_raw(&w, KW_BYTES_OF(carried->kek_proof));
    return kw_writer_end(&w, err);
}

static void key_read(struct kw_reader *r, struct kw_hsm_carried_key *key)
{
    kw_get_copy(r, key->wrapped, sizeof(key->wrapped));
    kw_get_copy(r, key->check, sizeof(key->check));
}

struct kw_result kw_region_carried_read(struct kw_bytes record,
                                        const uint8_t request_digest[KW_SHA256_LEN],
                                        struct kw_hsm_carried *ret, struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_bytes digest;

    kw_region_magic(&r, MAGIC);
    digest = kw_get_raw(&r, KW_SHA256_LEN);
    kw_get_copy(&r, ret->ephemeral, sizeof(ret->ephemeral));
    key_read(&r, &ret->kek);
    key_read(&r, &ret->mac);
    kw_get_copy(&r, ret->kek_proof, sizeof(ret->kek_proof));
    KW_TRY(kw_reader_end(&r, "carried keys", err));
    KW_ENSURE(kw_bytes_equal(digest, KW_BYTES(request_digest, KW_SHA256_LEN)), err, BINDING_INVALID,
              "keys that were carried for another request");
    return KW_OK;
}
