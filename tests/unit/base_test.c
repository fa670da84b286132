/* Results, bytes and the arena: the ground everything stands on. */
#include "common/base/arena.h"
#include "common/base/bytes.h"
#include "common/base/file.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

/* --- results --- */

static struct kw_result fails(int n, struct kw_error *err)
{
    KW_ENSURE(n < 10, err, LIMIT_REACHED, "%d is too many", n);
    KW_ENSURE(n > 0, err, ARGUMENT_INVALID, "nothing");
    return KW_OK;
}

static struct kw_result passes_on(int n, struct kw_error *err)
{
    KW_TRY(fails(n, err));
    return KW_OK;
}

Test(result, failure_carries_reason_message_and_place)
{
    struct kw_error err = {0};

    cr_assert(kw_ok(passes_on(5, &err)));
    cr_assert(eq(int, err.reason, KW_E_NONE));
    cr_assert(eq(int, passes_on(12, &err).reason, KW_E_LIMIT_REACHED));
    cr_assert(eq(int, err.reason, KW_E_LIMIT_REACHED));
    cr_assert(eq(str, err.message, "12 is too many"));
    cr_assert(ne(ptr, strstr(err.file, "base_test.c"), NULL));
    cr_assert(lt(int, 0, err.line));
}

Test(result, detail_may_be_left_out)
{
    cr_assert(eq(int, passes_on(0, NULL).reason, KW_E_ARGUMENT_INVALID));
}

Test(result, error_can_be_made_of_itself)
{
    struct kw_error err = {.message = "inner"};

    cr_assert(eq(int, KW_MAKE(&err, SYSTEM, "outer: %s", err.message).reason, KW_E_SYSTEM));
    cr_assert(eq(str, err.message, "outer: inner"));
}

Test(result, long_message_is_cut)
{
    struct kw_error err;

    KW_IGNORE(KW_MAKE(&err, SYSTEM, "%*d", 1000, 1));
    cr_assert(eq(sz, strlen(err.message), sizeof(err.message) - 1));
}

Test(result, every_reason_has_a_complete_row_and_is_found_by_name)
{
    for (int r = KW_E_NONE + 1; r < KW_E_COUNT_; r++) {
        const struct kw_reason_row *row = kw_reason_row((enum kw_reason)r);

        cr_assert(eq(int, kw_reason_by_name(row->name, strlen(row->name)), r), "%s", row->name);
        cr_assert(ne(int, row->grpc_code, KW_GRPC_OK), "%s", row->name);
        cr_assert(row->label[0] != '\0' && row->text[0] != '\0' && row->cause[0] != '\0', "%s",
                  row->name);
        cr_assert(le(sz, strlen(row->name), 63), "%s", row->name);
    }
}

Test(result, metric_labels_are_unique)
{
    for (int a = KW_E_NONE + 1; a < KW_E_COUNT_; a++) {
        for (int b = a + 1; b < KW_E_COUNT_; b++) {
            cr_assert(ne(str, (char *)kw_reason_row((enum kw_reason)a)->label,
                         (char *)kw_reason_row((enum kw_reason)b)->label));
        }
    }
}

Test(result, unknown_reason_reads_as_internal)
{
    cr_assert(eq(str, (char *)kw_reason_row(KW_E_NONE)->name, "INTERNAL"));
    cr_assert(eq(str, (char *)kw_reason_row((enum kw_reason)9999)->name, "INTERNAL"));
    cr_assert(eq(int, kw_reason_by_name("SYSTE", 5), KW_E_NONE));
    cr_assert(eq(int, kw_reason_by_name("SYSTEMX", 7), KW_E_NONE));
}

/* --- bytes --- */

Test(bytes, comparisons_agree)
{
    uint8_t a[] = {1, 2, 3};
    uint8_t b[] = {1, 2, 4};

    cr_assert(kw_bytes_equal(KW_BYTES_OF(a), KW_BYTES_OF(a)) &&
              kw_bytes_equal_ct(KW_BYTES_OF(a), KW_BYTES_OF(a)));
    cr_assert(not(kw_bytes_equal(KW_BYTES_OF(a), KW_BYTES_OF(b)) ||
                  kw_bytes_equal_ct(KW_BYTES_OF(a), KW_BYTES_OF(b))));
    cr_assert(not(kw_bytes_equal(KW_BYTES_OF(a), KW_BYTES(a, 2)) ||
                  kw_bytes_equal_ct(KW_BYTES_OF(a), KW_BYTES(a, 2))));
    cr_assert(kw_bytes_equal(KW_BYTES_NONE, KW_BYTES(a, 0)) &&
              kw_bytes_equal_ct(KW_BYTES_NONE, KW_BYTES(a, 0)));
}

