/* The canonical codec: round trips, every truncation, and what must not fit. */
#include "common/base/codec.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

static struct kw_buf record;

static void cleanup(void)
{
    kw_buf_done(&record);
}

TestSuite(codec, .fini = cleanup);

/* What a record of every kind of field says. */
struct fields {
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    uint8_t raw[3];
    struct kw_bytes var;
    char text[4];
};

static void write_record(void)
{
    struct kw_writer w = KW_WRITER(&record);

    kw_put_u8(&w, 0x01);
    kw_put_u16(&w, 0x0203);
    kw_put_u32(&w, 0x04050607);
    kw_put_u64(&w, 0x08090a0b0c0d0e0f);
    kw_put_raw(&w, kw_bytes_str("raw"));
    kw_put_var(&w, kw_bytes_str("vary"));
    kw_put_str(&w, "str");
    cr_assert(kw_ok(kw_writer_end(&w, NULL)));
}

static struct kw_result read_record(struct kw_bytes bytes, struct fields *f)
{
    struct kw_reader r = KW_READER(bytes);

    f->a = kw_get_u8(&r);
    f->b = kw_get_u16(&r);
    f->c = kw_get_u32(&r);
    f->d = kw_get_u64(&r);
    kw_get_copy(&r, f->raw, sizeof(f->raw));
    f->var = kw_get_var(&r);
    kw_get_str(&r, f->text, sizeof(f->text));
    return kw_reader_end(&r, "record", NULL);
}

Test(codec, layout_is_big_endian_and_exact)
{
    const char expected[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
                            "raw\x00\x04vary\x00\x03str";

    write_record();
    cr_assert(kw_bytes_equal(kw_buf_bytes(&record), KW_BYTES(expected, sizeof(expected) - 1)));
}

Test(codec, record_round_trips)
{
    struct fields f;

    write_record();
    cr_assert(kw_ok(read_record(kw_buf_bytes(&record), &f)));
    cr_assert(eq(u8, f.a, 1));
    cr_assert(eq(u16, f.b, 0x0203));
    cr_assert(eq(u32, f.c, 0x04050607));
    cr_assert(eq(u64, f.d, 0x08090a0b0c0d0e0f));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(f.raw), kw_bytes_str("raw")));
    cr_assert(kw_bytes_equal(f.var, kw_bytes_str("vary")));
    cr_assert(eq(str, f.text, "str"));
}

/* Each prefix lies in memory of its own size, so that ASan sees a read beyond it. */
Test(codec, every_truncation_is_refused)
{
    write_record();
    for (size_t len = 0; len < record.len; len++) {
        uint8_t *prefix = malloc(len + (len == 0));
        struct fields f;

        cr_assert(ne(ptr, prefix, NULL));
        kw_copy(prefix, record.data, len);
        cr_assert(eq(int, read_record(KW_BYTES(prefix, len), &f).reason, KW_E_ENCODING_INVALID),
                  "%zu", len);
        free(prefix);
    }
}

Test(codec, trailing_bytes_are_refused)
{
    struct fields f;

    write_record();
    cr_assert(kw_ok(kw_buf_append(&record, KW_BYTES("", 1), NULL)));
    cr_assert(eq(int, read_record(kw_buf_bytes(&record), &f).reason, KW_E_ENCODING_INVALID));
}

Test(codec, empty_input_reads_as_zero_and_fails)
{
    struct kw_reader r = KW_READER(KW_BYTES_NONE);
    uint8_t out[4] = {9, 9, 9, 9};
    char text[4] = "abc";

    kw_get_copy(&r, out, sizeof(out));
    kw_get_str(&r, text, sizeof(text));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(out), KW_BYTES("\0\0\0\0", 4)));
    cr_assert(eq(str, text, ""));
    cr_assert(eq(u64, kw_get_u64(&r), 0));
    cr_assert(eq(sz, kw_get_var(&r).len, 0));
    cr_assert(eq(int, kw_reader_end(&r, "nothing", NULL).reason, KW_E_ENCODING_INVALID));
}

Test(codec, failure_is_sticky)
{
    struct kw_reader r = KW_READER(KW_BYTES("\x00\x09x", 3));

    cr_assert(eq(sz, kw_get_var(&r).len, 0));
    cr_assert(eq(u8, kw_get_u8(&r), 0), "though a byte is left");
    cr_assert(eq(int, kw_reader_end(&r, "record", NULL).reason, KW_E_ENCODING_INVALID));
}

Test(codec, empty_record_is_empty)
{
    struct kw_reader r = KW_READER(KW_BYTES_NONE);

    cr_assert(eq(sz, kw_get_raw(&r, 0).len, 0));
    cr_assert(kw_ok(kw_reader_end(&r, "nothing", NULL)));
}

static enum kw_reason read_text(struct kw_bytes bytes, size_t size)
{
    struct kw_reader r = KW_READER(bytes);
    char text[8] = "before";

    kw_get_str(&r, text, size);
    cr_assert(lt(sz, strlen(text), size));
    return kw_reader_end(&r, "text", NULL).reason;
}

Test(codec, text_must_fit_and_have_no_nul)
{
    cr_assert(eq(int,
                 read_text(KW_BYTES("\x00\x03"
                                    "abc",
                                    5),
                           4),
                 KW_E_NONE));
    cr_assert(eq(int,
                 read_text(KW_BYTES("\x00\x03"
                                    "abc",
                                    5),
                           3),
                 KW_E_ENCODING_INVALID));
    cr_assert(eq(int,
                 read_text(KW_BYTES("\x00\x03"
                                    "a\0c",
                                    5),
                           8),
                 KW_E_ENCODING_INVALID));
    cr_assert(eq(int, read_text(KW_BYTES("\x00\x00", 2), 1), KW_E_NONE));
}

Test(codec, field_over_64_kib_cannot_be_written)
{
    static uint8_t large[65536];
    struct kw_writer w = KW_WRITER(&record);

    kw_put_var(&w, KW_BYTES(large, 65535));
    cr_assert(kw_ok(kw_writer_end(&w, NULL)));
    cr_assert(eq(sz, record.len, 65537));
    kw_put_var(&w, KW_BYTES(large, 65536));
    kw_put_u8(&w, 1);
    cr_assert(eq(int, kw_writer_end(&w, NULL).reason, KW_E_MEMORY));
    cr_assert(eq(sz, record.len, 65537), "nothing after the failure is written");
}
