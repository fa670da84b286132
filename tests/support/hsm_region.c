/* Tokens, keys, and what is on its way. */
#include "tests/support/hsm_region.h"

#include "services/cryptocore/hsm/carry.h"
#include "services/cryptocore/hsm/fresh_token.h"
#include "tests/support/must.h"

#include <ftw.h>
#include <string.h>

static void recovery_make(struct hsm_region *region)
{
    struct kw_public_key public = {0};

    MUST(kw_private_key_generate(&region->recovery, KW_CURVE_P384, err));
    MUST(kw_private_key_public(&region->recovery, &public, err));
    MUST(kw_public_key_spki(&public, &region->recovery_spki, err));
    kw_public_key_done(&public);
}

void hsm_region_init(struct hsm_region *region)
{
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made made = {0};
    struct kw_hsm_ceremony *ceremony;
    struct kw_hsm_token token;

    *region = (struct hsm_region){.blob = {0}};
    softhsm_init(&region->softhsm);
    recovery_make(region);
    token = softhsm_token(&region->softhsm);
    MUST(kw_hsm_ceremony_new(&token, &ceremony, err));
    MUST(kw_hsm_ceremony_make(ceremony, kw_spki_bytes(&region->recovery_spki), &made, err));
    MUST(kw_buf_append(&region->blob, kw_buf_bytes(&made.blob), err));
    kw_hsm_ceremony_free(ceremony);
    token = hsm_region_token(region, NULL);
    MUST(kw_hsm_fresh_token(token.module_path, HSM_REGION_TOKEN, token.pin_path, token.pin_path,
                            err));
}

void hsm_region_done(struct hsm_region *region)
{
    kw_private_key_done(&region->recovery);
    kw_buf_done(&region->blob);
    kw_buf_done(&region->carrier);
    softhsm_done(&region->softhsm);
}

struct kw_hsm_token hsm_region_token(const struct hsm_region *region, const char *module)
{
    struct kw_hsm_token token = softhsm_token(&region->softhsm);

    token.token_label = HSM_REGION_TOKEN;
    token.module_path = module != NULL ? module : token.module_path;
    return token;
}

void hsm_region_prepare(struct hsm_region *region)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key carrier = {0};
    const struct kw_hsm_token token = hsm_region_token(region, NULL);
    struct kw_hsm_ceremony *ceremony;

    MUST(kw_hsm_ceremony_new(&token, &ceremony, err));
    MUST(kw_hsm_ceremony_prepare(ceremony, err));
    MUST(kw_hsm_ceremony_public_key(ceremony, KW_HSM_CARRIER, &region->carrier, err));
    kw_hsm_ceremony_free(ceremony);
    MUST(kw_public_key_from_spki(&carrier, kw_buf_bytes(&region->carrier), err));
    MUST(kw_hsm_carry(&region->recovery, kw_buf_bytes(&region->blob), &carrier,
                      kw_bytes_str(HSM_REGION_INFO), &region->carried, err));
}

static int found;

static int object_count(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    found += strstr(path, ".object") != NULL && strcmp(path + where->base, "token.object") != 0;
    return 0;
}

int hsm_region_objects(const struct hsm_region *region)
{
    found = 0;
    REQUIRE(nftw(region->softhsm.tokens, object_count, 8, FTW_PHYS) == 0, "%s",
            region->softhsm.tokens);
    return found;
}
