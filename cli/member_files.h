/* What a member (or an invited one) keeps in its directory:
 *
 *     cli.yaml              settings with which `keyward` is this member
 *     key.pem cert.pem      TLS: private key (0600) and chain
 *     ca.pem                root of the gateway's chain
 *     transport-key.pem     the pair that transport keys are sealed for: private key (0600)
 *     transport-cert.pem    and chain
 *     transport-v1.cms      the transport key of that version as it came
 *     transport-v1.key      and opened: 32 bytes (0600)
 */
#ifndef KW_CLI_MEMBER_FILES_H
#define KW_CLI_MEMBER_FILES_H

#include "common/base/arena.h"
#include "common/crypto/key.h"
#include "common/rpc/client.h"
#include "keyward/v1/common.pb-c.h"

#include <limits.h>

/* Makes the directory, mode 0700, unless it is there. Fails: SYSTEM. */
struct kw_result kw_member_dir_make(const char *dir, struct kw_error *err);

/* The key in file `name`, made first if there is none: a call that got lost is repeated with the
 * same key. `ret_key` is made here. Fails: CONFIG_INVALID, ARGUMENT_INVALID, CRYPTO, SYSTEM,
 * MEMORY. */
struct kw_result kw_member_key(const char *dir, const char *name, enum kw_curve curve,
                               struct kw_private_key *ret_key, struct kw_error *err);

/* A certificate request by this key, in the arena. Fails: CRYPTO, MEMORY. */
struct kw_result kw_member_csr(const struct kw_private_key *key, struct kw_arena *arena,
                               ProtobufCBinaryData *ret_csr, struct kw_error *err);

/* Writes a chain as PEM. Fails: ARGUMENT_INVALID (absent, or not certificates), SYSTEM, MEMORY. */
struct kw_result kw_member_chain_write(const char *dir, const char *name,
                                       const Keyward__V1__IssuedCertificate *issued,
                                       struct kw_error *err);

/* Writes ca.pem and cli.yaml for who calls the same gateway as `from` with the certificate in this
 * directory. Fails: CONFIG_INVALID, SYSTEM, MEMORY. */
struct kw_result kw_member_settings_write(const char *dir, const struct kw_client_options *from,
                                          struct kw_error *err);

/* Keeps, and finds, the transport key of a version. Fail: SYSTEM; CONFIG_INVALID (none, or not 32
 * bytes). */
struct kw_result kw_transport_key_write(const char *dir, uint32_t version,
                                        const struct kw_secret *key, struct kw_error *err);
struct kw_result kw_transport_key_read(const char *dir, uint32_t version, struct kw_secret *ret_key,
                                       struct kw_error *err);

/* Keeps a transport key as it came. Fails: SYSTEM. */
struct kw_result kw_transport_cms_write(const char *dir, uint32_t version, struct kw_bytes cms,
                                        struct kw_error *err);

/* The directory a file lies in; `text` has PATH_MAX bytes. Returns `text`. */
char *kw_dir_of(const char *file, char *text);

#endif
