/* Invitations (KWI1): the record is canonical, no field is empty, and a signature that was not the operator's is
 * refused. */
#include "common/audit/invitation.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_invitation invitation;
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_invitation_decode(KW_BYTES(data, size), &invitation, &err), &err)) {
        return 0;
    }
    KW_FUZZ_CHECK(invitation.method.len > 0 && invitation.body.len > 0 &&
                  invitation.signature.len > 0 && invitation.certificate.len > 0);
    KW_FUZZ_MUST(kw_invitation_encode(&invitation, &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), KW_BYTES(data, size)));
    return 0;
}
