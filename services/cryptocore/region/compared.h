/* What people compared, on another way than the file came: it is believed by its SHA-256. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_COMPARED_H
#define KW_SERVICES_CRYPTOCORE_REGION_COMPARED_H

#include "common/pki/certificate.h"
#include "services/cryptocore/region/record.h"

/* A setting with the digest: lower-case hex. */
#define KW_REGION_ROOT_SHA256                                                                      \
    .name = "root_sha256", .type = KW_SETTING_STRING, .required = true, .min = 2 * KW_SHA256_LEN,  \
    .max = 2 * KW_SHA256_LEN,                                                                      \
    .doc = "SHA-256 of the root's certificate (DER), lower-case hex, as init said it: by another " \
           "way than the file."
#define KW_REGION_REQUEST_SHA256                                                                   \
    .name = "request_sha256", .type = KW_SETTING_STRING, .required = true,                         \
    .min = 2 * KW_SHA256_LEN, .max = 2 * KW_SHA256_LEN,                                            \
    .doc = "SHA-256 of the request, lower-case hex, as `request` said it: by another way than "    \
           "the file."

/* The root's certificate (PEM); the digest is of its DER. Fails: BINDING_INVALID (another one),
 * CONFIG_INVALID, ARGUMENT_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_region_root_load(const char *path, const char *sha256,
                                     struct kw_certificate *ret_root, struct kw_error *err);

/* A request as it lies there: nothing of it was read. Fails: as above. */
struct kw_result kw_region_request_load(const char *path, const char *sha256,
                                        struct kw_buf *ret_record, struct kw_error *err);

#endif
