/* Keyward for partners: what a backend does with what it is given.
 *
 *     CMS from Enroll ──▶ transport key ──▶ proof for ConfirmTransportKey
 *     envelope from GetDeviceAccess ──▶ partner key ──▶ handshake with the pen ──▶ dose records
 *     envelope from DeriveSession ──▶ session keys ───────────▲
 *
 * C99 and OpenSSL 3; includes nothing else of Keyward. Byte layouts: docs/formats.md and
 * docs/formats-pen.md.
 *
 * Rules that hold for every function: storage belongs to the caller; nothing is retained; `ret_x`
 * is written only on KW_PARTNER_OK; any thread, one at a time for the same session; tags are
 * compared in constant time. Keys in these structs are plain bytes: wipe them with kw_partner_wipe
 * when done.
 */
#ifndef KEYWARD_PARTNER_H
#define KEYWARD_PARTNER_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define KW_PARTNER_MUST_USE __attribute__((warn_unused_result))
#else
#define KW_PARTNER_MUST_USE
#endif

#define KW_PARTNER_KEY_SIZE         32U
#define KW_PARTNER_ID_SIZE          16U
#define KW_PARTNER_NONCE_SIZE       16U
#define KW_PARTNER_TAG_SIZE         16U
#define KW_PARTNER_SALT_SIZE        8U
#define KW_PARTNER_M1_SIZE          38U
#define KW_PARTNER_M2_SIZE          36U
#define KW_PARTNER_M3_SIZE          16U
#define KW_PARTNER_DOSE_RECORD_SIZE 36U
#define KW_PARTNER_ACK_RECORD_SIZE  28U
#define KW_PARTNER_REGION_SIZE      64U
#define KW_PARTNER_RECORDS_MAX      65536U
#define KW_PARTNER_SUITE_AES256     1U

enum kw_partner_result {
    KW_PARTNER_OK = 0,
    KW_PARTNER_E_CRYPTO,    /* OpenSSL failed */
    KW_PARTNER_E_FORMAT,    /* not the layout: truncated, too long, unknown kind or suite */
    KW_PARTNER_E_OWNER,     /* made for another partner, device or transport key version */
    KW_PARTNER_E_EXPIRED,   /* the envelope may no longer be used */
    KW_PARTNER_E_AUTHENTIC, /* a tag, a wrapping or a MAC is wrong */
    KW_PARTNER_E_REPLAY,    /* session counter or record seen before */
    KW_PARTNER_E_GAP,       /* a record was lost or withheld */
    KW_PARTNER_E_LIMIT      /* the session's records are used up */
};

/* ---- transport key: transport.c ---- */

/* Opens the CMS EnvelopedData of Enroll with the transport certificate and its private key (P-384).
 * Fails: E_FORMAT, E_AUTHENTIC, E_CRYPTO. */
KW_PARTNER_MUST_USE enum kw_partner_result
kw_partner_transport_open(const uint8_t *cms, size_t cms_size, EVP_PKEY *key, X509 *certificate,
                          uint8_t ret_transport_key[KW_PARTNER_KEY_SIZE]);

/* The proof for ConfirmTransportKey: CMAC(PTK, "KEYWARD-PTK-OK" | nonce). Fails: E_CRYPTO. */
KW_PARTNER_MUST_USE enum kw_partner_result
kw_partner_transport_proof(const uint8_t transport_key[KW_PARTNER_KEY_SIZE],
                           const uint8_t nonce[KW_PARTNER_NONCE_SIZE],
                           uint8_t ret_proof[KW_PARTNER_TAG_SIZE]);

/* ---- envelopes: envelope.c ---- */

struct kw_partner_session_keys {
    uint8_t enc[KW_PARTNER_KEY_SIZE];
    uint8_t auth[KW_PARTNER_KEY_SIZE];
    uint8_t salt[KW_PARTNER_SALT_SIZE];
};

enum kw_partner_envelope_kind {
    KW_PARTNER_ENVELOPE_KEY = 1,
    KW_PARTNER_ENVELOPE_SESSION = 2
};

struct kw_partner_envelope {
    uint16_t suite;
    enum kw_partner_envelope_kind kind;
    uint8_t device[KW_PARTNER_ID_SIZE];
    uint8_t key[KW_PARTNER_ID_SIZE];
    uint8_t partner[KW_PARTNER_ID_SIZE];
    uint32_t epoch;
    uint32_t transport_version;
    uint8_t receipt[KW_PARTNER_ID_SIZE];
    uint64_t issued_ms; /* since 1970 */
    uint64_t expires_ms;
    char region[KW_PARTNER_REGION_SIZE];
    uint8_t nonce_app[KW_PARTNER_NONCE_SIZE]; /* zero unless kind is SESSION */
    uint8_t nonce_pen[KW_PARTNER_NONCE_SIZE];
    uint32_t counter;
    uint8_t partner_key[KW_PARTNER_KEY_SIZE];    /* kind KEY */
    struct kw_partner_session_keys session_keys; /* kind SESSION */
};

