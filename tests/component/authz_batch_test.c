/* BatchGetDeviceAccess, and the other streams: a status for each item, chunks that are decided
 * apart, and what happens when somebody leaves in the middle. */
#include "services/authz/rpc_status.h"
#include "tests/component/authz_fixture.h"
#include "tests/support/faults.h"

#define ITEMS_MAX 300

static struct authz_fixture fx;

static void init(void)
{
    faults_off(); /* an item fails alone: authz_errors_test.c */
    authz_fixture_init(&fx);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_batch, .init = init, .fini = done, .timeout = 60);

/* One message of questions. */
struct chunk {
    Keyward__V1__BatchGetDeviceAccessRequest request;
    Keyward__V1__BatchAccessItem items[ITEMS_MAX];
    Keyward__V1__BatchAccessItem *pointers[ITEMS_MAX];
    Keyward__V1__GetDeviceAccessRequest gets[ITEMS_MAX];
};

static void chunk_add(struct chunk *chunk, uint64_t item_id, const char *device)
{
    size_t i = chunk->request.n_items++;

    keyward__v1__batch_access_item__init(&chunk->items[i]);
    keyward__v1__get_device_access_request__init(&chunk->gets[i]);
    chunk->gets[i].selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    chunk->gets[i].device = (char *)(uintptr_t)device;
    chunk->gets[i].epoch = 1;
    chunk->gets[i].purpose = (char *)(uintptr_t) "care";
    chunk->items[i].item_id = item_id;
    chunk->items[i].request_case = KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET;
    chunk->items[i].get = &chunk->gets[i];
    chunk->pointers[i] = &chunk->items[i];
}

/* An empty chunk, and the question that begins with it. */
static struct question batch_question(struct chunk *chunk, bool open_end)
{
    keyward__v1__batch_get_device_access_request__init(&chunk->request);
    chunk->request.items = chunk->pointers;
    return (struct question){.method = KW_METHOD_BATCH_GET_DEVICE_ACCESS,
                             .body = &chunk->request.base,
                             .caller = &fx.partner,
                             .open_end = open_end};
}

static char *device_of(uint8_t fill)
{
    char *name;

    (void)authz_device(&fx, fill, &name);
    return name;
}

/* What item `item_id` was answered: NONE, or its reason. Once. */
static enum kw_reason result_of(const struct answer *answer, uint64_t item_id,
                                const Keyward__V1__BatchAccessResult **ret_result)
{
    size_t found = 0;

    *ret_result = NULL;
    for (size_t m = 0; m < answer->message_count; m++) {
        ProtobufCMessage *message;
        const Keyward__V1__BatchGetDeviceAccessResponse *response;

        MUST(kw_message_unpack(&keyward__v1__batch_get_device_access_response__descriptor,
                               answer->messages[m], fx.arena, &message, err));
        response = (const Keyward__V1__BatchGetDeviceAccessResponse *)message;
        for (size_t i = 0; i < response->n_results; i++) {
            if (response->results[i]->item_id == item_id) {
                *ret_result = response->results[i];
                found++;
            }
        }
    }
    REQUIRE(found == 1, "item %llu was answered %zu times", (unsigned long long)item_id, found);
    if ((*ret_result)->result_case == KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ENVELOPE) {
        return KW_E_NONE;
    }
    return kw_rpc_status_reason((*ret_result)->error, fx.arena);
}

static enum kw_reason reason_of(const struct answer *answer, uint64_t item_id)
{
    const Keyward__V1__BatchAccessResult *result;

    return result_of(answer, item_id, &result);
}

static size_t results_so_far(const struct answer *answer)
{
    size_t count = 0;

    for (size_t m = 0; m < answer->message_count; m++) {
        ProtobufCMessage *message;

        MUST(kw_message_unpack(&keyward__v1__batch_get_device_access_response__descriptor,
                               answer->messages[m], fx.arena, &message, err));
        count += ((const Keyward__V1__BatchGetDeviceAccessResponse *)message)->n_results;
    }
    return count;
}

