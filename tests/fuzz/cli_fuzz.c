/* What the command reads: times and spans, values of message fields, a station's delivery file, and the status that a
 * server answers with. The first byte chooses.
 *
 * A status that our gateway made is read as what it said; one that anybody made is read without harm.
 */
#include "cli/delivery.h"
#include "cli/message.h"
#include "cli/refusal.h"
#include "cli/times.h"
#include "common/rpc/messages.h"
#include "services/gateway/status_details.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define VALUES_MEM_MAX 262144U

static void times(const char *text)
{
    struct kw_error err = {0};
    struct kw_time time;
    struct kw_time again;
    char written[KW_TIME_TEXT_SIZE];

    if (text[0] != '+' && kw_fuzz_accepted(kw_time_parse(text, &time, &err), &err)) {
        KW_FUZZ_MUST(kw_time_parse(kw_time_text(time, written), &again, NULL));
        KW_FUZZ_CHECK(again.seconds == time.seconds && again.nanos == time.nanos);
    } else {
        (void)kw_fuzz_accepted(kw_time_parse(text, &time, &err), &err);
    }
    if (kw_fuzz_accepted(kw_span_parse(text, &time, &err), &err)) {
        KW_FUZZ_CHECK(time.seconds >= 0 && time.nanos == 0);
        (void)kw_span_text(time, written);
    }
}

/* Every field of one request message is set from the same text. */
static void values(uint8_t which, const char *text)
{
    size_t count;
    const ProtobufCServiceDescriptor *service = kw_method_services(&count)[which % 10];
    const ProtobufCMessageDescriptor *type =
        service->methods[which / 10 % service->n_methods].input;
    struct kw_arena *arena = kw_arena_new(VALUES_MEM_MAX);
    ProtobufCMessage *message = kw_message_new(type, arena);
    struct kw_error err = {0};

    KW_FUZZ_CHECK(count >= 10 && message != NULL);
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (!kw_field_is_message(&type->fields[i])) {
            struct kw_values values;

            (void)kw_fuzz_accepted(kw_message_set(message, type->fields[i].name, text, arena, &err),
                                   &err);
            values = kw_message_values(message, &type->fields[i]);
            (void)kw_values_text(&values, arena);
        }
    }
    kw_arena_free(arena);
}

static void delivery(struct kw_bytes bytes)
{
    KW_SCOPED(kw_deliveries_done) struct kw_deliveries deliveries = {0};
    struct kw_error err = {0};

    (void)kw_fuzz_accepted(kw_deliveries_read(kw_fuzz_file("delivery", bytes), &deliveries, &err),
                           &err);
}

static struct kw_refusal refusal_of(struct kw_bytes details)
{
    const struct kw_client_metadata trailer = {.name = "grpc-status-details-bin", .value = details};
    const struct kw_client_reply reply = {
        .code = KW_GRPC_INTERNAL, .text = "text", .trailers = &trailer, .trailer_count = 1};
    struct kw_refusal refusal;

    kw_refusal_from_reply(&reply, &refusal);
    KW_FUZZ_CHECK(refusal.name[0] != '\0' && refusal.reason > KW_E_NONE &&
                  refusal.reason < KW_E_COUNT_);
    KW_FUZZ_CHECK(memchr(refusal.field, 0, sizeof(refusal.field)) != NULL);
    return refusal;
}

static void our_status(struct kw_fuzz_input *input)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    struct kw_status_details details = {
        .reason = (enum kw_reason)(1 + kw_fuzz_u8(input) % (KW_E_COUNT_ - 1)),
        .retry_after_ms = kw_fuzz_u16(input)};
    char *field = kw_fuzz_text(kw_fuzz_piece(input));
    struct kw_refusal refusal;

    details.field = field;
    details.request_id = kw_bytes_str("req_1");
    KW_FUZZ_MUST(kw_status_details_append(&details, &encoded, NULL));
    refusal = refusal_of(kw_buf_bytes(&encoded));
    KW_FUZZ_CHECK(refusal.reason == details.reason && strcmp(refusal.request_id, "req_1") == 0);
    KW_FUZZ_CHECK(details.retry_after_ms == 0 || refusal.retry_ms == details.retry_after_ms);
    KW_FUZZ_CHECK((field[0] != '\0') == (refusal.field[0] != '\0'));
    free(field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    uint8_t how = kw_fuzz_u8(&input);
    char *text = kw_fuzz_text(input.rest);

    switch (how % 5) {
    case 0:
        times(text);
        break;
    case 1:
        values(how / 5, text);
        break;
    case 2:
        delivery(input.rest);
        break;
    case 3:
        (void)refusal_of(input.rest);
        break;
    default:
        our_status(&input);
        break;
    }
    free(text);
    return 0;
}
