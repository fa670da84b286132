/* The edge's small parsers, each over the whole input: base64 and percent encoding of metadata, grpc-timeout, request
 * ids, addresses, length-prefixed messages cut anywhere. */
#include "common/base/limits.h"
#include "services/gateway/edge/address.h"
#include "services/gateway/edge/fields.h"
#include "services/gateway/edge/grpc_message.h"
#include "services/gateway/edge/metadata.h"
#include "services/gateway/edge/timeout.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define MESSAGE_LEN_MAX 1000U

static void base64(struct kw_bytes text)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_edge_base64_decode(text, &value, &err), &err)) {
        KW_FUZZ_MUST(kw_edge_base64_encode(kw_buf_bytes(&value), &again, NULL));
        KW_FUZZ_CHECK(again.len <= text.len && text.len - again.len <= 2);
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), KW_BYTES(text.data, again.len)));
    }
}

static void percent(struct kw_bytes text)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};

    KW_FUZZ_MUST(kw_edge_percent_encode(text, &encoded, NULL));
    for (size_t i = 0; i < encoded.len; i++) {
        KW_FUZZ_CHECK(encoded.data[i] >= 0x20 && encoded.data[i] <= 0x7e);
    }
}

static void timeout(struct kw_bytes text)
{
    struct kw_error err = {0};
    uint64_t ns;

    if (kw_fuzz_accepted(kw_edge_timeout_parse(text, &ns, &err), &err)) {
        KW_FUZZ_CHECK(text.len <= 9 && (ns > 0 || text.data[text.len - 2] == '0'));
    }
}

static void request_id(struct kw_bytes text)
{
    if (kw_edge_request_id_valid(text)) {
        KW_FUZZ_CHECK(text.len <= KW_EDGE_REQUEST_ID_LEN_MAX);
        KW_FUZZ_CHECK(memchr(text.data, '\n', text.len) == NULL);
    }
}

static void address(const char *text)
{
    struct kw_edge_address address;
    struct kw_edge_address second;
    struct kw_error err = {0};
    char again[KW_EDGE_ADDRESS_SIZE];

    if (kw_fuzz_accepted(kw_edge_address_parse(text, &address, &err), &err)) {
        kw_edge_address_text(&address, again);
        KW_FUZZ_MUST(kw_edge_address_parse(again, &second, NULL));
        KW_FUZZ_CHECK(kw_edge_address_same_source(&address, &second) &&
                      kw_edge_address_port(&address) == kw_edge_address_port(&second));
    }
}

/* The same messages come out, however the bytes were cut. */
static size_t messages(struct kw_bytes stream, size_t piece)
{
    KW_SCOPED(kw_edge_inbox_done) struct kw_edge_inbox inbox = {0};
    struct kw_error err = {0};
    size_t sum = 0;

    while (stream.len > 0) {
        size_t len = stream.len < piece ? stream.len : piece;
        struct kw_bytes message;
        bool whole = true;

        KW_FUZZ_MUST(kw_edge_inbox_put(&inbox, KW_BYTES(stream.data, len), NULL));
        stream = KW_BYTES(stream.data + len, stream.len - len);
        while (whole) {
            if (!kw_fuzz_accepted(
                    kw_edge_inbox_next(&inbox, MESSAGE_LEN_MAX, &message, &whole, &err), &err)) {
                return sum;
            }
            KW_FUZZ_CHECK(!whole || message.len <= MESSAGE_LEN_MAX);
            sum = whole ? sum * 31 + message.len + 1 : sum;
        }
        KW_FUZZ_CHECK(kw_edge_inbox_held(&inbox) < MESSAGE_LEN_MAX + KW_EDGE_PREFIX_LEN);
    }
    return sum;
}

static void fields(struct kw_bytes value)
{
    KW_SCOPED(kw_edge_fields_done) struct kw_edge_fields fields = {0};

    for (unsigned i = 0; i <= KW_EDGE_FIELDS_MAX; i++) {
        kw_edge_fields_put_metadata(&fields, i % 2 == 0 ? "a-bin" : "b", value);
    }
    KW_FUZZ_CHECK(fields.failed && fields.count == KW_EDGE_FIELDS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes bytes = KW_BYTES(data, size);
    char *text = kw_fuzz_text(bytes);

    base64(bytes);
    percent(bytes);
    timeout(bytes);
    request_id(bytes);
    address(text);
    KW_FUZZ_CHECK(messages(bytes, 1) == messages(bytes, MESSAGE_LEN_MAX));
    fields(bytes);
    free(text);
    return 0;
}