static struct kw_id odd(uint8_t fill)
{
    char *name;

    return authz_device(&fx, fill, &name);
}

/* --- one chunk --- */

Test(authz_batch, each_item_has_its_own_status)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    const Keyward__V1__BatchAccessResult *result;
    struct answer answer;

    (void)authz_grant(&fx, device_of(1));
    chunk_add(&chunk, 100, device_of(1));
    chunk_add(&chunk, 200, device_of(2)); /* no grant */
    chunk_add(&chunk, 300, "devices/x");
    chunk_add(&chunk, 400, device_of(1));
    chunk.items[3].request_case = KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST__NOT_SET;
    chunk_add(&chunk, 500, device_of(1));
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(int, result_of(&answer, 100, &result), KW_E_NONE));
    cr_assert(eq(str, result->envelope->device, device_of(1)));
    cr_assert(eq(int, result_of(&answer, 200, &result), KW_E_NOT_FOUND));
    cr_assert(eq(int, result->error->code, KW_GRPC_NOT_FOUND));
    cr_assert(eq(int, reason_of(&answer, 300), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, reason_of(&answer, 400), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, reason_of(&answer, 500), KW_E_NONE));
    cr_assert(eq(sz, fx.inside.count, 1)); /* both in one call */
    authz_denials_await(&fx, 1);
}

Test(authz_batch, items_without_a_receipt_are_withheld_and_refusals_are_not)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer;

    (void)authz_grant(&fx, device_of(1));
    (void)authz_grant(&fx, device_of(2));
    chunk_add(&chunk, 100, device_of(1));
    chunk_add(&chunk, 200, device_of(2));
    fx.inside.hides_receipts = true;
    fx.inside.odd_device = odd(2);
    fx.inside.odd_reason = KW_E_KEY_STATE;
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(int, reason_of(&answer, 100), KW_E_INTERNAL));
    cr_assert(eq(int, reason_of(&answer, 200), KW_E_KEY_STATE)); /* nothing was used: no receipt */
}

Test(authz_batch, the_capsules_of_a_turn_hang_on_one_root)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer;

    for (uint8_t i = 1; i <= 5; i++) {
        (void)authz_grant(&fx, device_of(i)); /* a grant each: a capsule each */
        chunk_add(&chunk, i, device_of(i));
    }
    answer = authz_ask(&fx, &question);
    cr_assert(eq(sz, results_so_far(&answer), 5));
    cr_assert(eq(sz, fx.inside.count, 5));
    for (size_t i = 0; i < 5; i++) {
        cr_assert(eq(u32, fx.inside.calls[i]->leaf_count, 5));
        cr_assert(kw_bytes_equal(KW_BYTES_OF(fx.inside.calls[i]->root.bytes),
                                 KW_BYTES_OF(fx.inside.calls[0]->root.bytes)));
    }
    cr_assert(eq(u64, fx.authz->capsules.signatures, 1));
    cr_assert(eq(u64, kw_seal_verifier_counts(fx.inside.seals).signatures_checked, 1));
}

Test(authz_batch, the_capsule_is_for_the_items_of_its_call_alone)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    const struct inside_call *call;

    (void)authz_grant(&fx, device_of(1));
    chunk_add(&chunk, 7, device_of(2));
    chunk_add(&chunk, 8, device_of(1));
    (void)authz_ask(&fx, &question);
    call = inside_last(&fx.inside);
    cr_assert(kw_id_equal(call->capsule.owner, fx.partner.id));
    cr_assert(eq(int, call->capsule.scope, KW_SCOPE_BODY));
    cr_assert(eq(int, call->capsule.ptk_version, 1));
    cr_assert(
        eq(sz, ((const Keyward__V1__BatchGetDeviceAccessRequest *)call->request)->n_items, 1));
}

