/* Envelopes (KWE1), as the cores write and partners read them. Our reader and the partner SDK's agree on what an
 * envelope is: whatever the SDK opens, ours has decoded. */
#include "common/audit/envelope.h"
#include "sdk/partner/keyward_partner.h"
#include "tests/fuzz/fuzz.h"

static void encode_again(const struct kw_envelope *envelope, struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};

    KW_FUZZ_MUST(kw_envelope_encode_prefix(envelope, &again, NULL));
    KW_FUZZ_MUST(kw_envelope_finish(&again, envelope->wrapped, envelope->mac.data, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
}

static uint8_t transport_key[KW_PARTNER_KEY_SIZE]; /* the honest files are wrapped under it */

static void set_up(void)
{
    struct kw_buf file = kw_fuzz_load("keys/transport.bin");

    KW_FUZZ_CHECK(file.len == sizeof(transport_key));
    kw_copy(transport_key, file.data, sizeof(transport_key));
    kw_buf_done(&file);
}

/* As the partner it was made for, in time, so that nothing but the bytes decides. */
static enum kw_partner_result open_by_sdk(struct kw_bytes record, const struct kw_envelope *like)
{
    struct kw_partner_envelope opened;
    struct kw_partner_expected expected = {.partner = like->partner.bytes,
                                           .device = like->device.bytes,
                                           .transport_version = like->ptk_version,
                                           .now_ms = like->issued_ms};

    return kw_partner_envelope_open(record.data, record.len, transport_key, &expected, &opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes record = KW_BYTES(data, size);
    struct kw_envelope envelope = {0};
    struct kw_error err = {0};
    bool ours = kw_fuzz_accepted(kw_envelope_decode(record, &envelope, &err), &err);
    enum kw_partner_result theirs;

    if (transport_key[0] == 0) {
        set_up();
    }
    theirs = open_by_sdk(record, &envelope);
    KW_FUZZ_CHECK(ours || theirs != KW_PARTNER_OK);
    KW_FUZZ_CHECK(theirs != KW_PARTNER_E_CRYPTO);
    if (ours) {
        encode_again(&envelope, record);
    }
    return 0;
}
