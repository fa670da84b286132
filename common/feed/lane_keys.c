/* One small table for the process, searched from its beginning: what was asked for last stands first. */
#include "common/feed/lane_keys.h"

#include <pthread.h>

struct kept {
    struct kw_spki spki;
    struct kw_public_key key;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept table[KW_LANE_KEYS_MAX];
static size_t count;

/* `count`: it is not there. */
static size_t place_of(struct kw_bytes spki)
{
    size_t place = 0;

    while (place < count && !kw_bytes_equal(kw_spki_bytes(&table[place].spki), spki)) {
        place++;
    }
    return place;
}

static void put_first(size_t place, struct kept kept)
{
    memmove(&table[1], &table[0], place * sizeof(table[0]));
    table[0] = kept;
}

static struct kw_result find(struct kw_bytes spki, struct kw_public_key *ret_key, bool *ret_found,
                             struct kw_error *err)
{
    size_t place = place_of(spki);
    struct kept kept;

    *ret_found = place < count;
    if (!*ret_found) {
        return KW_OK;
    }
    kept = table[place];
    put_first(place, kept);
    return kw_public_key_share(&kept.key, ret_key, err);
}

/* Two threads may have read the same key: the second one's is not kept. */
static struct kw_result keep(struct kw_bytes spki, const struct kw_public_key *key,
                             struct kw_error *err)
{
    struct kept kept = {.spki.len = spki.len};
    size_t place = count < KW_LANE_KEYS_MAX ? count : KW_LANE_KEYS_MAX - 1;

    if (place_of(spki) < count) {
        return KW_OK;
    }
    KW_TRY(kw_public_key_share(key, &kept.key, err));
    kw_copy(kept.spki.bytes, spki.data, spki.len);
    if (count == KW_LANE_KEYS_MAX) {
        kw_public_key_done(&table[place].key);
    } else {
        count++;
    }
    put_first(place, kept);
    return KW_OK;
}

/* A key that can't be read is a signature that does not verify; want of memory says nothing. */
static struct kw_result read(struct kw_bytes spki, struct kw_public_key *ret_key,
                             struct kw_error *err)
{
    struct kw_result parsed = kw_public_key_from_spki(ret_key, spki, err);

    KW_ENSURE(parsed.reason != KW_E_ARGUMENT_INVALID, err, SIGNATURE_INVALID,
              "lane: the signer's key is none");
    KW_TRY(parsed);
    if (ret_key->curve != KW_CURVE_P256) {
        kw_public_key_done(ret_key);
        KW_FAIL(err, SIGNATURE_INVALID, "lanes are signed on P-256");
    }
    return KW_OK;
}

static struct kw_result locked(struct kw_bytes spki, struct kw_public_key *key, bool keeps,
                               bool *ret_found, struct kw_error *err)
{
    struct kw_result done;

    (void)pthread_mutex_lock(&lock);
    done = keeps ? keep(spki, key, err) : find(spki, key, ret_found, err);
    (void)pthread_mutex_unlock(&lock);
    return done;
}

struct kw_result kw_lane_key(struct kw_bytes spki, struct kw_public_key *ret_key,
                             struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    bool found = false;

    KW_TRY(locked(spki, &key, false, &found, err));
    if (!found) {
        KW_TRY(read(spki, &key, err));
        KW_TRY(locked(spki, &key, true, NULL, err));
    }
    *ret_key = key;
    key = (struct kw_public_key){0};
    return KW_OK;
}