Test(authz_batch, an_item_goes_on_to_the_next_grant_alone)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer;

    (void)authz_grant_of_product(&fx);
    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 1, device_of(1));
    chunk_add(&chunk, 2, device_of(2));
    fx.inside.odd_device = odd(2);
    fx.inside.odd_reason = KW_E_SCOPE_MISMATCH;
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, reason_of(&answer, 1), KW_E_NONE));
    cr_assert(eq(int, reason_of(&answer, 2), KW_E_NOT_FOUND)); /* no grant covers it */
    cr_assert(eq(sz, fx.inside.count, 2));
}

Test(authz_batch, an_item_that_fails_inside_fails_alone)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer;

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 1, device_of(1));
    chunk_add(&chunk, 2, device_of(2));
    fx.inside.odd_device = odd(2);
    fx.inside.odd_reason = KW_E_KEY_STATE;
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, reason_of(&answer, 1), KW_E_NONE));
    cr_assert(eq(int, reason_of(&answer, 2), KW_E_KEY_STATE));
    authz_denials_await(&fx, 1);
}

Test(authz_batch, an_item_the_inner_layers_forgot_is_answered_all_the_same)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer;

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 1, device_of(1));
    chunk_add(&chunk, 2, device_of(2));
    fx.inside.forgets_the_last = true;
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, reason_of(&answer, 1), KW_E_NONE));
    cr_assert(eq(int, reason_of(&answer, 2), KW_E_INTERNAL));
}

Test(authz_batch, a_quota_serves_as_many_items_as_it_has_left)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    const Keyward__V1__BatchAccessResult *result;
    struct grant_story story;
    size_t served = 0;
    struct answer answer;

    authz_grant_story(&fx, &story, device_of(1));
    story.grant.quota = &story.quota;
    story.quota.max_operations = 2;
    story.window.seconds = 600;
    story.quota.window = &story.window;
    (void)authz_grant_make(&fx, &story);
    for (uint64_t i = 0; i < 4; i++) {
        chunk_add(&chunk, i, device_of(1));
    }
    answer = authz_ask(&fx, &question);
    for (uint64_t i = 0; i < 4; i++) {
        enum kw_reason reason = result_of(&answer, i, &result);

        served += reason == KW_E_NONE ? 1 : 0;
        cr_assert(reason == KW_E_NONE || reason == KW_E_QUOTA_EXCEEDED);
        cr_assert(eq(int, reason != KW_E_NONE,
                     result->error != NULL && result->error->n_details == 2)); /* RetryInfo */
    }
    cr_assert(eq(sz, served, 2));
}

Test(authz_batch, an_empty_or_too_long_chunk_ends_the_stream)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer;

    question.raw = kw_bytes_str("\x10\x01"); /* an unknown field, and no item */
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, answer.field, "items"));
    question.raw = KW_BYTES_NONE;
    for (uint64_t i = 0; i <= KW_CHUNK_ITEMS_MAX; i++) {
        chunk_add(&chunk, i, device_of(1));
    }
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_ARGUMENT_INVALID));
}

Test(authz_batch, a_suspended_partner_gets_no_stream)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);

    (void)authz_grant(&fx, device_of(1));
    (void)authz_partner_suspend(&fx, &fx.partner);
    chunk_add(&chunk, 1, device_of(1));
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(sz, fx.inside.count, 0));
}

Test(authz_batch, devices_with_many_facts_are_asked_about_in_several_calls)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer;

    (void)authz_grant_of_product(&fx);
    for (uint8_t i = 100; i < 110; i++) {
        chunk_add(&chunk, i, device_of(i));
    }
    authz_facts_put(&fx, 100, 10, 60); /* over 60 KB together */
    answer = authz_ask(&fx, &question);
    for (uint8_t i = 100; i < 110; i++) {
        cr_assert(eq(int, reason_of(&answer, i), KW_E_NONE));
    }
    cr_assert(lt(sz, 1, fx.inside.count));
    for (size_t i = 0; i < fx.inside.count; i++) {
        cr_assert(lt(int, 0, fx.inside.calls[i]->capsule.disabled_count));
    }
}

