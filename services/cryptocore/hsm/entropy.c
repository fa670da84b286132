/* The health tests are those that a stuck generator fails and a sound one doesn't within the age of
 * the universe: SP 800-90B's repetition count, and the end of one draw against that of the next. */
#include "services/cryptocore/hsm/entropy.h"

#include "common/base/random.h"

#define RUN_MAX  6 /* equal bytes in a row: at full entropy one draw in 2^40 */
#define TEST_LEN 64

static bool runs(const uint8_t *bytes, size_t len)
{
    size_t run = 1;

    for (size_t i = 1; i < len; i++) {
        run = bytes[i] == bytes[i - 1] ? run + 1 : 1;
        if (run >= RUN_MAX) {
            return true;
        }
    }
    return false;
}

/* Short draws leave the tail as it is. */
static bool tail_repeats(struct kw_hsm_session *session, const uint8_t *bytes, size_t len)
{
    struct kw_bytes last = KW_BYTES_OF(session->last_random);
    struct kw_bytes tail;
    bool same;

    if (len < KW_HSM_RANDOM_TAIL) {
        return false;
    }
    tail = KW_BYTES(bytes + len - KW_HSM_RANDOM_TAIL, KW_HSM_RANDOM_TAIL);
    same = kw_bytes_equal(tail, last);
    kw_copy(session->last_random, tail.data, KW_HSM_RANDOM_TAIL);
    return same;
}

static struct kw_result draw(struct kw_hsm_session *session, uint8_t *out, size_t len,
                             struct kw_error *err)
{
    KW_TRY(KW_C(session, GenerateRandom, out, len));
    if (runs(out, len) || tail_repeats(session, out, len)) {
        return kw_hsm_session_distrust(session, "its random generator repeats itself", err);
    }
    return KW_OK;
}

static struct kw_result mix(uint8_t *out, size_t len, struct kw_error *err)
{
    uint8_t own[TEST_LEN];

    for (size_t at = 0; at < len; at += sizeof(own)) {
        size_t part = len - at < sizeof(own) ? len - at : sizeof(own);

        KW_TRY(kw_random(own, part, err));
        for (size_t i = 0; i < part; i++) {
            out[at + i] ^= own[i];
        }
    }
    kw_wipe(own, sizeof(own));
    return KW_OK;
}

struct kw_result kw_hsm_random(struct kw_hsm_session *session, uint8_t *out, size_t len,
                               struct kw_error *err)
{
    KW_TRY(draw(session, out, len, err));
    return mix(out, len, err);
}

struct kw_result kw_hsm_random_test(struct kw_hsm_session *session, struct kw_error *err)
{
    uint8_t bytes[TEST_LEN];

    KW_TRY(draw(session, bytes, sizeof(bytes), err));
    return draw(session, bytes, sizeof(bytes), err);
}
