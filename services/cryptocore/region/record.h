/* What the records between regions have in common (docs/formats.md): a label before what is signed, one size, one
 * digest. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_RECORD_H
#define KW_SERVICES_CRYPTOCORE_REGION_RECORD_H

#include "common/base/codec.h"
#include "common/crypto/digest.h"
#include "services/cryptocore/hsm/ceremony.h"

#define KW_REGION_RECORD_LEN_MAX (256 * 1024)

/* The first officer's approval of a region's request is a signature over this and the request. */
#define KW_REGION_APPROVAL_LABEL "KEYWARD-REGION-v1"

/* Signs label ‖ body with a key of the token and appends the signature to `record` as a var; `body`
 * may be a part of it. Fails: as kw_hsm_ceremony_sign, MEMORY. */
struct kw_result kw_region_sign(struct kw_hsm_ceremony *ceremony, enum kw_hsm_signer signer,
                                const char *label, struct kw_bytes body, struct kw_buf *record,
                                struct kw_error *err);

/* Is it `key`'s over label ‖ body? Fails: SIGNATURE_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_region_verify(const struct kw_public_key *key, const char *label,
                                  struct kw_bytes body, struct kw_bytes signature,
                                  struct kw_error *err);

/* Magic and all: ENCODING_INVALID unless the reader begins with these four letters. */
void kw_region_magic(struct kw_reader *r, const char *magic);

/* Reads a record's file whole. Fails: CONFIG_INVALID, MEMORY. */
struct kw_result kw_region_record_load(const char *path, struct kw_buf *ret_record,
                                       struct kw_error *err);

#endif
