/* Two tokens in one SoftHSM: one whose ceremony was held, and one that asked for its keys, with the keys on their way. */
#ifndef KW_TESTS_SUPPORT_HSM_REGION_H
#define KW_TESTS_SUPPORT_HSM_REGION_H

#include "tests/support/softhsm.h"

#define HSM_REGION_TOKEN "keyward-region"
#define HSM_REGION_INFO  "a test's info"

struct hsm_region {
    struct softhsm softhsm;
    struct kw_spki recovery_spki;
    struct kw_private_key recovery;
    struct kw_buf blob;
    struct kw_buf carrier; /* SubjectPublicKeyInfo, once it is prepared */
    struct kw_hsm_carried carried;
};

/* The ceremony of the first token. */
void hsm_region_init(struct hsm_region *region);
void hsm_region_done(struct hsm_region *region);

/* The second token, initialised, through this module. */
struct kw_hsm_token hsm_region_token(const struct hsm_region *region, const char *module);

/* The second token makes its keys, and KEK and MAC key are wrapped for it. */
void hsm_region_prepare(struct hsm_region *region);

/* How many objects there are on both. */
int hsm_region_objects(const struct hsm_region *region);

#endif
