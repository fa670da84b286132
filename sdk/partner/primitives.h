/* The few primitives the SDK needs, on OpenSSL's EVP. Internal. */
#ifndef KEYWARD_PARTNER_PRIMITIVES_H
#define KEYWARD_PARTNER_PRIMITIVES_H

#include "keyward_partner.h"

struct kw_partner_part {
    const void *data;
    size_t size;
};

/* AES-256-CMAC over the parts, one after the other. 0: OpenSSL failed. */
int kw_partner_cmac(const uint8_t key[KW_PARTNER_KEY_SIZE], const struct kw_partner_part *parts,
                    size_t count, uint8_t ret_tag[KW_PARTNER_TAG_SIZE]);

/* RFC 5649 unwrap of exactly `plain_size` bytes. 0: not wrapped under this key, or OpenSSL failed.
 */
int kw_partner_unwrap(const uint8_t key[KW_PARTNER_KEY_SIZE], const uint8_t *wrapped, size_t size,
                      uint8_t *ret_plain, size_t plain_size);

/* Session keys from K_pd: SP 800-108 counter mode, label KEYWARD-SS-v1. 0: OpenSSL failed. */
int kw_partner_session_derive(const uint8_t partner_key[KW_PARTNER_KEY_SIZE],
                              const uint8_t *nonce_app, const uint8_t *nonce_pen, uint32_t counter,
                              struct kw_partner_session_keys *ret_keys);

/* AES-256-CCM with a 13-byte nonce and a 16-byte tag. 0: not authentic, or OpenSSL failed. */
int kw_partner_ccm(int encrypt, const uint8_t key[KW_PARTNER_KEY_SIZE], const uint8_t nonce[13],
                   const uint8_t *aad, size_t aad_size, const uint8_t *in, size_t size,
                   uint8_t *tag, uint8_t *ret_out);

int kw_partner_equal(const uint8_t *a, const uint8_t *b, size_t size);
uint32_t kw_partner_load32(const uint8_t *p);
uint64_t kw_partner_load64(const uint8_t *p);
void kw_partner_store32(uint8_t *p, uint32_t value);

#endif
