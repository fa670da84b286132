/* Certificates as cells tell one another. Key: the fingerprint. */
#ifndef KW_SERVICES_AUTHZ_CERTIFICATE_MERGE_H
#define KW_SERVICES_AUTHZ_CERTIFICATE_MERGE_H

#include "common/sync/record.h"

enum kw_certificate_field {
    KW_CERTIFICATE_FIELD_NAME = 1,
    KW_CERTIFICATE_FIELD_ROLE,
    KW_CERTIFICATE_FIELD_OWNER,
    KW_CERTIFICATE_FIELD_START,
    KW_CERTIFICATE_FIELD_EXPIRE,
    KW_CERTIFICATE_FIELD_KNOWN,   /* since when, and where first */
    KW_CERTIFICATE_FIELD_REVOKED, /* since when, where first, and why in words */
    KW_CERTIFICATE_FIELD_REASON,  /* by severity */
    KW_CERTIFICATE_FIELD_HOLDS,   /* each placed, and perhaps lifted */
    KW_CERTIFICATE_FIELD_END_,
};

extern const struct kw_record_kind kw_certificate_record;

/* For good? */
bool kw_certificate_record_revoked(const struct kw_record *record);

/* May nobody call with it, be it revoked or on hold? */
bool kw_certificate_record_stopped(const struct kw_record *record);

#endif
