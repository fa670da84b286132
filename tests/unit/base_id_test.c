/* Ids, clock, randomness and failpoints. */
#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/id.h"
#include "common/base/random.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>

#define NOW_MS 0x0123456789abULL

static uint64_t fixed_ms(void *context)
{
    (void)context;
    return NOW_MS;
}

static void all_ones(void *out, size_t len)
{
    memset(out, 0xff, len);
}

/* --- ids --- */

Test(id, text_of_known_bytes)
{
    struct kw_id id = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
    char text[KW_ID_TEXT_SIZE];

    cr_assert(eq(str, kw_id_text(KW_ID_DEVICE, id, text), "dev_aaaqeayeaudaocajbifqydiob4"));
}

Test(id, every_kind_round_trips)
{
    for (int kind = 0; kind < KW_ID_COUNT_; kind++) {
        char text[KW_ID_TEXT_SIZE];
        struct kw_id id;
        struct kw_id back = KW_ID_NONE;

        cr_assert(kw_ok(kw_id_random(&id, NULL)));
        (void)kw_id_text((enum kw_id_kind)kind, id, text);
        cr_assert(kw_ok(kw_id_parse((enum kw_id_kind)kind, kw_bytes_str(text), &back, NULL)));
        cr_assert(kw_id_equal(id, back));
        cr_assert(not(kw_id_is_none(back)));
    }
}

Test(id, all_ones_round_trip)
{
    struct kw_id id;
    struct kw_id back = KW_ID_NONE;
    char text[KW_ID_TEXT_SIZE];

    memset(&id, 0xff, sizeof(id));
    cr_assert(eq(str, kw_id_text(KW_ID_KEY, id, text), "key_77777777777777777777777774"));
    cr_assert(kw_ok(kw_id_parse(KW_ID_KEY, kw_bytes_str(text), &back, NULL)));
    cr_assert(kw_id_equal(id, back));
}

Test(id, other_spellings_are_refused)
{
    const char *bad[] = {
        "",
        "dev_",
        "prt_aaaqeayeaudaocajbifqydiob4", /* another kind */
        "dev_aaaqeayeaudaocajbifqydiob5", /* padding bits not zero */
        "dev_aaaqeayeaudaocajbifqydiob6",
        "dev_aaaqeayeaudaocajbifqydiob7",
        "dev_AAAQEAYEAUDAOCAJBIFQYDIOB4", /* upper case */
        "DEV_aaaqeayeaudaocajbifqydiob4",
        "dev_aaaqeayeaudaocajbifqydiob",   /* short */
        "dev_aaaqeayeaudaocajbifqydiob4a", /* long */
        "dev_aaaqeayeaudaocajbifqydio14",  /* 0, 1, 8, 9 are no digits */
        "dev_aaaqeayeaudaocajbifqydio=4",
    };
    struct kw_id id = KW_ID_NONE;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(eq(int, kw_id_parse(KW_ID_DEVICE, kw_bytes_str(bad[i]), &id, NULL).reason,
                     KW_E_ARGUMENT_INVALID),
                  "%s", bad[i]);
    }
    cr_assert(kw_id_is_none(id));
}

Test(id, nul_inside_is_refused)
{
    struct kw_id id;

    cr_assert(eq(
        int,
        kw_id_parse(KW_ID_DEVICE, KW_BYTES("dev_aaaqeayeaudaocajbifqydio\0", 30), &id, NULL).reason,
        KW_E_ARGUMENT_INVALID));
    cr_assert(
        eq(int, kw_id_parse(KW_ID_DEVICE, KW_BYTES_NONE, &id, NULL).reason, KW_E_ARGUMENT_INVALID));
}

