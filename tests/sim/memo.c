/* OpenSSL parses each of the few keys here only once: that is most of what a run would cost. The linker puts
 * these before the real functions (--wrap); what they hand out is another reference to the same key. */
#include "common/crypto/key.h"
#include "tests/sim/sim.h"

#include <string.h>

struct kw_result __real_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err);
struct kw_result __wrap_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err);
struct kw_result __real_kw_private_key_public(const struct kw_private_key *key,
                                              struct kw_public_key *ret_public,
                                              struct kw_error *err);
struct kw_result __wrap_kw_private_key_public(const struct kw_private_key *key,
                                              struct kw_public_key *ret_public,
                                              struct kw_error *err);

enum {
    KEYS = SIM_CELLS_MAX + 1 /* the cells' and the forger's */
};

static struct {
    struct kw_spki spki;
    struct kw_public_key key;
} parsed[KEYS];

static struct {
    const void *evp;
    struct kw_public_key key;
} halves[KEYS];

struct kw_result __wrap_kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                                struct kw_error *err)
{
    size_t i = 0;

    while (i < KEYS && parsed[i].key.evp != NULL) {
        if (kw_bytes_equal(kw_spki_bytes(&parsed[i].spki), spki)) {
            return kw_public_key_share(&parsed[i].key, key, err);
        }
        i++;
    }
    KW_TRY(__real_kw_public_key_from_spki(key, spki, err));
    if (i < KEYS) {
        memcpy(parsed[i].spki.bytes, spki.data, spki.len);
        parsed[i].spki.len = spki.len;
        return kw_public_key_share(key, &parsed[i].key, err);
    }
    return KW_OK;
}

struct kw_result __wrap_kw_private_key_public(const struct kw_private_key *key,
                                              struct kw_public_key *ret_public,
                                              struct kw_error *err)
{
    size_t i = 0;

    while (i < KEYS && halves[i].evp != NULL) {
        if (halves[i].evp == key->evp) {
            return kw_public_key_share(&halves[i].key, ret_public, err);
        }
        i++;
    }
    KW_TRY(__real_kw_private_key_public(key, ret_public, err));
    if (i < KEYS) {
        halves[i].evp = key->evp;
        return kw_public_key_share(ret_public, &halves[i].key, err);
    }
    return KW_OK;
}
