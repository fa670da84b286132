/* An HSM that answers wrongly: every byte string it gives, once wrong and always wrong. Who notices is part of what is
 * tested: the worker, or the one for whom the answer is. In this process, where no probe comes between. */
#include "common/crypto/keywrap.h"
#include "services/cryptocore/hsm/entropy.h"
#include "services/cryptocore/hsm/keys.h"
#include "services/cryptocore/hsm/self_test.h"
#include "tests/component/hsm_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define TRIES_MAX 64

static struct kw_arena *arena;

static void up(void)
{
    fault_up();
    fault_open();
    arena = kw_arena_new(16 * KW_REQUEST_ARENA_MAX);
}

static void down(void)
{
    kw_arena_free(arena);
    fault_down();
}

TestSuite(hsm_fault_bytes, .init = up, .fini = down, .timeout = 300);

static const struct kw_hsm_request *request_of(enum kw_hsm_op op)
{
    size_t i = 0;

    while (fault.ops[i].op != op) {
        i++;
    }
    return &fault.ops[i];
}

/* Runs `op` with the n-th call of `function` spoiled; NONE when there is no such call. */
static struct kw_hsm_answer spoiled(enum kw_hsm_op op, enum p11_function function, uint64_t n,
                                    bool *ret_hit)
{
    struct kw_hsm_answer answer;

    FAULT(.function = function, .action = P11_FLIP, .first = n);
    kw_hsm_run(&fault.session, arena, request_of(op), &answer);
    *ret_hit = p11_fault_hits(&fault.p11) > 0;
    p11_fault_clear(&fault.p11);
    return answer;
}

/* Each call of `function` in `op`, spoiled once, is noticed, and the worker ends. Returns how many there are. */
static uint64_t noticed(enum kw_hsm_op op, enum p11_function function)
{
    bool hit = true;
    uint64_t n = 0;

    while (hit) {
        struct kw_hsm_answer answer = spoiled(op, function, ++n, &hit);

        cr_assert(lt(u64, n, TRIES_MAX));
        if (hit) {
            cr_assert(eq(int, answer.result.reason, KW_E_HSM_SELF_TEST),
                      "%s: %s call %lu, wrong, went unnoticed", kw_hsm_op_name(op),
                      p11_function_name(function), n);
            cr_assert(eq(int, fault.session.fault, KW_HSM_CLASS_DEVICE));
        }
    }
    return n - 1;
}

Test(hsm_fault_bytes, a_wrong_mac_or_wrap_of_what_is_stored_is_noticed)
{
    cr_assert(ge(u64, noticed(KW_HSM_GENERATE, P11_Sign), 5));
    cr_assert(eq(u64, noticed(KW_HSM_MAC_FACTS, P11_Sign), 3));
    cr_assert(ge(u64, noticed(KW_HSM_PTK_CREATE, P11_Sign), 4));
}

Test(hsm_fault_bytes, a_wrong_signature_is_noticed)
{
    cr_assert(eq(u64, noticed(KW_HSM_ISSUE_CERTIFICATE, P11_Sign), 1));
    cr_assert(eq(u64, noticed(KW_HSM_SIGN_CHECKPOINT, P11_Sign), 1));
}

/* What is right is not taken for an altered row, nor a right proof for a wrong one. */
Test(hsm_fault_bytes, a_wrong_mac_is_not_blamed_on_what_is_checked)
{
    cr_assert(eq(u64, noticed(KW_HSM_VERIFY_FACTS, P11_Sign), 2));
    cr_assert(eq(u64, noticed(KW_HSM_VERIFY_POSSESSION, P11_Sign), 2));
    cr_assert(eq(u64, noticed(KW_HSM_PTK_CONFIRM, P11_Sign), 2));
}

/* The first wrapping is what is stored, the second what the station opens: RFC 5649 says that it is wrong. */
Test(hsm_fault_bytes, a_wrong_wrap_for_the_station_is_noticed_by_the_station)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    struct kw_hsm_answer answer;
    bool hit;

    answer = spoiled(KW_HSM_GENERATE, P11_WrapKey, 1, &hit);
    cr_assert(eq(int, answer.result.reason, KW_E_HSM_SELF_TEST));
    answer = spoiled(KW_HSM_GENERATE, P11_WrapKey, 2, &hit);
    cr_assert(hit);
    cr_assert(eq(int, answer.result.reason, KW_E_NONE));
    cr_assert(not(kw_ok(kw_kwp_unwrap(
        &fault.hsm.ptk_value, KW_BYTES_OF(answer.generated.items[0].delivered), &key, NULL))));
}

