/* Leaves of ours as rows. */
#include "services/authz/register.h"

enum kw_caller_role kw_register_role(enum kw_role role)
{
    switch (role) {
    case KW_ROLE_PARTNER:
        return KW_CALLER_PARTNER;
    case KW_ROLE_STATION:
        return KW_CALLER_STATION;
    case KW_ROLE_OPERATOR:
        return KW_CALLER_OPERATOR;
    case KW_ROLE_INVITATION:
        return KW_CALLER_INVITATION;
    case KW_ROLE_SERVICE:
    case KW_ROLE_COUNT_:
        break;
    }
    return KW_CALLER_SERVICE;
}

static struct kw_result leaf_read(const char *trust_domain, struct kw_bytes der, enum kw_role role,
                                  struct kw_certificate_row *row, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_validity validity;
    struct kw_spiffe id;

    KW_TRY(kw_certificate_from_der(&leaf, der, err));
    KW_TRY(kw_certificate_identity(&leaf, trust_domain, &id, err));
    KW_ENSURE(id.role == role, err, IDENTITY_INVALID, "a certificate for a %s",
              kw_role_name(id.role));
    KW_TRY(kw_certificate_validity(&leaf, &validity, err));
    KW_TRY(kw_certificate_fingerprint(&leaf, row->fingerprint, err));
    row->role = kw_register_role(role);
    row->owner = id.id;
    row->start_ms = validity.not_before_ms;
    row->expire_ms = validity.not_after_ms;
    return KW_OK;
}

struct kw_result kw_register_read(struct kw_authz_call *call,
                                  const Keyward__V1__IssuedCertificate *issued, enum kw_role role,
                                  struct kw_certificate_row *ret_row, struct kw_error *err)
{
    struct kw_certificate_row row = {.created_ms = call->now_ms};
    struct kw_error inner = {0};
    struct kw_result result;

    KW_ENSURE(issued != NULL && issued->n_chain > 0, err, INTERNAL,
              "an answer without certificate");
    result = leaf_read(call->authz->config->trust_domain, kw_bytes_field(issued->chain[0]), role,
                       &row, &inner);
    KW_ENSURE(kw_ok(result), err, INTERNAL, "issued certificate: %s", inner.message);
    row.name = issued->name;
    *ret_row = row;
    return KW_OK;
}