Test(bytes, buffer_grows_and_keeps_its_content)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};

    for (int i = 0; i < 1000; i++) {
        uint8_t byte = (uint8_t)i;

        cr_assert(kw_ok(kw_buf_append(&buf, KW_BYTES(&byte, 1), NULL)));
    }
    cr_assert(eq(sz, buf.len, 1000));
    for (int i = 0; i < 1000; i++) {
        cr_assert(eq(u8, buf.data[i], (uint8_t)i));
    }
}

Test(bytes, nothing_can_be_appended_to_an_empty_buffer)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};

    cr_assert(kw_ok(kw_buf_append(&buf, KW_BYTES_NONE, NULL)));
    cr_assert(eq(sz, buf.len, 0));
    kw_buf_clear(&buf);
    kw_buf_done(&buf);
    kw_buf_done(NULL);
}

Test(bytes, impossible_size_fails_and_changes_nothing)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};

    cr_assert(kw_ok(kw_buf_append(&buf, kw_bytes_str("abc"), NULL)));
    cr_assert(eq(int, kw_buf_reserve(&buf, SIZE_MAX, NULL).reason, KW_E_MEMORY));
    cr_assert(eq(int, kw_buf_reserve(&buf, SIZE_MAX - 3, NULL).reason, KW_E_MEMORY));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&buf), kw_bytes_str("abc")));
}

Test(bytes, clearing_wipes)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};

    cr_assert(kw_ok(kw_buf_append(&buf, kw_bytes_str("secret"), NULL)));
    kw_buf_clear(&buf);
    cr_assert(eq(sz, buf.len, 0));
    cr_assert(kw_bytes_equal(KW_BYTES(buf.data, 6), KW_BYTES("\0\0\0\0\0\0", 6)));
}

Test(bytes, moving_empties_the_source)
{
    KW_SCOPED(kw_buf_done) struct kw_buf from = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf to = {0};

    cr_assert(kw_ok(kw_buf_append(&from, kw_bytes_str("new"), NULL)));
    cr_assert(kw_ok(kw_buf_append(&to, kw_bytes_str("old"), NULL)));
    kw_buf_move(&to, &from);
    cr_assert(kw_bytes_equal(kw_buf_bytes(&to), kw_bytes_str("new")));
    cr_assert(eq(ptr, from.data, NULL));
}

Test(bytes, hex_round_trips)
{
    uint8_t bytes[] = {0x00, 0xab, 0xff};
    uint8_t back[3];
    char text[7];

    kw_hex(KW_BYTES_OF(bytes), text);
    cr_assert(eq(str, text, "00abff"));
    cr_assert(kw_ok(kw_unhex("00aBFf", back, sizeof(back), NULL)));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(back), KW_BYTES_OF(bytes)));
}

Test(bytes, malformed_hex_is_refused)
{
    const char *bad[] = {"", "00abf", "00abff0", "00abfg", "00 bff", "0x00ab", "+0abff"};
    uint8_t out[3];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(eq(int, kw_unhex(bad[i], out, sizeof(out), NULL).reason, KW_E_ARGUMENT_INVALID),
                  "%s", bad[i]);
    }
}

/* --- arena --- */

Test(arena, memory_is_zeroed_and_aligned)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(1 << 20);

    for (size_t size = 1; size < 9000; size = size * 3 + 1) {
        uint8_t *given = kw_arena_alloc(arena, size);

        cr_assert(ne(ptr, given, NULL));
        cr_assert(eq(sz, (uintptr_t)given % 16, 0));
        for (size_t i = 0; i < size; i++) {
            cr_assert(eq(u8, given[i], 0));
        }
        memset(given, 0xff, size);
    }
}

Test(arena, budget_is_exact)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(64);

    cr_assert(ne(ptr, kw_arena_alloc(arena, 33), NULL));
    cr_assert(eq(sz, kw_arena_used(arena), 48));
    cr_assert(eq(ptr, kw_arena_alloc(arena, 17), NULL));
    cr_assert(ne(ptr, kw_arena_alloc(arena, 16), NULL));
    cr_assert(eq(ptr, kw_arena_alloc(arena, 1), NULL));
    cr_assert(eq(ptr, kw_arena_alloc(arena, SIZE_MAX), NULL));
    cr_assert(eq(sz, kw_arena_used(arena), 64));
}

