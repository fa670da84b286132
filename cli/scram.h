/* What PostgreSQL keeps of a password (SCRAM-SHA-256, RFC 5803): enough to recognise who has it, and no use to who wants to log in. */
#ifndef KW_CLI_SCRAM_H
#define KW_CLI_SCRAM_H

#include "common/base/secret.h"

#define KW_SCRAM_SALT_LEN      16
#define KW_SCRAM_VERIFIER_SIZE 192

/* "SCRAM-SHA-256$4096:SALT$STORED-KEY:SERVER-KEY". The password is ASCII. Fails: CRYPTO, MEMORY, SYSTEM. */
struct kw_result kw_scram_verifier(const struct kw_secret *password,
                                   const uint8_t salt[KW_SCRAM_SALT_LEN],
                                   char ret_text[KW_SCRAM_VERIFIER_SIZE], struct kw_error *err);

#endif
