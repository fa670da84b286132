/* Canonical binary records: a writer and a reader for the layouts of docs/formats.md.
 *
 * Everything is big-endian. A variable field is a u16 length and its bytes. Both sides remember the
 * first failure ("sticky"), so that a layout reads as a list of its fields and is checked once, at
 * the end.
 */
#ifndef KW_COMMON_BASE_CODEC_H
#define KW_COMMON_BASE_CODEC_H

#include "common/base/bytes.h"

struct kw_writer {
    struct kw_buf *out; /* borrowed; appended to */
    bool failed;
};

struct kw_reader {
    struct kw_bytes rest;
    bool failed;
};

#define KW_WRITER(buf)   ((struct kw_writer){.out = (buf)})
#define KW_READER(bytes) ((struct kw_reader){.rest = (bytes)})

void kw_put_u8(struct kw_writer *w, uint8_t value);
void kw_put_u16(struct kw_writer *w, uint16_t value);
void kw_put_u32(struct kw_writer *w, uint32_t value);
void kw_put_u64(struct kw_writer *w, uint64_t value);
void kw_put_raw(struct kw_writer *w, struct kw_bytes bytes); /* fixed-size field: no length */
void kw_put_var(struct kw_writer *w, struct kw_bytes bytes); /* u16 length ‖ bytes */
void kw_put_str(struct kw_writer *w, const char *text);      /* as var, without the NUL */

/* Fails: MEMORY when any put failed (out of memory, or a var field over 65,535 bytes). */
struct kw_result kw_writer_end(const struct kw_writer *w, struct kw_error *err);

uint8_t kw_get_u8(struct kw_reader *r);
uint16_t kw_get_u16(struct kw_reader *r);
uint32_t kw_get_u32(struct kw_reader *r);
uint64_t kw_get_u64(struct kw_reader *r);
void kw_get_copy(struct kw_reader *r, void *out, size_t len); /* zeroes `out` on failure */
struct kw_bytes kw_get_raw(struct kw_reader *r, size_t len);  /* points into the input */
struct kw_bytes kw_get_var(struct kw_reader *r);              /* points into the input */
void kw_get_str(struct kw_reader *r, char *out,
                size_t size);                     /* fails if too long or with a NUL inside */
struct kw_bytes kw_get_text(struct kw_reader *r); /* as var; fails if not kw_is_text */

/* Is it what a `str` may hold: well-formed UTF-8 (RFC 3629) without NUL? */
bool kw_is_text(struct kw_bytes bytes);

/* Fails: ENCODING_INVALID when a get failed or bytes are left over. `what` names the record in the
 * message. */
struct kw_result kw_reader_end(const struct kw_reader *r, const char *what, struct kw_error *err);

/* Loads and stores for fixed layouts. */
uint32_t kw_be32_load(const uint8_t *p);
void kw_be32_store(uint8_t *p, uint32_t value);
void kw_be64_store(uint8_t *p, uint64_t value);

#endif