/* --- several chunks --- */

Test(authz_batch, chunks_are_answered_as_they_come)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {0};

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 0, device_of(1));
    authz_ask_start(&fx, &question, &answer);
    for (uint64_t i = 1; i < 5; i++) {
        EVENTUALLY(&fx, results_so_far(&answer) == i);
        chunk.request.n_items = 0;
        chunk_add(&chunk, i, device_of(1));
        authz_send(&answer, &chunk.request.base);
    }
    EVENTUALLY(&fx, results_so_far(&answer) == 5);
    cr_assert(not(answer.over));
    kw_hop_end(answer.call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
}

Test(authz_batch, many_chunks_at_once_are_all_answered)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {0};

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 0, device_of(1));
    authz_ask_start(&fx, &question, &answer);
    for (uint64_t i = 1; i < 3 * KW_CHUNKS_RUNNING_MAX; i++) {
        chunk.request.n_items = 0;
        chunk_add(&chunk, i, device_of(1));
        authz_send(&answer, &chunk.request.base);
    }
    kw_hop_end(answer.call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    for (uint64_t i = 0; i < 3 * KW_CHUNKS_RUNNING_MAX; i++) {
        cr_assert(eq(int, reason_of(&answer, i), KW_E_NONE));
    }
}

Test(authz_batch, an_inner_failure_in_the_middle_fails_the_items_it_concerns)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {0};

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 1, device_of(1));
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, results_so_far(&answer) == 1);
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_HSM_UNAVAILABLE;
    chunk.request.n_items = 0;
    chunk_add(&chunk, 2, device_of(1));
    authz_send(&answer, &chunk.request.base);
    EVENTUALLY(&fx, results_so_far(&answer) == 2);
    chunk.request.n_items = 0;
    chunk_add(&chunk, 3, device_of(1));
    authz_send(&answer, &chunk.request.base);
    kw_hop_end(answer.call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(int, reason_of(&answer, 1), KW_E_NONE));
    cr_assert(eq(int, reason_of(&answer, 2), KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(int, reason_of(&answer, 3), KW_E_NONE));
}

Test(authz_batch, the_loss_of_the_orchestrator_in_the_middle_fails_items_not_the_stream)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {0};

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 1, device_of(1));
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    authz_inside_lose(&fx);
    EVENTUALLY(&fx, results_so_far(&answer) == 1);
    kw_hop_end(answer.call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(int, reason_of(&answer, 1), KW_E_PEER_UNAVAILABLE));
}

Test(authz_batch, a_caller_that_leaves_in_the_middle_takes_all_inner_calls_along)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {0};

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 1, device_of(1));
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    for (size_t i = 0; i < 2 * KW_CHUNKS_RUNNING_MAX; i++) {
        authz_send(&answer, &chunk.request.base);
    }
    EVENTUALLY(&fx, fx.inside.count == KW_CHUNKS_RUNNING_MAX);
    kw_hop_cancel(answer.call);
    EVENTUALLY(&fx, fx.authz->calls == 0);
    for (size_t i = 0; i < fx.inside.count; i++) {
        EVENTUALLY(&fx, fx.inside.calls[i]->cancelled);
    }
    cr_assert(eq(sz, fx.inside.count, KW_CHUNKS_RUNNING_MAX));
}

/* --- revoked in the middle --- */

Test(authz_batch, items_whose_grant_was_revoked_meanwhile_are_dropped_alone)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    char *grant = authz_grant(&fx, device_of(1));
    struct answer answer = {0};

    (void)authz_grant(&fx, device_of(2));
    chunk_add(&chunk, 1, device_of(1));
    chunk_add(&chunk, 2, device_of(2));
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 2);
    (void)authz_grant_revoke(&fx, grant);
    inside_answer(fx.inside.calls[0]);
    inside_answer(fx.inside.calls[1]);
    authz_wait(&answer);
    cr_assert(eq(int, reason_of(&answer, 1), KW_E_NOT_FOUND));
    cr_assert(eq(int, reason_of(&answer, 2), KW_E_NONE));
    authz_denials_await(&fx, 1);
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials"), "disabled_meanwhile"));
}

