/* Secrets that valgrind may not see a decision on: it takes them for uninitialised, and reports
 * every branch and every address that depends on one. Run by constant_time.sh under memcheck,
 * without sanitizers; `constant_time leak` decides on a secret, and must be reported.
 *
 * What is public in the end (the verdict, the tag) is declared to be. Key wrapping is not here:
 * OpenSSL 3.0 does it with an AES that looks tables up. */
#include "common/crypto/cmac.h"
#include "common/crypto/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>

#define MESSAGE "twelve bytes"

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "constant_time: %s\n", what);
        exit(2);
    }
}

static void hide(const void *data, size_t len)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(data, len);
}

static void tell(const void *data, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(data, len);
}

static void comparison(uint8_t difference)
{
    uint8_t one[KW_SHA256_LEN] = {1, 2, 3};
    uint8_t other[KW_SHA256_LEN] = {1, 2, 3};
    bool equal;

    other[KW_SHA256_LEN / 2] ^= difference;
    hide(one, sizeof(one));
    hide(other, sizeof(other));
    equal = kw_bytes_equal_ct(KW_BYTES_OF(one), KW_BYTES_OF(other));
    tell(&equal, sizeof(equal));
    must(equal == (difference == 0), "comparison");
}

/* What a comparison must not be like. */
static void leak(void)
{
    uint8_t secret[KW_SHA256_LEN] = {1};

    hide(secret, sizeof(secret));
    if (secret[0] == 1) {
        (void)fputs("leaked\n", stderr);
    }
}

static void key_make(struct kw_secret *key)
{
    must(kw_ok(kw_secret_init(key, KW_AES256_LEN, NULL)), "memory");
    for (size_t i = 0; i < key->len; i++) {
        key->slot[i] = (uint8_t)i;
    }
    hide(key->slot, key->len);
}

static void macs(const struct kw_secret *key)
{
    const struct kw_bytes parts[] = {kw_bytes_str(MESSAGE)};
    uint8_t tag[KW_SHA256_LEN];

    must(kw_ok(kw_cmac_aes256(key, parts, 1, tag, NULL)), "CMAC");
    tell(tag, KW_CMAC_LEN);
    must(kw_ok(kw_hmac_sha256(key, parts, 1, tag, NULL)), "HMAC");
    tell(tag, sizeof(tag));
}

int main(int argc, char **argv)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};

    must(RUNNING_ON_VALGRIND != 0, "valgrind is not there");
    if (argc > 1 && strcmp(argv[1], "leak") == 0) {
        leak();
        return 0;
    }
    for (unsigned difference = 0; difference < 4; difference++) {
        comparison((uint8_t)difference);
    }
    key_make(&key);
    macs(&key);
    tell(key.slot, key.len);
    return 0;
}
