/* Keys that were read are kept: the very same object comes again, of so many keys. */
#include "common/feed/lane_keys.h"

#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

static struct kw_spki spki_of(const struct kw_private_key *key)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_spki spki;

    MUST(kw_private_key_public(key, &half, err));
    MUST(kw_public_key_spki(&half, &spki, err));
    return spki;
}

/* Only to be compared: it may be gone. */
static const void *read_key(const struct kw_spki *spki)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    MUST(kw_lane_key(kw_spki_bytes(spki), &key, err));
    return key.evp;
}

Test(lane_keys, a_key_is_read_once)
{
    struct kw_spki spki = spki_of(lane_key(0));
    struct kw_spki other = spki_of(lane_key(1));
    const void *first = read_key(&spki);

    cr_assert_neq(read_key(&other), first);
    cr_assert_eq(read_key(&spki), first);
}

Test(lane_keys, what_is_no_key_of_lanes_is_refused_each_time)
{
    struct kw_public_key key = {0};
    struct kw_spki p384 = spki_of(lane_p384());

    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(kw_lane_key(kw_bytes_str("key"), &key, NULL).reason, KW_E_SIGNATURE_INVALID);
        cr_assert_eq(kw_lane_key(kw_spki_bytes(&p384), &key, NULL).reason, KW_E_SIGNATURE_INVALID);
    }
    cr_assert_eq(key.evp, NULL);
}

Test(lane_keys, the_one_not_asked_for_the_longest_makes_room)
{
    struct kw_spki spkis[KW_LANE_KEYS_MAX + 1];
    const void *first;

    for (size_t i = 0; i <= KW_LANE_KEYS_MAX; i++) {
        KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

        MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
        spkis[i] = spki_of(&key);
    }
    first = read_key(&spkis[0]);
    for (size_t i = 1; i <= KW_LANE_KEYS_MAX; i++) {
        KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

        MUST(kw_lane_key(kw_spki_bytes(&spkis[i]), &key, err));
        cr_assert_eq(read_key(&spkis[0]), first, "it was asked for just now");
    }
    cr_assert_eq(read_key(&spkis[KW_LANE_KEYS_MAX]), read_key(&spkis[KW_LANE_KEYS_MAX]));
}
