/* Secrets: their limits, their wiping, and which files are taken for one. */
#include "common/base/limits.h"
#include "common/base/secret.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/keyward-secret-XXXXXX";
static struct kw_secret secret;
static struct kw_error err;

static void cleanup(void)
{
    kw_secret_done(&secret);
    (void)unlink(path);
}

TestSuite(secret, .fini = cleanup);

static enum kw_reason from_file(const char *text, size_t len, mode_t mode)
{
    int fd = mkstemp(path);
    enum kw_reason reason;

    cr_assert(ge(int, fd, 0));
    cr_assert(eq(long, write(fd, text, len), (long)len));
    cr_assert(eq(int, fchmod(fd, mode), 0));
    (void)close(fd);
    reason = kw_secret_from_file(&secret, path, &err).reason;
    (void)unlink(path);
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    return reason;
}

static bool holds(const char *text, size_t len)
{
    return kw_bytes_equal(kw_secret_bytes(&secret), KW_BYTES(text, len));
}

Test(secret, starts_zero_and_takes_a_copy)
{
    cr_assert(kw_ok(kw_secret_region_lock(NULL)));
    cr_assert(kw_ok(kw_secret_init(&secret, 4, NULL)));
    cr_assert(holds("\0\0\0\0", 4));
    kw_secret_done(&secret);
    cr_assert(kw_ok(kw_secret_copy(&secret, kw_bytes_str("key"), NULL)));
    cr_assert(holds("key", 3));
}

Test(secret, done_wipes_and_accepts_nothing)
{
    const uint8_t *slot;

    cr_assert(kw_ok(kw_secret_copy(&secret, kw_bytes_str("key"), NULL)));
    slot = secret.slot;
    kw_secret_done(&secret);
    cr_assert(kw_bytes_equal(KW_BYTES(slot, 3), KW_BYTES("\0\0\0", 3)));
    cr_assert(eq(ptr, secret.slot, NULL));
    kw_secret_done(&secret);
    kw_secret_done(NULL);
}

Test(secret, too_long_is_refused)
{
    uint8_t bytes[KW_SECRET_LEN_MAX + 1] = {0};

    cr_assert(kw_ok(kw_secret_copy(&secret, KW_BYTES(bytes, KW_SECRET_LEN_MAX), NULL)));
    kw_secret_done(&secret);
    cr_assert(
        eq(int, kw_secret_copy(&secret, KW_BYTES_OF(bytes), NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(ptr, secret.slot, NULL));
}

Test(secret, count_is_limited_and_slots_come_back)
{
    static struct kw_secret all[KW_SECRET_COUNT_MAX];

    for (int i = 0; i < KW_SECRET_COUNT_MAX; i++) {
        cr_assert(kw_ok(kw_secret_init(&all[i], 1, NULL)));
        all[i].slot[0] = 0xff;
    }
    cr_assert(eq(int, kw_secret_init(&secret, 1, NULL).reason, KW_E_LIMIT_REACHED));
    kw_secret_done(&all[77]);
    cr_assert(kw_ok(kw_secret_init(&secret, 1, NULL)));
    cr_assert(holds("\0", 1));
    for (int i = 0; i < KW_SECRET_COUNT_MAX; i++) {
        kw_secret_done(&all[i]);
    }
}

Test(secret, file_is_read_without_trailing_newlines)
{
    cr_assert(eq(int, from_file("1234\r\n\n", 7, 0600), KW_E_NONE), "%s", err.message);
    cr_assert(holds("1234", 4));
    kw_secret_done(&secret);
    cr_assert(eq(int, from_file("a\nb", 3, 0400), KW_E_NONE));
    cr_assert(holds("a\nb", 3));
}

Test(secret, file_open_to_others_is_refused)
{
    const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0644, 0777};

    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        cr_assert(eq(int, from_file("1234", 4, open_modes[i]), KW_E_CONFIG_INVALID), "%o",
                  (unsigned)open_modes[i]);
        cr_assert(ne(ptr, strstr(err.message, "open to others"), NULL));
    }
}

Test(secret, missing_and_empty_files_are_refused)
{
    cr_assert(
        eq(int, kw_secret_from_file(&secret, "/nonexistent", &err).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(int, from_file("", 0, 0600), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, from_file("\n\n", 2, 0600), KW_E_CONFIG_INVALID));
}

Test(secret, long_file_is_refused_and_never_cut)
{
    char text[2 * KW_SECRET_LEN_MAX];

    memset(text, 'k', sizeof(text));
    cr_assert(eq(int, from_file(text, KW_SECRET_LEN_MAX, 0600), KW_E_NONE));
    kw_secret_done(&secret);
    cr_assert(eq(int, from_file(text, KW_SECRET_LEN_MAX + 1, 0600), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, from_file(text, sizeof(text), 0600), KW_E_CONFIG_INVALID));
    /* Newlines just where the limit lies must not make a longer file pass for a short one. */
    memset(text + KW_SECRET_LEN_MAX, '\n', 10);
    cr_assert(eq(int, from_file(text, sizeof(text), 0600), KW_E_CONFIG_INVALID));
}

Test(secret, error_does_not_repeat_the_content)
{
    char text[2 * KW_SECRET_LEN_MAX];

    memset(text, 'k', sizeof(text));
    cr_assert(eq(int, from_file(text, sizeof(text), 0600), KW_E_CONFIG_INVALID));
    cr_assert(eq(ptr, strstr(err.message, "kkk"), NULL));
}