/* What the caller expects: an envelope that says otherwise is refused, whoever sent it. */
struct kw_partner_expected {
    const uint8_t *partner; /* KW_PARTNER_ID_SIZE: this partner */
    const uint8_t *device;  /* KW_PARTNER_ID_SIZE: the pen that was asked for */
    uint32_t transport_version;
    uint64_t now_ms;
};

/* Reads, unwraps, and checks the MAC by the key that was unwrapped, over every field.
 * Fails: E_FORMAT, E_OWNER, E_EXPIRED, E_AUTHENTIC, E_CRYPTO. */
KW_PARTNER_MUST_USE enum kw_partner_result kw_partner_envelope_open(
    const uint8_t *sealed, size_t size, const uint8_t transport_key[KW_PARTNER_KEY_SIZE],
    const struct kw_partner_expected *expected, struct kw_partner_envelope *ret_envelope);

/* ---- the pen: session.c ---- */

/* One connection with a pen. Zero it before use; do not touch the fields. */
struct kw_partner_session {
    uint8_t m1[KW_PARTNER_M1_SIZE];
    struct kw_partner_session_keys keys;
    uint32_t counter;  /* the pen's, of this session: keep it as `counter_last` for the next one */
    uint32_t received; /* sequence of the last record opened */
    uint32_t sent;     /* sequence of the last acknowledgement */
    int open;
};

/* Makes M1. `nonce_app` is random and fresh. */
void kw_partner_hello(struct kw_partner_session *session, const uint8_t partner[KW_PARTNER_ID_SIZE],
                      uint32_t epoch, const uint8_t nonce_app[KW_PARTNER_NONCE_SIZE],
                      uint8_t ret_m1[KW_PARTNER_M1_SIZE]);

/* Checks M2 with the partner key (from an envelope of kind KEY) and makes M3; the session is then
 * open. `counter_last` is the greatest session counter seen from this pen. A refusal changes
 * nothing: the next M2 may be tried. Fails: E_FORMAT (also without kw_partner_hello, or when open),
 * E_REPLAY, E_AUTHENTIC, E_CRYPTO. */
KW_PARTNER_MUST_USE enum kw_partner_result
kw_partner_handshake(struct kw_partner_session *session,
                     const uint8_t partner_key[KW_PARTNER_KEY_SIZE], const uint8_t *m2,
                     size_t m2_size, uint32_t counter_last, uint8_t ret_m3[KW_PARTNER_M3_SIZE]);

/* The same with session keys that Keyward derived from M2's nonce and counter (envelope of kind
 * SESSION). Fails also: E_OWNER (the envelope is of another session). */
KW_PARTNER_MUST_USE enum kw_partner_result kw_partner_handshake_derived(
    struct kw_partner_session *session, const struct kw_partner_envelope *envelope,
    const uint8_t *m2, size_t m2_size, uint32_t counter_last, uint8_t ret_m3[KW_PARTNER_M3_SIZE]);

struct kw_partner_dose {
    uint32_t time_s;
    uint16_t units_x100;
    uint8_t type;  /* 1 injected, 2 primed, 3 expelled */
    uint8_t flags; /* 1 last, 2 clock never set, 4 partial */
    uint32_t number;
};

/* Opens the next dose record. A refusal changes nothing. Fails: E_FORMAT (also when no session is
 * open), E_REPLAY, E_GAP, E_LIMIT, E_AUTHENTIC, E_CRYPTO. */
KW_PARTNER_MUST_USE enum kw_partner_result kw_partner_dose_open(struct kw_partner_session *session,
                                                                const uint8_t *record, size_t size,
                                                                struct kw_partner_dose *ret_dose);

/* Acknowledges every record opened so far. Fails: E_FORMAT (no session), E_LIMIT, E_CRYPTO. */
KW_PARTNER_MUST_USE enum kw_partner_result
kw_partner_ack_seal(struct kw_partner_session *session,
                    uint8_t ret_record[KW_PARTNER_ACK_RECORD_SIZE]);

/* Overwrites with zeros in a way the compiler may not leave out. */
void kw_partner_wipe(void *data, size_t size);

#endif
