/* The external verifier. It reads the certificate itself: gRPC hands names over as C strings, in
 * which a NUL inside a name would cut off what follows. Runs on gRPC's threads; reads immutable
 * data only. */
#include "common/rpc/verifier.h"

#include "common/pki/region.h"
#include "common/pki/x509.h"
#include "common/rpc/handover.h"

#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct verifier {
    grpc_tls_certificate_verifier_external external;
    size_t count;
    char *ids[];
};

static bool is_one_of(const ASN1_IA5STRING *uri, const char *const *ids, size_t count)
{
    struct kw_bytes name = KW_BYTES(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));

    for (size_t i = 0; i < count; i++) {
        if (kw_bytes_equal(name, kw_bytes_str(ids[i]))) {
            return true;
        }
    }
    return false;
}

bool kw_verifier_accepts(struct kw_bytes pem, const char *const *ids, size_t count)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    GENERAL_NAMES *names =
        cert != NULL ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
    const ASN1_IA5STRING *uri = names != NULL ? kw_x509_only_uri(names) : NULL;
    bool accepted = uri != NULL && is_one_of(uri, ids, count) && kw_ok(kw_region_check(cert, NULL));

    GENERAL_NAMES_free(names);
    X509_free(cert);
    BIO_free(bio);
    return accepted;
}

static int on_verify(void *context, grpc_tls_custom_verification_check_request *request,
                     grpc_tls_on_custom_verification_check_done_cb callback, void *callback_arg,
                     grpc_status_code *ret_status, char **ret_details)
{
    const struct verifier *verifier = context;
    const char *pem = request->peer_info.peer_cert;

    KW_TAKEN(verifier);
    (void)callback; /* for verifiers that answer later */
    (void)callback_arg;
    if (pem != NULL && kw_verifier_accepts(kw_bytes_str(pem), (const char *const *)verifier->ids,
                                           verifier->count)) {
        *ret_status = GRPC_STATUS_OK;
    } else {
        *ret_status = GRPC_STATUS_UNAUTHENTICATED;
        *ret_details = gpr_strdup("the peer's certificate does not name an accepted peer");
    }
    KW_GIVEN(verifier);
    return 1;
}

static void on_cancel(void *context, grpc_tls_custom_verification_check_request *request)
{
    (void)context; /* verification is synchronous: there is nothing to call off */
    (void)request;
}

static void on_destruct(void *context)
{
    struct verifier *verifier = context;

    KW_TAKEN(verifier);
    for (size_t i = 0; i < verifier->count; i++) {
        free(verifier->ids[i]);
    }
    free(verifier);
}

static struct verifier *copy_ids(const char *const *ids)
{
    struct verifier *verifier;
    size_t count = 0;

    while (ids[count] != NULL) {
        count++;
    }
    verifier = calloc(1, sizeof(*verifier) + count * sizeof(verifier->ids[0]));
    if (verifier == NULL) {
        return NULL;
    }
    for (; verifier->count < count; verifier->count++) {
        verifier->ids[verifier->count] = strdup(ids[verifier->count]);
        if (verifier->ids[verifier->count] == NULL) {
            on_destruct(verifier);
            return NULL;
        }
    }
    return verifier;
}

grpc_tls_certificate_verifier *kw_verifier_new(const char *const *ids)
{
    struct verifier *verifier = copy_ids(ids);

    if (verifier == NULL) {
        return NULL;
    }
    verifier->external.user_data = verifier;
    verifier->external.verify = on_verify;
    verifier->external.cancel = on_cancel;
    verifier->external.destruct = on_destruct;
    KW_GIVEN(verifier);
    return grpc_tls_certificate_verifier_external_create(&verifier->external);
}
