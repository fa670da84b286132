/* The receipt window: order, repetition, gaps, breaks. */
#include "services/orchestrator/receipt_window.h"

#include "common/base/fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        struct kw_error must_error_ = {0};                                                         \
        struct kw_error *err = &must_error_;                                                       \
        struct kw_result must_result_ = (expr);                                                    \
        cr_assert(kw_ok(must_result_), "%s: %s", #expr, must_error_.message);                      \
    } while (0)

#define RECEIPTS 4

static const struct kw_id core = {{1}};
static const struct kw_id stream = {{2}};

/* A chain of receipts, made as a core makes it, and the window it goes through. */
struct fixture {
    struct kw_receipt_window *window;
    struct kw_buf records[RECEIPTS];
    struct kw_receipt_entry entries[RECEIPTS]; /* number n is at n - 1 */
};

static struct fixture fx;

static void init(void)
{
    struct kw_chain chain = {.core = core, .stream = stream};

    fx = (struct fixture){.window = calloc(1, sizeof(*fx.window))};
    kw_window_init(fx.window, core, stream);
    for (size_t i = 0; i < RECEIPTS; i++) {
        struct kw_receipt receipt = {.id = {{(uint8_t)(i + 1)}},
                                     .time_ms = 1000 + i,
                                     .region = kw_bytes_str("r"),
                                     .cell = kw_bytes_str("c"),
                                     .capsule = kw_bytes_str("capsule"),
                                     .signer = kw_bytes_str("signer")};

        MUST(kw_chain_issue(&chain, &receipt, &fx.records[i], err));
        fx.entries[i].record = kw_buf_bytes(&fx.records[i]);
        MUST(kw_receipt_decode(fx.entries[i].record, &fx.entries[i].receipt, err));
    }
}

static void done(void)
{
    for (size_t i = 0; i < RECEIPTS; i++) {
        kw_buf_done(&fx.records[i]);
    }
    free(fx.window);
}

TestSuite(orchestrator_window, .init = init, .fini = done);

static enum kw_reason offer(uint64_t seq, bool *known)
{
    return kw_window_offer(fx.window, &fx.entries[seq - 1], known, NULL).reason;
}

static bool offer_new(uint64_t seq)
{
    bool known = true;

    return offer(seq, &known) == KW_E_NONE && !known;
}

/* The number of the next receipt in turn; 0: none. */
static uint64_t next(void)
{
    struct kw_receipt_entry *entry;

    MUST(kw_window_next(fx.window, &entry, err));
    return entry != NULL ? entry->receipt.seq : 0;
}

Test(orchestrator_window, lets_receipts_through_in_their_order)
{
    cr_assert(offer_new(1));
    cr_assert(eq(u64, next(), 1));
    cr_assert(offer_new(2));
    cr_assert(eq(u64, next(), 2));
    cr_assert(eq(u64, next(), 0));
}

Test(orchestrator_window, keeps_what_comes_early_until_its_turn)
{
    cr_assert(offer_new(3));
    cr_assert(offer_new(2));
    cr_assert(eq(u64, next(), 0));
    cr_assert(eq(sz, fx.window->parked, 2));
    cr_assert(offer_new(1));
    cr_assert(eq(u64, next(), 1));
    cr_assert(eq(u64, next(), 2));
    cr_assert(eq(u64, next(), 3));
    cr_assert(eq(sz, fx.window->parked, 0));
}

Test(orchestrator_window, knows_a_receipt_that_comes_again)
{
    bool known = false;

    cr_assert(offer_new(1));
    cr_assert(eq(u64, next(), 1));
    cr_assert(eq(int, offer(1, &known), KW_E_NONE));
    cr_assert(known);
    cr_assert(eq(u64, next(), 0));
}

Test(orchestrator_window, knows_a_copy_of_one_that_waits)
{
    bool known = false;

    cr_assert(offer_new(2));
    cr_assert(eq(int, offer(2, &known), KW_E_NONE));
    cr_assert(known);
    cr_assert(eq(sz, fx.window->parked, 1));
}

