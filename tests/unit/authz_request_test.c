/* What authz reads from requests and shows in answers: page tokens, field checks, etags, the status
 * of a batch's item. */
#include "common/base/random.h"
#include "common/rpc/field.h"
#include "common/rpc/messages.h"
#include "services/authz/check.h"
#include "services/authz/page.h"
#include "services/authz/rpc_status.h"
#include "services/authz/view.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <google/rpc/error_details.pb-c.h>

static struct kw_authz authz;
static struct kw_authz_call call;

static void init(void)
{
    call = (struct kw_authz_call){.authz = &authz,
                                  .arena = kw_arena_new(1U << 20),
                                  .method = kw_method_by_id(KW_METHOD_LIST_GRANTS),
                                  .caller = {.spiffe_id = "spiffe://test/operator/opr_a"},
                                  .field = ""};
    cr_assert(kw_ok(kw_secret_init(&authz.page_key, KW_SHA256_LEN, NULL)));
    cr_assert(kw_ok(kw_random(authz.page_key.slot, authz.page_key.len, NULL)));
}

static void done(void)
{
    kw_secret_done(&authz.page_key);
    kw_arena_free(call.arena);
}

TestSuite(authz_request, .init = init, .fini = done);

/* --- pages --- */

static enum kw_reason read_page(const char *token, const char *filter, struct kw_page *page)
{
    return kw_page_read(&call, 0, token, filter, page, NULL).reason;
}

static char *token_of(struct kw_page *page)
{
    const struct kw_id last = {{1, 2, 3}};
    char *token;

    cr_assert(eq(int, read_page("", "partners/- 0", page), KW_E_NONE));
    cr_assert(kw_ok(kw_page_token(&call, page, last, &token, NULL)));
    return token;
}

Test(authz_request, a_page_token_goes_on_behind_the_last_item)
{
    struct kw_page page;
    char *token = token_of(&page);

    cr_assert(eq(int, read_page(token, "partners/- 0", &page), KW_E_NONE));
    cr_assert(page.after.bytes[0] == 1 && page.after.bytes[2] == 3);
}

Test(authz_request, a_page_token_is_for_this_list_and_caller_alone)
{
    struct kw_page page;
    char *token = token_of(&page);

    cr_assert(eq(int, read_page(token, "partners/- 1", &page), KW_E_PAGE_TOKEN_INVALID));
    call.method = kw_method_by_id(KW_METHOD_LIST_PARTNERS);
    cr_assert(eq(int, read_page(token, "partners/- 0", &page), KW_E_PAGE_TOKEN_INVALID));
    call.method = kw_method_by_id(KW_METHOD_LIST_GRANTS);
    kw_copy(call.caller.spiffe_id, "spiffe://test/operator/opr_b",
            sizeof("spiffe://test/operator/opr_b"));
    cr_assert(eq(int, read_page(token, "partners/- 0", &page), KW_E_PAGE_TOKEN_INVALID));
}

Test(authz_request, a_page_token_that_was_altered_anywhere_is_refused)
{
    struct kw_page page;
    char *token = token_of(&page);

    for (size_t i = 0; i < strlen(token); i++) {
        char was = token[i];

        token[i] = was == '0' ? '1' : '0';
        cr_assert(eq(int, read_page(token, "partners/- 0", &page), KW_E_PAGE_TOKEN_INVALID), "%zu",
                  i);
        token[i] = was;
    }
    cr_assert(eq(int, read_page("x", "partners/- 0", &page), KW_E_PAGE_TOKEN_INVALID));
}

Test(authz_request, a_page_token_of_another_life_is_refused)
{
    struct kw_page page;
    char *token = token_of(&page);

    authz.page_key.slot[0] ^= 1;
    cr_assert(eq(int, read_page(token, "partners/- 0", &page), KW_E_PAGE_TOKEN_INVALID));
}