Test(id, bytes_must_be_sixteen)
{
    uint8_t bytes[17] = {1};
    struct kw_id id;

    cr_assert(kw_ok(kw_id_from_bytes(KW_BYTES(bytes, 16), &id, NULL)));
    cr_assert(eq(u8, id.bytes[0], 1));
    cr_assert(
        eq(int, kw_id_from_bytes(KW_BYTES(bytes, 15), &id, NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(
        eq(int, kw_id_from_bytes(KW_BYTES(bytes, 17), &id, NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, kw_id_from_bytes(KW_BYTES_NONE, &id, NULL).reason, KW_E_ARGUMENT_INVALID));
}

Test(id, v7_starts_with_the_time)
{
    const struct kw_clock clock = {.wall_ms = fixed_ms};
    const uint8_t expected[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x7f, 0xff,
                                  0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct kw_id id;

    kw_clock_replace(&clock);
    kw_random_replace(all_ones);
    cr_assert(kw_ok(kw_id_v7(&id, NULL)));
    cr_assert(kw_bytes_equal(kw_id_bytes(&id), KW_BYTES_OF(expected)));
}

/* --- clock and randomness --- */

Test(clock, system_clock_runs_and_can_be_restored)
{
    const struct kw_clock clock = {.wall_ms = fixed_ms};
    uint64_t before = kw_clock_mono_ns();

    cr_assert(ge(u64, kw_clock_mono_ns(), before));
    kw_clock_replace(&clock);
    cr_assert(eq(u64, kw_clock_wall_ms(), NOW_MS));
    kw_clock_replace(NULL);
    cr_assert(lt(u64, 1700000000000U, kw_clock_wall_ms()));
}

Test(random, fills_all_of_a_large_buffer)
{
    static uint8_t bytes[4096];
    size_t zeros = 0;

    cr_assert(kw_ok(kw_random(bytes, sizeof(bytes), NULL)));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        zeros += bytes[i] == 0;
    }
    cr_assert(lt(sz, zeros, 100));
    cr_assert(kw_ok(kw_random(NULL, 0, NULL)));
}

/* --- failpoints --- */

static enum kw_reason arm(const char *text)
{
    cr_assert(eq(int, setenv("KEYWARD_FAILPOINTS", text, 1), 0));
    return kw_failpoint_load(NULL).reason;
}

static struct kw_result step(struct kw_error *err)
{
    KW_FAILPOINT(KW_FP_RENEWAL_DUE, err);
    return KW_OK;
}

Test(failpoint, unarmed_does_nothing)
{
    cr_assert(eq(int, unsetenv("KEYWARD_FAILPOINTS"), 0));
    cr_assert(kw_ok(kw_failpoint_load(NULL)));
    cr_assert(kw_ok(step(NULL)));
}

Test(failpoint, fires_at_the_passing_named_and_once)
{
    struct kw_error err;

    cr_assert(eq(int, arm("store.after_commit=error,renewal.due=error:2"), KW_E_NONE));
    cr_assert(kw_ok(step(&err)));
    cr_assert(eq(int, step(&err).reason, KW_E_SYSTEM));
    cr_assert(eq(str, err.message, "failpoint renewal.due"));
    cr_assert(kw_ok(step(&err)));
}

Test(failpoint, abort_ends_the_process, .signal = SIGABRT)
{
    cr_assert(eq(int, arm("renewal.due=abort"), KW_E_NONE));
    KW_IGNORE(step(NULL));
}

Test(failpoint, malformed_arming_is_refused)
{
    const char *bad[] = {"renewal.due",
                         "renewal.due,renewal.due=error",
                         "renewal.du=error",
                         "renewal.due2=error",
                         "=abort",
                         "renewal.due=",
                         "renewal.due=crash",
                         "renewal.due=abort:",
                         "renewal.due=error:0",
                         "renewal.due=error:-1",
                         "renewal.due=error:x",
                         "renewal.due=error:1x",
                         "renewal.due=errors",
                         "renewal.due=error: 1",
                         ",",
                         "renewal.due=error,,"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(eq(int, arm(bad[i]), KW_E_CONFIG_INVALID), "%s", bad[i]);
    }
}

Test(failpoint, names_are_unique_and_tell_their_process)
{
    static const char *const processes[] = {"gateway", "authz", "orchestrator", "cryptocore"};

    for (int i = 0; i < KW_FP_COUNT_; i++) {
        const struct kw_failpoint_row *row = kw_failpoint_row((enum kw_failpoint)i);
        size_t known = 0;

        for (size_t p = 0; p < 4; p++) {
            known += strstr(row->processes, processes[p]) != NULL;
        }
        cr_assert(lt(sz, 0, known), "%s", row->name);
        cr_assert(lt(sz, strlen(row->name), 48), "%s", row->name);
        for (int j = 0; j < i; j++) {
            cr_assert(
                ne(str, (char *)row->name, (char *)kw_failpoint_row((enum kw_failpoint)j)->name));
        }
    }
}

Test(id, a_setting_has_32_digits_that_are_not_all_0)
{
    struct kw_error error = {0};
    struct kw_id id;

    cr_assert(kw_ok(kw_id_from_setting("mesh", "000102030405060708090a0b0c0d0e0f", &id, NULL)));
    cr_assert(eq(u8, id.bytes[15], 15));
    cr_assert(eq(int, kw_id_from_setting("mesh", NULL, &id, NULL).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(int, kw_id_from_setting("mesh", "0001", &id, NULL).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(int,
                 kw_id_from_setting("mesh", "000102030405060708090a0b0c0d0e0g", &id, NULL).reason,
                 KW_E_CONFIG_INVALID));
    cr_assert(eq(int,
                 kw_id_from_setting("mesh", "00000000000000000000000000000000", &id, &error).reason,
                 KW_E_CONFIG_INVALID));
    cr_assert(ne(ptr, strstr(error.message, "mesh is not an id"), NULL));
}
