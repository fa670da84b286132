/* What an orchestrator takes for an officer's order to erase a key, and all that is none. */
#include "common/base/clock.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"
#include "services/orchestrator/destruction.h"
#include "tests/support/key_officer.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <keyward/v1/key_service.pb-c.h>

#define DAY_MS 86400000ULL

static const struct kw_id device = {{1, 2}};
static const struct kw_id key = {{3, 4}};

static struct kw_officers_trust officers;
static struct kw_buf body;

static void init(void)
{
    key_officer_trust(&officers);
}

static void done(void)
{
    kw_officers_trust_done(&officers);
    kw_buf_done(&body);
}

TestSuite(orchestrator_destruction, .init = init, .fini = done);

/* A request of these, packed. */
static struct kw_bytes request_of(const char *name, bool validate_only, const char *request_id)
{
    Keyward__V1__DestroyKeyRequest request = KEYWARD__V1__DESTROY_KEY_REQUEST__INIT;

    request.name = (char *)(uintptr_t)name;
    request.request_id = (char *)(uintptr_t)request_id;
    request.validate_only = validate_only;
    body.len = 0;
    MUST(kw_buf_reserve(&body, protobuf_c_message_get_packed_size(&request.base), err));
    body.len = protobuf_c_message_pack(&request.base, body.data);
    return kw_buf_bytes(&body);
}

#define REQUEST_ID "0191e7c2-3b4c-7d00-8000-000000000001"

static struct kw_destruction signed_as(enum kw_method_id method, struct kw_bytes request)
{
    struct kw_id request_id;

    MUST(kw_request_id_parse(REQUEST_ID, &request_id, err));
    return key_officer_signs(method, request, request_id);
}

static struct kw_destruction right(bool validate_only)
{
    const struct kw_resource_ids ids = {.id = {device, key}};
    char name[KW_RESOURCE_NAME_SIZE];

    return signed_as(
        KW_METHOD_DESTROY_KEY,
        request_of(kw_resource_name(KW_RESOURCE_KEY, &ids, name), validate_only, REQUEST_ID));
}

/* Of `of`, so that it is looked at whether it is of this key. */
static void is(const struct kw_destruction *destruction, struct kw_id of, enum kw_reason reason,
               const char *words)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_error err = {0};
    enum kw_reason found;

    MUST(kw_destruction_encode(destruction, &record, err));
    found = kw_destruction_prove(kw_buf_bytes(&record), of, &officers, &err).reason;
    cr_expect(found == reason && strstr(err.message, words) != NULL, "%s: %s, not %s",
              kw_reason_row(found)->name, err.message, words);
}

#define NONE(destruction, words) is(destruction, key, KW_E_ENCODING_INVALID, words)

Test(orchestrator_destruction, one_that_an_officer_signed_is_of_its_key_alone)
{
    struct kw_destruction whole = right(false);

    is(&whole, device, KW_E_ENCODING_INVALID, "a destruction of another key");
    is(&whole, key, KW_E_NONE, "");
    whole = right(true);
    NONE(&whole, "to have nothing done");
}

Test(orchestrator_destruction, one_is_believed_though_its_certificate_has_ended_since)
{
    struct kw_destruction whole = right(false);

    is(&whole, key, KW_E_NONE, "");
    key_officer_is(KW_ROLE_OPERATOR, KEY_OFFICER_DOMAIN, kw_clock_wall_ms() - 1);
    whole = right(false);
    is(&whole, key, KW_E_NONE, "");
    key_officer_is(KW_ROLE_OPERATOR, KEY_OFFICER_DOMAIN, kw_clock_wall_ms() - DAY_MS / 2);
    whole = right(false);
    NONE(&whole, "was not good then");
    key_officer_is(KW_ROLE_OPERATOR, KEY_OFFICER_DOMAIN, kw_clock_wall_ms() + 2 * DAY_MS);
    whole = right(false);
    NONE(&whole, "was not good then");
}

Test(orchestrator_destruction, nobody_but_an_officer_of_ours_has_keys_destroyed)
{
    struct kw_destruction whole;
    uint64_t ends = kw_clock_wall_ms() + DAY_MS / 2;

    key_officer_is(KW_ROLE_PARTNER, KEY_OFFICER_DOMAIN, ends);
    whole = right(false);
    NONE(&whole, "an officer who is no operator");
    key_officer_is(KW_ROLE_OPERATOR, "elsewhere", ends);
    whole = right(false);
    NONE(&whole, "trust domain");
    key_officer_forget();
    whole = right(false);
    NONE(&whole, "");
    key_officer_forget();
}

Test(orchestrator_destruction, another_request_s_signature_destroys_nothing)
{
    struct kw_destruction whole = right(false);

    whole = signed_as(KW_METHOD_DEACTIVATE_KEY, whole.body);
    NONE(&whole, "");
    whole = right(false);
    body.data[body.len - 1] ^= 1; /* of the request's id */
    NONE(&whole, "");
}

Test(orchestrator_destruction, what_is_cut_or_no_request_is_none)
{
    struct kw_destruction whole = right(false);
    struct kw_destruction cut = whole;

    cut.signature.len--;
    NONE(&cut, "");
    cut.signature = KW_BYTES_NONE;
    NONE(&cut, "");
    cut = whole;
    cut.certificate.len--;
    NONE(&cut, "");
    cut = whole;
    cut.body.len--;
    NONE(&cut, "");
    cut = signed_as(KW_METHOD_DESTROY_KEY, request_of("batches/none", false, REQUEST_ID));
    NONE(&cut, "");
    is(&(struct kw_destruction){.body = KW_BYTES_NONE}, key, KW_E_ENCODING_INVALID, "");
    cr_expect(eq(int, kw_destruction_prove(kw_bytes_str("KWZ2"), key, &officers, NULL).reason,
                 KW_E_ENCODING_INVALID));
}
