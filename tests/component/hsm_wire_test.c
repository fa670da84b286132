/* The worker's socket: what is read is what was written, and no malformed message does more than be
 * refused. */
#include "common/base/limits.h"
#include "services/cryptocore/hsm/errors.h"
#include "services/cryptocore/hsm/worker_protocol.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct kw_hsm_request sample(const struct kw_hsm_fact *fact)
{
    return (struct kw_hsm_request){
        .op = KW_HSM_DERIVE,
        .derive = {.kind = KW_HSM_SESSION,
                   .device = {.kek_version = 3, .wrapped = {1, 2, 3}},
                   .transport = {.version = 4},
                   .epoch = 5,
                   .suite = 6,
                   .counter = 7,
                   .facts = fact,
                   .fact_count = 1,
                   .envelope = kw_bytes_str("prefix")},
    };
}

static void batch_write(struct kw_buf *out)
{
    struct kw_hsm_fact fact = {.content = kw_bytes_str("fact"), .mac = {9}};
    const char *host = "localhost";
    struct kw_hsm_request requests[] = {
        sample(&fact),
        {.op = KW_HSM_ISSUE_CERTIFICATE,
         .issue = {.issuer = KW_HSM_CA_SERVICES,
                   .issuer_certificate = kw_bytes_str("der"),
                   .spki = kw_bytes_str("spki"),
                   .spiffe_id = "spiffe://x",
                   .hosts = &host,
                   .host_count = 1}},
    };
    struct kw_hsm_batch batch = {.call = 11, .deadline_ns = 12, .requests = requests, .count = 2};

    cr_assert(kw_ok(kw_hsm_batch_put(out, &batch, NULL)));
}

/* Reads one message as the worker does. */
static struct kw_result batch_read(struct kw_bytes stream, struct kw_arena *arena,
                                   struct kw_hsm_batch *ret_batch)
{
    struct kw_hsm_message message;

    KW_TRY(kw_hsm_message_next(stream, &message, NULL));
    KW_ENSURE(message.size > 0, NULL, ENCODING_INVALID, "not whole");
    return kw_hsm_batch_get(message.fields, arena, ret_batch, NULL);
}

Test(hsm_wire, a_batch_is_read_as_it_was_written)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_hsm_batch batch;

    batch_write(&out);
    cr_assert(kw_ok(batch_read(kw_buf_bytes(&out), arena, &batch)));
    cr_assert(eq(u64, batch.call, 11));
    cr_assert(eq(u64, batch.deadline_ns, 12));
    cr_assert(eq(sz, batch.count, 2));
    cr_assert(eq(int, batch.requests[0].derive.kind, KW_HSM_SESSION));
    cr_assert(eq(u32, batch.requests[0].derive.counter, 7));
    cr_assert(eq(u8, batch.requests[0].derive.facts[0].mac[0], 9));
    cr_assert(eq(str, (char *)batch.requests[1].issue.spiffe_id, "spiffe://x"));
    cr_assert(eq(str, (char *)batch.requests[1].issue.hosts[0], "localhost"));
    kw_arena_free(arena);
}

Test(hsm_wire, every_cut_of_a_batch_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    size_t whole;

    batch_write(&out);
    whole = out.len;
    for (size_t len = 5; len < whole; len++) {
        struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
        struct kw_hsm_batch batch;

        kw_be32_store(out.data, (uint32_t)(len - 4)); /* a whole message of that length */
        cr_assert(eq(int, batch_read(KW_BYTES(out.data, len), arena, &batch).reason,
                     KW_E_ENCODING_INVALID),
                  "cut at %zu", len);
        kw_arena_free(arena);
    }
}

Test(hsm_wire, no_altered_byte_of_a_batch_does_harm)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    size_t refused = 0;

    batch_write(&out);
    for (size_t at = 4; at < out.len; at++) {
        struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
        struct kw_hsm_batch batch;

        out.data[at] ^= 0xff;
        refused += !kw_ok(batch_read(kw_buf_bytes(&out), arena, &batch));
        out.data[at] ^= 0xff;
        kw_arena_free(arena);
    }
    cr_assert(lt(sz, 10, refused));
}

