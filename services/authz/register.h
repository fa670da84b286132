/* Registering certificates the core has issued: from the answer that carries one to its row. */
#ifndef KW_SERVICES_AUTHZ_REGISTER_H
#define KW_SERVICES_AUTHZ_REGISTER_H

#include "keyward/v1/common.pb-c.h"
#include "services/authz/call.h"
#include "services/authz/certificate_table.h"

/* Reads the leaf of `issued`, whose one URI SAN must name a party of `role`; the row's owner is
 * that party. Fails: INTERNAL (inner layers sent something else), MEMORY, CRYPTO. */
struct kw_result kw_register_read(struct kw_authz_call *call,
                                  const Keyward__V1__IssuedCertificate *issued, enum kw_role role,
                                  struct kw_certificate_row *ret_row, struct kw_error *err);

/* The bit of the method table for a role a certificate names. */
enum kw_caller_role kw_register_role(enum kw_role role);

#endif