Test(hsm_fault_bytes, a_wrong_wrap_of_a_transport_key_is_noticed)
{
    bool hit;

    cr_assert(eq(int, spoiled(KW_HSM_PTK_CREATE, P11_WrapKey, 1, &hit).result.reason,
                 KW_E_HSM_SELF_TEST));
    cr_assert(not(kw_ok(spoiled(KW_HSM_PTK_CREATE, P11_WrapKey, 2, &hit).result)));
    cr_assert(hit);
}

/* Five MACs are checked before anything is derived. */
Test(hsm_fault_bytes, a_wrong_mac_in_a_derivation_is_noticed_but_in_the_derivation_itself)
{
    size_t noticed_count = 0;
    bool hit = true;

    for (uint64_t n = 1; hit; n++) {
        struct kw_hsm_answer answer = spoiled(KW_HSM_DERIVE, P11_Sign, n, &hit);

        noticed_count += answer.result.reason == KW_E_HSM_SELF_TEST;
        cr_assert(answer.result.reason == KW_E_HSM_SELF_TEST || kw_ok(answer.result));
        cr_assert(lt(u64, n, TRIES_MAX));
    }
    cr_assert(eq(sz, noticed_count, 3),
              "one fact and two bindings"); /* the two blocks of K_pd: the pen notices */
}

Test(hsm_fault_bytes, a_wrong_wrap_for_the_partner_is_noticed_by_the_partner)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    struct kw_hsm_answer answer;
    bool hit;

    answer = spoiled(KW_HSM_DERIVE, P11_WrapKey, 1, &hit);
    cr_assert(hit && kw_ok(answer.result));
    cr_assert(not(kw_ok(
        kw_kwp_unwrap(&fault.hsm.ptk_value, KW_BYTES(answer.derived.wrapped, 40), &key, NULL))));
}

/* Wrong again and again, the same each time: no operation succeeds. */
Test(hsm_fault_bytes, an_hsm_that_always_signs_wrongly_does_nothing)
{
    FAULT(.function = P11_Sign, .action = P11_FLIP, .every = 1);
    for (size_t i = 0; i < FAULT_OPS; i++) {
        enum kw_reason reason = fault_run(&fault.ops[i]);

        cr_assert(eq(int, reason, KW_E_HSM_SELF_TEST), "%s", kw_hsm_op_name(fault.ops[i].op));
    }
    cr_assert(
        eq(int, fault_run(&(struct kw_hsm_request){.op = KW_HSM_HEALTH}), KW_E_HSM_SELF_TEST));
    cr_assert(eq(int, kw_hsm_self_test(&fault.session, NULL).reason, KW_E_HSM_SELF_TEST));
}

/* What is shorter than it should be is no answer: each call of each operation. */
Test(hsm_fault_bytes, an_answer_of_another_length_is_none)
{
    static const enum p11_function functions[] = {P11_Sign, P11_WrapKey};

    for (size_t f = 0; f < KW_CK_COUNT(functions); f++) {
        for (size_t i = 0; i < FAULT_OPS; i++) {
            FAULT(.function = functions[f], .action = P11_SHORT);
            cr_assert(fault_run(&fault.ops[i]) != KW_E_NONE || p11_fault_hits(&fault.p11) == 0,
                      "%s: a short answer to %s was taken", kw_hsm_op_name(fault.ops[i].op),
                      p11_function_name(functions[f]));
            p11_fault_clear(&fault.p11);
            cr_assert(eq(int, fault_run(&fault.ops[i]), KW_E_NONE));
        }
    }
}