/* A request that no worker would take is refused before it is sent. */
Test(hsm_wire, a_request_beyond_its_limits_is_refused_here)
{
    const struct kw_hsm_issue issue = {.issuer = KW_HSM_CA_SERVICES,
                                       .issuer_certificate = kw_bytes_str("der"),
                                       .spki = kw_bytes_str("spki"),
                                       .spiffe_id = "spiffe://x"};
    struct kw_hsm_request requests[] = {
        {.op = (enum kw_hsm_op)99},
        {.op = KW_HSM_DERIVE, .derive = {.fact_count = KW_HSM_FACTS_MAX + 1}},
        {.op = KW_HSM_DERIVE, .derive = {.envelope = {NULL, KW_HSM_ENVELOPE_LEN_MAX + 1}}},
        {.op = KW_HSM_ISSUE_CERTIFICATE, .issue = issue},
        {.op = KW_HSM_ISSUE_CERTIFICATE, .issue = issue},
        {.op = KW_HSM_ISSUE_CERTIFICATE, .issue = issue},
        {.op = KW_HSM_ISSUE_CERTIFICATE, .issue = issue},
    };

    cr_assert(kw_ok(kw_hsm_request_check(&requests[3], NULL)));
    requests[3].issue.issuer_certificate.len = 0;
    requests[4].issue.spki.len = KW_SPKI_LEN_MAX + 1;
    requests[5].issue.spiffe_id = NULL;
    requests[6].issue.host_count = KW_LEAF_HOSTS_MAX + 1;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        cr_assert(eq(int, kw_hsm_request_check(&requests[i], NULL).reason, KW_E_ARGUMENT_INVALID),
                  "request %zu", i);
    }
}

/* A message that no worker would read is not written. */
Test(hsm_wire, an_overlong_message_is_not_written)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    static uint8_t content[UINT16_MAX];
    struct kw_bytes contents[KW_HSM_FRAME_LEN_MAX / UINT16_MAX + 1];
    struct kw_hsm_request request = {.op = KW_HSM_MAC_FACTS,
                                     .mac_facts = {contents, KW_CK_COUNT(contents)}};
    struct kw_hsm_batch batch = {.call = 1, .requests = &request, .count = 1};

    for (size_t i = 0; i < KW_CK_COUNT(contents); i++) {
        contents[i] = KW_BYTES_OF(content);
    }
    cr_assert(eq(int, kw_hsm_batch_put(&out, &batch, NULL).reason, KW_E_BODY_TOO_LARGE));
    cr_assert(eq(sz, out.len, 0));
}

Test(hsm_wire, an_overlong_message_is_refused_before_it_is_awaited)
{
    uint8_t stream[4];
    struct kw_hsm_message message;

    kw_be32_store(stream, KW_HSM_FRAME_LEN_MAX + 1);
    cr_assert(eq(int, kw_hsm_message_next(KW_BYTES_OF(stream), &message, NULL).reason,
                 KW_E_ENCODING_INVALID));
}

/* Whose trouble each return value of PKCS#11 v2.40 is, code by code. */
Test(hsm_wire, return_values_have_their_class)
{
    static const struct {
        CK_RV code;
        enum kw_hsm_class class;
    } rows[] = {
        {0x00, KW_HSM_CLASS_NONE},    {0xB3, KW_HSM_CLASS_SESSION},
        {0xB0, KW_HSM_CLASS_SESSION}, {0x101, KW_HSM_CLASS_SESSION},
        {0x82, KW_HSM_CLASS_HANDLE},  {0x60, KW_HSM_CLASS_HANDLE},
        {0x30, KW_HSM_CLASS_DEVICE},  {0x32, KW_HSM_CLASS_DEVICE},
        {0xE0, KW_HSM_CLASS_DEVICE},  {0xE1, KW_HSM_CLASS_DEVICE},
        {0x05, KW_HSM_CLASS_DEVICE},  {0x06, KW_HSM_CLASS_DEVICE},
        {0x190, KW_HSM_CLASS_DEVICE}, {0x31, KW_HSM_CLASS_LOAD},
        {0xB1, KW_HSM_CLASS_LOAD},    {0x02, KW_HSM_CLASS_LOAD},
        {0xA0, KW_HSM_CLASS_LOGIN},   {0xA4, KW_HSM_CLASS_LOGIN},
        {0x40, KW_HSM_CLASS_DATA},    {0x41, KW_HSM_CLASS_DATA},
        {0x70, KW_HSM_CLASS_DATA},    {0x71, KW_HSM_CLASS_DATA},
        {0xC0, KW_HSM_CLASS_DATA},    {0x80001234, KW_HSM_CLASS_DATA},
    };

    for (size_t i = 0; i < KW_CK_COUNT(rows); i++) {
        cr_assert(eq(int, kw_hsm_class_of(rows[i].code), rows[i].class), "0x%lx", rows[i].code);
    }
}