Test(authz_batch, a_partner_suspended_in_the_middle_loses_the_stream)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {0};

    (void)authz_grant_of_product(&fx);
    chunk_add(&chunk, 1, device_of(1));
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    (void)authz_partner_suspend(&fx, &fx.partner);
    inside_answer(fx.inside.calls[0]);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_IDENTITY_INVALID));
    cr_assert(eq(sz, answer.message_count, 0));
}

/* Many groups of one chunk that are asked again at the same time, on both reader threads. */
Test(authz_batch, many_groups_are_asked_again_at_once)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, false);
    struct answer answer = {0};
    char *grant = NULL;

    for (uint8_t i = 1; i <= 40; i++) {
        grant = authz_grant(&fx, device_of(i));
        chunk_add(&chunk, i, device_of(i));
    }
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 40);
    (void)authz_grant_revoke(&fx, grant);
    for (size_t i = 0; i < 40; i++) {
        inside_answer(fx.inside.calls[i]);
    }
    authz_wait(&answer);
    for (uint8_t i = 1; i <= 40; i++) {
        cr_assert(eq(int, reason_of(&answer, i), i == 40 ? KW_E_NOT_FOUND : KW_E_NONE));
    }
}

/* --- a caller that takes nothing --- */

/* Sends the chunk as often as there is room for it within so many turns. */
static size_t send_while_taken(struct answer *answer, const struct chunk *chunk, size_t turns)
{
    struct kw_bytes message = authz_packed(&fx, &chunk->request.base);
    size_t sent = 0;

    for (size_t i = 0; i < turns; i++) {
        while (!answer->over && kw_hop_send(answer->call, (struct kw_hop_item){.data = message})) {
            sent++;
        }
        authz_turn(&fx);
    }
    return sent;
}

/* How many questions fit into the caller's window and, answered, into authz's. */
static size_t windows_of(const struct answer *answer, const struct chunk *chunk)
{
    size_t question = authz_packed(&fx, &chunk->request.base).len + KW_HOP_ITEM_COST;

    REQUIRE(answer->message_count > 0, "no answer");
    return KW_HOP_CREDIT_BYTES / question + 1 +
           KW_HOP_CREDIT_BYTES / (answer->messages[0].len + KW_HOP_ITEM_COST) + 1 +
           KW_CHUNKS_RUNNING_MAX;
}

Test(authz_batch, a_caller_that_takes_nothing_holds_up_itself_alone, .timeout = 120)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {.takes_nothing = true};
    size_t received = 0;
    size_t sent;

    (void)authz_grant_of_product(&fx);
    for (uint64_t i = 0; i < KW_CHUNK_ITEMS_MAX; i++) {
        chunk_add(&chunk, i, device_of(1));
    }
    authz_ask_start(&fx, &question, &answer);
    sent = 1 + send_while_taken(&answer, &chunk, 500);
    cr_assert(le(sz, sent, windows_of(&answer, &chunk))); /* both are shut */
    cr_assert(lt(sz, answer.message_count, sent));
    cr_assert(eq(int, authz_access(&fx, device_of(1)).reason, KW_E_NONE));
    for (size_t i = 0; i < answer.message_count; i++) {
        received += answer.messages[i].len;
    }
    answer.takes_nothing = false;
    kw_hop_consume(answer.call, received);
    kw_hop_end(answer.call);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(sz, results_so_far(&answer), sent * KW_CHUNK_ITEMS_MAX));
}

#ifdef KW_FAULTS_PLANTED
/* --- what fails here --- */