Test(authz_request, a_page_has_a_size_within_limits)
{
    struct kw_page page;

    cr_assert(kw_ok(kw_page_read(&call, 0, "", "", &page, NULL)));
    cr_assert(eq(sz, page.max, KW_PAGE_SIZE_DEFAULT));
    cr_assert(kw_ok(kw_page_read(&call, INT32_MAX, "", "", &page, NULL)));
    cr_assert(eq(sz, page.max, KW_PAGE_SIZE_MAX));
    cr_assert(eq(int, kw_page_read(&call, -1, "", "", &page, NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, (char *)call.field, "page_size"));
}

/* --- fields --- */

Test(authz_request, text_is_counted_in_characters)
{
    cr_assert(eq(sz, kw_field_characters("aé€😀"), 4));
    cr_assert(kw_ok(kw_check_text(&call, "f", "é€", 2, NULL)));
    cr_assert(eq(int, kw_check_text(&call, "f", "abc", 2, NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, kw_check_text(&call, "f", "", 2, NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, (char *)call.field, "f"));
}

Test(authz_request, printable_is_ascii_without_control)
{
    cr_assert(kw_ok(kw_check_printable(&call, "f", " ~", 2, NULL)));
    cr_assert(
        eq(int, kw_check_printable(&call, "f", "a\x1f", 2, NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(
        eq(int, kw_check_printable(&call, "f", "a\x7f", 2, NULL).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, kw_check_printable(&call, "f", "é", 2, NULL).reason, KW_E_ARGUMENT_INVALID));
}

static enum kw_reason regions(char *const *list, size_t count, const char **joined)
{
    return kw_check_regions(&call, "f", list, count, joined, NULL).reason;
}

Test(authz_request, regions_are_names_and_are_joined)
{
    char *good[] = {"eu-1", "us-1"};
    char *many[KW_GRANT_REGIONS_MAX + 1];
    char *bad[] = {"eu,1"};
    const char *joined = NULL;

    for (size_t i = 0; i < KW_GRANT_REGIONS_MAX + 1; i++) {
        many[i] = "eu-1";
    }
    cr_assert(eq(int, regions(good, 2, &joined), KW_E_NONE));
    cr_assert(eq(str, (char *)joined, "eu-1,us-1"));
    cr_assert(eq(int, regions(NULL, 0, &joined), KW_E_NONE));
    cr_assert(eq(str, (char *)joined, ""));
    cr_assert(eq(int, regions(bad, 1, &joined), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, regions(many, KW_GRANT_REGIONS_MAX + 1, &joined), KW_E_ARGUMENT_INVALID));
    bad[0] = "";
    cr_assert(eq(int, regions(bad, 1, &joined), KW_E_ARGUMENT_INVALID));
}

static enum kw_reason time_of(int64_t seconds, int32_t nanos, uint64_t *ms)
{
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

    time.seconds = seconds;
    time.nanos = nanos;
    return kw_check_time(&call, "f", &time, ms, NULL).reason;
}

Test(authz_request, a_time_is_one_that_can_be_written_down)
{
    uint64_t ms = 0;

    cr_assert(eq(int, time_of(2, 999999999, &ms), KW_E_NONE));
    cr_assert(eq(u64, ms, 2999));
    cr_assert(eq(int, time_of(253402300799, 0, &ms), KW_E_NONE));
    cr_assert(eq(int, time_of(253402300800, 0, &ms), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, time_of(-1, 0, &ms), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, time_of(1, -1, &ms), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, time_of(1, 1000000000, &ms), KW_E_ARGUMENT_INVALID));
}

/* --- etags --- */

Test(authz_request, an_etag_changes_with_everything_that_can_change)
{
    const struct kw_member_row row = {.id = {{1}}, .epoch = 1, .transport_version = 1};
    struct kw_member_row other[6] = {row, row, row, row, row, row};
    char etag[KW_ETAG_SIZE];
    char changed[KW_ETAG_SIZE];

    other[0].suspended = true;
    other[1].epoch++;
    other[2].transport_version++;
    other[3].confirmed_version++;
    other[4].certificate_expire_ms++;
    other[5].updated_ms++;
    cr_assert(kw_ok(kw_view_member_etag(&row, etag, NULL)));
    for (size_t i = 0; i < 6; i++) {
        cr_assert(kw_ok(kw_view_member_etag(&other[i], changed, NULL)));
        cr_assert(eq(int, kw_check_etag(etag, changed, NULL).reason, KW_E_ETAG_MISMATCH), "%zu", i);
    }
    cr_assert(kw_ok(kw_check_etag(etag, etag, NULL)));
    cr_assert(kw_ok(kw_check_etag("", etag, NULL))); /* the caller did not ask */
}

/* --- status of an item --- */

Test(authz_request, an_items_status_says_what_the_unary_calls_would)
{
    Google__Rpc__Status *status;

    cr_assert(kw_ok(kw_rpc_status_make(KW_E_KEY_STATE, 0, call.arena, &status, NULL)));
    cr_assert(eq(int, status->code, KW_GRPC_FAILED_PRECONDITION));
    cr_assert(eq(str, status->message, (char *)kw_reason_row(KW_E_KEY_STATE)->text));
    cr_assert(eq(sz, status->n_details, 1));
    cr_assert(eq(int, kw_rpc_status_reason(status, call.arena), KW_E_KEY_STATE));
    status->n_details = 0;
    cr_assert(eq(int, kw_rpc_status_reason(status, call.arena), KW_E_INTERNAL));
}

Test(authz_request, an_items_status_says_when_to_try_again)
{
    Google__Rpc__Status *status;
    ProtobufCMessage *message;

    cr_assert(kw_ok(kw_rpc_status_make(KW_E_QUOTA_EXCEEDED, 1500, call.arena, &status, NULL)));
    cr_assert(eq(sz, status->n_details, 2));
    cr_assert(eq(str, status->details[1]->type_url, "type.googleapis.com/google.rpc.RetryInfo"));
    cr_assert(kw_ok(kw_message_unpack(&google__rpc__retry_info__descriptor,
                                      kw_bytes_field(status->details[1]->value), call.arena,
                                      &message, NULL)));
    cr_assert(eq(i64, ((Google__Rpc__RetryInfo *)message)->retry_delay->seconds, 1));
    cr_assert(eq(i32, ((Google__Rpc__RetryInfo *)message)->retry_delay->nanos, 500000000));
    cr_assert(eq(int, kw_rpc_status_reason(status, call.arena), KW_E_QUOTA_EXCEEDED));
}
