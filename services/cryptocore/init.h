/* `keyward-cryptocore init`: from an empty token to everything a region's services need to
 * start. */
#ifndef KW_SERVICES_CRYPTOCORE_INIT_H
#define KW_SERVICES_CRYPTOCORE_INIT_H

#include "services/cryptocore/init_config.h"

/* Runs the ceremony for one region, of one cell or several, and writes below `config->out_dir`:
 *
 *     ceremony.kwb                    KEK and MAC key, wrapped for the recovery key: keep offline
 *     pki/root.pem, pki/ca-*.pem      the certificate authorities
 *     pki/client-ca.pem               the CAs of partners, stations, operators: what the edge trusts
 *     pki/checkpoint.pub              the checkpoint key, DER
 *     pki/services.list, .sig, .pem   the list, as signed, and the certificate of the officer who did
 *     credentials/CELL/NAME/          key.pem, cert.pem, ca.pem of each service of the list
 *     officers/NAME.pem               the officers' certificates, named by operator id
 *
 * Blocking. Fails: CONFIG_INVALID, SIGNATURE_INVALID (the list), ALREADY_EXISTS (the token is not
 * fresh), HSM_*, SYSTEM. Nothing is overwritten; a failed run leaves no keys on the token. */
struct kw_result kw_core_init(const struct kw_init_config *config, struct kw_error *err);

#endif