/* A provider has a longest input, and no call goes beyond it. */
Test(hsm_fault_bytes, nothing_is_signed_that_is_longer_than_the_provider_takes)
{
    static uint8_t bytes[1024 * 1024];
    size_t max = fault.session.module->provider->blob_len_max;
    const struct kw_bytes most[] = {KW_BYTES(bytes, 1), KW_BYTES(bytes, max - 1)};
    const struct kw_bytes more[] = {KW_BYTES(bytes, 1), KW_BYTES(bytes, max)};
    uint8_t mac[KW_HSM_MAC_LEN];
    uint64_t before;

    cr_assert(le(sz, max, sizeof(bytes)));
    cr_assert(kw_ok(kw_hsm_cmac(&fault.session, fault.session.mac_key, most, 2, mac, NULL)));
    before = p11_fault_calls(&fault.p11, P11_Sign);
    cr_assert(eq(int, kw_hsm_cmac(&fault.session, fault.session.mac_key, more, 2, mac, NULL).reason,
                 KW_E_ARGUMENT_INVALID));
    cr_assert(eq(u64, p11_fault_calls(&fault.p11, P11_Sign), before));
}

Test(hsm_fault_bytes, no_worker_starts_on_wrong_answers)
{
    static const enum p11_function functions[] = {P11_Sign, P11_WrapKey, P11_GetAttributeValue};

    for (size_t i = 0; i < KW_CK_COUNT(functions); i++) {
        FAULT(.function = functions[i], .action = P11_FLIP, .every = 1);
        cr_assert(eq(int, kw_hsm_self_test(&fault.session, NULL).reason, KW_E_HSM_SELF_TEST), "%s",
                  p11_function_name(functions[i]));
        p11_fault_clear(&fault.p11);
        cr_assert(kw_ok(kw_hsm_self_test(&fault.session, NULL)));
    }
}

Test(hsm_fault_bytes, a_stuck_generator_is_noticed_at_the_start_and_in_use)
{
    FAULT(.function = P11_GenerateRandom, .action = P11_ZERO, .every = 1);
    cr_assert(eq(int, kw_hsm_self_test(&fault.session, NULL).reason, KW_E_HSM_SELF_TEST));
    cr_assert(eq(int, fault_run(request_of(KW_HSM_PTK_CREATE)), KW_E_HSM_SELF_TEST));
    cr_assert(eq(int, fault.session.fault, KW_HSM_CLASS_DEVICE));
}

static const uint8_t known[KW_HSM_RANDOM_TAIL] = {1, 2,  3,  4,  5,  6,  7,  8,
                                                  9, 10, 11, 12, 13, 14, 15, 16};

/* The generator says that it gave these bytes; `bytes` is what the worker makes of them. */
static enum kw_reason random_of(const uint8_t given[KW_HSM_RANDOM_TAIL],
                                uint8_t bytes[KW_HSM_RANDOM_TAIL])
{
    enum kw_reason reason;

    kw_copy(bytes, given, KW_HSM_RANDOM_TAIL);
    FAULT(.function = P11_GenerateRandom, .rv = CKR_OK); /* leaves the buffer as it was */
    reason = kw_hsm_random(&fault.session, bytes, KW_HSM_RANDOM_TAIL, NULL).reason;
    p11_fault_clear(&fault.p11);
    return reason;
}

/* A generator that looks sound but gives the same again. */
Test(hsm_fault_bytes, a_generator_that_repeats_its_end_is_noticed)
{
    uint8_t bytes[KW_HSM_RANDOM_TAIL];

    cr_assert(eq(int, random_of(known, bytes), KW_E_NONE));
    cr_assert(eq(int, random_of(known, bytes), KW_E_HSM_SELF_TEST));
}

Test(hsm_fault_bytes, a_generator_that_repeats_a_byte_is_noticed)
{
    uint8_t given[KW_HSM_RANDOM_TAIL];
    uint8_t bytes[KW_HSM_RANDOM_TAIL];

    kw_copy(given, known, sizeof(given));
    memset(given + 3, 0x5a, 6);
    cr_assert(eq(int, random_of(given, bytes), KW_E_HSM_SELF_TEST));
}

/* What the worker hands out is not what the HSM's generator gave: a generator somebody knows gives
 * nothing away. */
Test(hsm_fault_bytes, random_bytes_are_mixed_with_the_kernels)
{
    uint8_t bytes[KW_HSM_RANDOM_TAIL];

    cr_assert(eq(int, random_of(known, bytes), KW_E_NONE));
    cr_assert(not(kw_bytes_equal(KW_BYTES_OF(bytes), KW_BYTES_OF(known))));
}