Test(arena, size_overflow_fails_even_without_a_budget)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(SIZE_MAX);

    cr_assert(eq(ptr, kw_arena_alloc(arena, SIZE_MAX), NULL));
    cr_assert(eq(ptr, kw_arena_alloc(arena, SIZE_MAX - 15), NULL));
    cr_assert(eq(ptr, kw_arena_text(arena, "", SIZE_MAX), NULL));
}

Test(arena, copies_and_text)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(4096);
    struct kw_bytes copy = KW_BYTES_NONE;

    cr_assert(kw_ok(kw_arena_copy(arena, kw_bytes_str("abc"), &copy, NULL)));
    cr_assert(kw_bytes_equal(copy, kw_bytes_str("abc")));
    cr_assert(kw_ok(kw_arena_copy(arena, KW_BYTES_NONE, &copy, NULL)));
    cr_assert(eq(sz, copy.len, 0));
    cr_assert(eq(str, kw_arena_text(arena, "abcdef", 3), "abc"));
    cr_assert(eq(str, kw_arena_printf(arena, "%d-%s", 7, "x"), "7-x"));
}

Test(arena, exhausted_budget_is_a_named_failure)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(16);
    struct kw_bytes copy = KW_BYTES_NONE;
    struct kw_error err;

    cr_assert(eq(int, kw_arena_copy(arena, KW_BYTES("12345678901234567", 17), &copy, &err).reason,
                 KW_E_MEMORY));
    cr_assert(eq(ptr, (void *)copy.data, NULL));
    cr_assert(eq(ptr, kw_arena_printf(arena, "%017d", 1), NULL));
    cr_assert(eq(int, kw_arena_defer(arena, (void (*)(void *))kw_buf_done, &copy, &err).reason,
                 KW_E_MEMORY));
}

static char order[4];

static void note(void *what)
{
    size_t len = strlen(order);

    order[len] = *(const char *)what;
}

Test(arena, releases_run_in_reverse)
{
    struct kw_arena *arena = kw_arena_new(4096);

    cr_assert(kw_ok(kw_arena_defer(arena, note, "a", NULL)));
    cr_assert(kw_ok(kw_arena_defer(arena, note, "b", NULL)));
    kw_arena_free(arena);
    cr_assert(eq(str, order, "ba"));
    kw_arena_free(NULL);
}

/* --- files --- */

Test(file, reads_whole_and_appends)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    char path[] = "/tmp/keyward-file-XXXXXX";
    KW_SCOPED(kw_fd_close) int fd = mkstemp(path);

    cr_assert(eq(long, write(fd, "content", 7), 7L));
    cr_assert(kw_ok(kw_buf_append(&buf, kw_bytes_str("> "), NULL)));
    cr_assert(kw_ok(kw_file_read(path, 7, &buf, NULL)));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&buf), kw_bytes_str("> content")));
    cr_assert(eq(int, kw_file_read(path, 6, &buf, NULL).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(sz, buf.len, 9));
    (void)unlink(path);
}

/* Also if only its mode is another one: it may be read now. */
Test(file, another_one_looks_otherwise, .timeout = 60)
{
    char path[] = "/tmp/keyward-file-XXXXXX";
    KW_SCOPED(kw_fd_close) int fd = mkstemp(path);
    struct kw_file_stamp first;
    struct kw_file_stamp now;

    cr_assert(kw_file_stamp_take(path, &first));
    cr_assert(kw_file_stamp_take(path, &now));
    cr_assert(kw_file_stamp_equal(&first, &now));
    do { /* until the file system's clock has moved */
        cr_assert_eq(fchmod(fd, 0640), 0);
        cr_assert(kw_file_stamp_take(path, &now));
    } while (now.changed.tv_sec == first.changed.tv_sec &&
             now.changed.tv_nsec == first.changed.tv_nsec);
    cr_assert_not(kw_file_stamp_equal(&first, &now));
    (void)unlink(path);
    cr_assert_not(kw_file_stamp_take(path, &now));
    cr_assert_not(kw_file_stamp_equal(&first, &now));
}

Test(file, unreadable_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_error err;

    cr_assert(eq(int, kw_file_read("/nonexistent", 10, &buf, &err).reason, KW_E_CONFIG_INVALID));
    cr_assert(ne(ptr, strstr(err.message, "/nonexistent: No such file"), NULL));
    cr_assert(eq(int, kw_file_read("/tmp", 10, &buf, &err).reason, KW_E_CONFIG_INVALID));
}
