/* Receipts (KWR1): the record is canonical, and its items are as many as it says. */
#include "common/audit/receipt.h"
#include "tests/fuzz/fuzz.h"

static void read_items(const struct kw_receipt *receipt)
{
    struct kw_reader items = KW_READER(receipt->items);

    for (unsigned i = 0; i < receipt->item_count; i++) {
        struct kw_receipt_item item;

        kw_receipt_item_next(&items, &item);
        KW_FUZZ_CHECK(!items.failed);
    }
    KW_FUZZ_CHECK(items.rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_receipt receipt;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_receipt_decode(KW_BYTES(data, size), &receipt, &err), &err)) {
        return 0;
    }
    KW_FUZZ_CHECK(receipt.seq > 0);
    KW_FUZZ_MUST(kw_receipt_encode(&receipt, &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), KW_BYTES(data, size)));
    read_items(&receipt);
    return 0;
}