/* No item is without an answer, and none is delivered that failed. */
static void check_all(const struct answer *answer, bool fired)
{
    REQUIRE(answer->reason != KW_E_DEADLINE_EXCEEDED, "nobody was told");
    for (uint64_t id = 1; answer->reason == KW_E_NONE && id <= 3; id++) {
        const Keyward__V1__BatchAccessResult *result;
        enum kw_reason reason = result_of(answer, id, &result);

        cr_assert(fired || reason == KW_E_NONE, "%s", kw_reason_row(reason)->name);
    }
    cr_assert(fired || reason_of(answer, 4) == KW_E_ARGUMENT_INVALID);
}

Test(authz_batch, whatever_fails_every_item_is_answered)
{
    size_t places = 0;
    bool fired = true;

    (void)authz_grant_of_product(&fx);
    for (uint8_t i = 1; i <= 3; i++) {
        (void)authz_grant(&fx, device_of(i));
    }
    for (; fired; places++) {
        struct chunk chunk;
        struct question question = batch_question(&chunk, false);
        struct answer answer = {0};

        for (uint8_t i = 1; i <= 3; i++) {
            chunk_add(&chunk, i, device_of(i));
        }
        chunk_add(&chunk, 4, "devices/x"); /* a status is made, too */
        faults_arm_at("services/authz/");
        answer = authz_ask(&fx, &question);
        fired = faults_disarm();
        check_all(&answer, fired);
    }
    cr_assert(getenv("KEYWARD_FAULTS") != NULL || places > 20); /* else others have been there */
}

/* The chunk's answer is held up until another grant was revoked; then something fails. */
static struct answer ask_with_failure(struct chunk *chunk)
{
    struct question question = batch_question(chunk, false);
    char *other = authz_grant(&fx, device_of(2));
    struct answer answer = {0};
    size_t before = fx.inside.count;

    chunk_add(chunk, 1, device_of(1));
    fx.inside.holds = true;
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.inside.count > before);
    fx.inside.holds = false;
    (void)authz_grant_revoke(&fx, other);
    faults_arm_at("services/authz/chunk_group.c");
    inside_answer(inside_last(&fx.inside));
    authz_wait(&answer);
    return answer;
}

Test(authz_batch, items_that_cannot_be_asked_again_are_not_delivered)
{
    size_t failed = 0;
    bool fired = true;

    (void)authz_grant(&fx, device_of(1));
    while (fired) {
        struct chunk chunk;
        struct answer answer = ask_with_failure(&chunk);

        fired = faults_disarm();
        failed += fired ? 1 : 0;
        if (answer.reason == KW_E_NONE) { /* else the whole chunk failed */
            cr_assert(eq(int, reason_of(&answer, 1), fired ? KW_E_INTERNAL : KW_E_NONE));
        } else {
            cr_assert(fired && answer.reason == KW_E_MEMORY && answer.message_count == 0);
        }
    }
    cr_assert(getenv("KEYWARD_FAULTS") != NULL || failed >= 3);
}

Test(authz_batch, an_answer_that_cannot_wait_for_its_caller_ends_the_stream, .timeout = 120)
{
    struct chunk chunk;
    struct question question = batch_question(&chunk, true);
    struct answer answer = {.takes_nothing = true};

    (void)authz_grant_of_product(&fx);
    for (uint64_t i = 0; i < KW_CHUNK_ITEMS_MAX; i++) {
        chunk_add(&chunk, i, device_of(1));
    }
    faults_arm_at("services/authz/outflow.c");
    authz_ask_start(&fx, &question, &answer);
    (void)send_while_taken(&answer, &chunk, 500);
    authz_wait(&answer);
    cr_assert(faults_disarm());
    cr_assert(eq(int, answer.reason, KW_E_MEMORY));
    EVENTUALLY(&fx, fx.authz->calls == 0);
    cr_assert(eq(int, authz_access(&fx, device_of(1)).reason, KW_E_NONE)); /* others are served */
}
#endif
