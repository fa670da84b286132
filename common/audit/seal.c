/* The record KWS1, and sealing many capsules with one signature. Verification is in seal_verify.c.
 */
#include "common/audit/seal.h"

#include "common/audit/record.h"
#include "common/audit/seal_message.h"

#define MAGIC      "KWS1"
#define ROOT_LABEL "KEYWARD-ROOT-v1"

struct kw_result kw_seal_message(uint32_t leaf_count, const struct kw_hash *root,
                                 struct kw_buf *out, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(ROOT_LABEL));
    kw_put_u32(&w, leaf_count);
    kw_put_raw(&w, KW_BYTES_OF(root->bytes));
    return kw_writer_end(&w, err);
}

static struct kw_result sealed_encode(const struct kw_sealed *sealed, struct kw_buf *out,
                                      struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_var(&w, sealed->capsule);
    kw_put_u32(&w, sealed->path.leaf_index);
    kw_put_u32(&w, sealed->path.leaf_count);
    kw_put_u8(&w, (uint8_t)sealed->path.length);
    for (size_t i = 0; i < sealed->path.length; i++) {
        kw_put_raw(&w, KW_BYTES_OF(sealed->path.siblings[i].bytes));
    }
    kw_put_raw(&w, KW_BYTES_OF(sealed->signer));
    kw_put_var(&w, sealed->signature);
    return kw_writer_end(&w, err);
}

struct kw_result kw_sealed_decode(struct kw_bytes record, struct kw_sealed *ret_sealed,
                                  struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_sealed sealed = {0};

    KW_ENSURE(kw_record_starts(&r, MAGIC), err, ENCODING_INVALID, "not a sealed capsule");
    sealed.capsule = kw_get_var(&r);
    sealed.path.leaf_index = kw_get_u32(&r);
    sealed.path.leaf_count = kw_get_u32(&r);
    sealed.path.length = kw_get_u8(&r);
    KW_ENSURE(sealed.path.length <= KW_MERKLE_PATH_MAX, err, ENCODING_INVALID,
              "sealed capsule: path of %zu", sealed.path.length);
    for (size_t i = 0; i < sealed.path.length; i++) {
        kw_get_copy(&r, sealed.path.siblings[i].bytes, KW_SHA256_LEN);
    }
    kw_get_copy(&r, sealed.signer, sizeof(sealed.signer));
    sealed.signature = kw_get_var(&r);
    KW_TRY(kw_reader_end(&r, "sealed capsule", err));
    KW_ENSURE(sealed.signature.len > 0 && sealed.signature.len <= KW_SIGNATURE_LEN_MAX, err,
              ENCODING_INVALID, "sealed capsule: signature of %zu bytes", sealed.signature.len);
    *ret_sealed = sealed;
    return KW_OK;
}

static struct kw_result sign_root(const struct kw_private_key *key, const struct kw_merkle *tree,
                                  struct kw_signature *ret_signature, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};

    KW_TRY(kw_seal_message((uint32_t)tree->leaf_count, kw_merkle_root(tree), &message, err));
    return kw_ecdsa_sign(key, kw_buf_bytes(&message), ret_signature, err);
}

struct kw_result kw_capsules_seal(const struct kw_private_key *key,
                                  const uint8_t fingerprint[KW_SHA256_LEN],
                                  const struct kw_bytes *capsules, size_t count,
                                  struct kw_buf *ret_sealed, struct kw_error *err)
{
    struct kw_merkle tree;
    struct kw_signature signature;
    struct kw_sealed sealed = {0};

    KW_ENSURE(key->curve == KW_CURVE_P256, err, ARGUMENT_INVALID, "capsules are sealed on P-256");
    KW_TRY(kw_merkle_build(&tree, capsules, count, err));
    KW_TRY(sign_root(key, &tree, &signature, err));
    kw_copy(sealed.signer, fingerprint, sizeof(sealed.signer));
    sealed.signature = kw_signature_bytes(&signature);
    for (size_t i = 0; i < count; i++) {
        sealed.capsule = capsules[i];
        kw_merkle_path(&tree, (uint32_t)i, &sealed.path);
        KW_TRY(sealed_encode(&sealed, &ret_sealed[i], err));
    }
    return KW_OK;
}
