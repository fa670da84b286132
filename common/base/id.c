/* Identifiers: making, printing and strict parsing. */
#include "common/base/id.h"

#include "common/base/clock.h"
#include "common/base/random.h"

#define DIGITS     26U /* ceil(128 / 5) */
#define PREFIX_LEN 4U

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

static const char *const prefixes[KW_ID_COUNT_] = {
    [KW_ID_PARTNER] = "prt_",     [KW_ID_STATION] = "sta_",  [KW_ID_OPERATOR] = "opr_",
    [KW_ID_INVITATION] = "inv_",  [KW_ID_DEVICE] = "dev_",   [KW_ID_KEY] = "key_",
    [KW_ID_BATCH] = "bat_",       [KW_ID_PRODUCT] = "prd_",  [KW_ID_GRANT] = "grt_",
    [KW_ID_CERTIFICATE] = "crt_", [KW_ID_PROPOSAL] = "prp_", [KW_ID_RECEIPT] = "rcp_",
    [KW_ID_SUSPENSION] = "sus_",  [KW_ID_REQUEST] = "req_",
};

bool kw_id_equal(struct kw_id a, struct kw_id b)
{
    return memcmp(a.bytes, b.bytes, KW_ID_LEN) == 0;
}

bool kw_id_is_none(struct kw_id id)
{
    return kw_id_equal(id, KW_ID_NONE);
}

struct kw_result kw_id_random(struct kw_id *ret_id, struct kw_error *err)
{
    struct kw_id id;

    KW_TRY(kw_random(id.bytes, KW_ID_LEN, err));
    *ret_id = id;
    return KW_OK;
}

struct kw_result kw_id_v7(struct kw_id *ret_id, struct kw_error *err)
{
    uint64_t ms = kw_clock_wall_ms();
    struct kw_id id;

    KW_TRY(kw_id_random(&id, err));
    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    *ret_id = id;
    return KW_OK;
}

struct kw_result kw_id_from_bytes(struct kw_bytes bytes, struct kw_id *ret_id, struct kw_error *err)
{
    KW_ENSURE(bytes.len == KW_ID_LEN, err, ARGUMENT_INVALID, "an id has 16 bytes, not %zu",
              bytes.len);
    kw_copy(ret_id->bytes, bytes.data, KW_ID_LEN);
    return KW_OK;
}

struct kw_result kw_id_from_setting(const char *name, const char *text, struct kw_id *ret_id,
                                    struct kw_error *err)
{
    KW_ENSURE(text != NULL && kw_ok(kw_unhex(text, ret_id->bytes, KW_ID_LEN, NULL)) &&
                  !kw_id_is_none(*ret_id),
              err, CONFIG_INVALID, "%s is not an id: 32 hex digits, not all of them 0", name);
    return KW_OK;
}

char *kw_id_text(enum kw_id_kind kind, struct kw_id id, char *text)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t at = PREFIX_LEN;

    kw_copy(text, prefixes[kind], PREFIX_LEN);
    for (size_t i = 0; i < KW_ID_LEN; i++) {
        bits = bits << 8 | id.bytes[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            text[at++] = alphabet[bits >> have & 31];
        }
    }
    text[at++] = alphabet[bits << (5 - have) & 31];
    text[at] = '\0';
    return text;
}

static int digit_value(uint8_t c)
{
    const char *found = c != '\0' ? strchr(alphabet, c) : NULL;

    return found != NULL ? (int)(found - alphabet) : -1;
}

struct kw_result kw_id_parse(enum kw_id_kind kind, struct kw_bytes text, struct kw_id *ret_id,
                             struct kw_error *err)
{
    struct kw_id id;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t at = 0;

    KW_ENSURE(text.len == PREFIX_LEN + DIGITS && memcmp(text.data, prefixes[kind], PREFIX_LEN) == 0,
              err, ARGUMENT_INVALID, "expected %s and %u base32 digits", prefixes[kind], DIGITS);
    for (size_t i = PREFIX_LEN; i < text.len; i++) {
        int value = digit_value(text.data[i]);

        KW_ENSURE(value >= 0, err, ARGUMENT_INVALID, "not a base32 digit at %zu", i);
        bits = bits << 5 | (uint32_t)value;
        have += 5;
        if (have >= 8 && at < KW_ID_LEN) {
            have -= 8;
            id.bytes[at++] = (uint8_t)(bits >> have);
        }
    }
    /* 26 digits are 130 bits: the last two must be zero, or one id would have four spellings. */
    KW_ENSURE((bits & 3) == 0, err, ARGUMENT_INVALID, "the last base32 digit is not canonical");
    *ret_id = id;
    return KW_OK;
}