Test(orchestrator_window, gives_the_head_after_each_receipt)
{
    struct kw_hash head;

    cr_assert(offer_new(1));
    cr_assert(eq(u64, next(), 1));
    MUST(kw_receipt_head(fx.entries[0].record, &head, err));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(head.bytes), KW_BYTES_OF(fx.entries[0].head.bytes)));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(head.bytes), KW_BYTES_OF(fx.window->at.head.bytes)));
}

Test(orchestrator_window, acknowledges_up_to_the_first_that_is_not_durable)
{
    for (uint64_t seq = 1; seq <= 3; seq++) {
        cr_assert(offer_new(seq));
        cr_assert(eq(u64, next(), seq));
    }
    kw_window_durable(fx.window, 2);
    cr_assert(eq(u64, fx.window->durable, 0));
    kw_window_durable(fx.window, 1);
    cr_assert(eq(u64, fx.window->durable, 2));
    kw_window_durable(fx.window, 1);
    cr_assert(eq(u64, fx.window->durable, 2));
    kw_window_durable(fx.window, 3);
    cr_assert(eq(u64, fx.window->durable, 3));
}

Test(orchestrator_window, does_not_acknowledge_what_was_never_taken)
{
    cr_assert(offer_new(2));
    kw_window_durable(fx.window, 2);
    cr_assert(eq(u64, fx.window->durable, 0));
    cr_assert(eq(sz, fx.window->parked, 1));
}

Test(orchestrator_window, breaks_on_another_chain)
{
    bool known;

    fx.entries[0].receipt.core.bytes[5] ^= 1;
    cr_assert(eq(int, offer(1, &known), KW_E_ENCODING_INVALID));
    cr_assert(eq(int, offer(2, &known), KW_E_PEER_UNAVAILABLE));
}

Test(orchestrator_window, breaks_on_another_stream)
{
    bool known;

    fx.entries[0].receipt.stream.bytes[5] ^= 1;
    cr_assert(eq(int, offer(1, &known), KW_E_ENCODING_INVALID));
}

Test(orchestrator_window, breaks_on_a_number_far_ahead)
{
    bool known;

    fx.entries[0].receipt.seq = KW_RECEIPT_WINDOW_LEN + 1;
    cr_assert(eq(int, offer(1, &known), KW_E_ENCODING_INVALID));
    cr_assert(fx.window->broken);
}

Test(orchestrator_window, breaks_on_another_head_and_gives_the_receipt_back)
{
    struct kw_receipt_entry *entry;

    cr_assert(offer_new(1));
    cr_assert(eq(u64, next(), 1));
    fx.entries[1].receipt.prev.bytes[0] ^= 1;
    cr_assert(offer_new(2));
    cr_assert(eq(int, kw_window_next(fx.window, &entry, NULL).reason, KW_E_ENCODING_INVALID));
    cr_assert(fx.window->broken);
    cr_assert(eq(ptr, kw_window_flush(fx.window), &fx.entries[1]));
    cr_assert(eq(ptr, kw_window_flush(fx.window), NULL));
}

Test(orchestrator_window, lets_nothing_through_once_broken)
{
    bool known;

    cr_assert(offer_new(1));
    fx.entries[1].receipt.core.bytes[5] ^= 1;
    cr_assert(eq(int, offer(2, &known), KW_E_ENCODING_INVALID));
    cr_assert(eq(u64, next(), 0));
    cr_assert(eq(ptr, kw_window_flush(fx.window), &fx.entries[0]));
}

#ifdef KW_FAULTS_PLANTED
/* The only thing in it that may fail for want of memory. */
Test(orchestrator_window, keeps_a_receipt_that_could_not_be_hashed)
{
    struct kw_fault_plan *plan = kw_fault_plan();
    struct kw_receipt_entry *entry;

    cr_assert(offer_new(1));
    (void)snprintf(plan->scope, sizeof(plan->scope), "services/orchestrator/receipt_window.c");
    plan->armed = true;
    cr_assert(eq(int, kw_window_next(fx.window, &entry, NULL).reason, KW_E_MEMORY));
    cr_assert(not(plan->armed));
    cr_assert(eq(sz, fx.window->parked, 1));
    cr_assert(eq(u64, fx.window->at.seq, 0));
    cr_assert(eq(u64, next(), 1));
}
#endif
