/* Keyward for pens: everything firmware needs to prove that it took its key, to open a session with
 * a partner's app, and to send its doses so that only that partner can read them.
 *
 * Portable C99: no heap, no clock, no I/O, no random numbers; of the C library only <stdint.h>,
 * <stddef.h>, memcpy, memset and strlen. The firmware supplies the AES-256 block function, nonces
 * from its random generator, and one counter kept in flash. Byte layouts: docs/formats-pen.md.
 *
 * Rules that hold for every function here:
 * - Nothing is retained but what a comment names; storage belongs to the caller.
 * - Any thread, but one thread at a time for the same device or session.
 * - `ret_x` is written only on KW_PEN_OK, unless the comment says that it is wiped on failure.
 * - Pointers are not NULL, except where a size of zero is given for them.
 * - Key material on the stack is wiped before return; tags are compared in constant time. */
#ifndef KEYWARD_PEN_H
#define KEYWARD_PEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KW_PEN_MUST_USE __attribute__((warn_unused_result))
#else
#define KW_PEN_MUST_USE
#endif

/* Sizes in bytes. */
#define KW_PEN_BLOCK_SIZE       16u
#define KW_PEN_KEY_SIZE         32u
#define KW_PEN_TAG_SIZE         16u
#define KW_PEN_ID_SIZE          16u /* device id, partner id */
#define KW_PEN_NONCE_SIZE       16u /* handshake nonces, provisioning challenge */
#define KW_PEN_WRAPPED_KEY_SIZE 40u /* a 32-byte key under RFC 5649 */
#define KW_PEN_CHECK_VALUE_SIZE 3u
#define KW_PEN_SALT_SIZE        8u
#define KW_PEN_CCM_NONCE_SIZE   13u
#define KW_PEN_M1_SIZE          38u
#define KW_PEN_M2_SIZE          36u
#define KW_PEN_M3_SIZE          16u
#define KW_PEN_HEADER_SIZE      8u
#define KW_PEN_DOSE_SIZE        12u /* plaintext of a dose record */
#define KW_PEN_DOSE_RECORD_SIZE 36u /* header, sealed dose, tag */
#define KW_PEN_ACK_SIZE         4u  /* plaintext of an acknowledgement */
#define KW_PEN_ACK_RECORD_SIZE  28u /* header, sealed acknowledgement, tag */

/* Limits. */
#define KW_PEN_CCM_TEXT_MAX    65535u /* a 13-byte nonce leaves two bytes for the length */
#define KW_PEN_CCM_AAD_MAX     65279u /* the two-byte length form of SP 800-38C ends here */
#define KW_PEN_RECORDS_MAX     65536u /* per session and direction; then a new handshake */
#define KW_PEN_SESSION_SECONDS 86400u /* the firmware ends an older session: no clock in here */

/* AES-256, counter KDF with CMAC, CCM. The only suite; M1 names it so that another can follow. */
#define KW_PEN_SUITE_AES256 0x0001u

enum kw_pen_result {
    KW_PEN_OK = 0,
    KW_PEN_E_AES,       /* the AES hook reported a failure, or has no decrypt */
    KW_PEN_E_ARGUMENT,  /* a value the format cannot carry */
    KW_PEN_E_LENGTH,    /* input shorter or longer than its layout says */
    KW_PEN_E_WRAP,      /* wrapped key altered, or wrapped under another key */
    KW_PEN_E_SUITE,     /* M1 asks for an unknown suite */
    KW_PEN_E_EPOCH,     /* M1 names an epoch below the pen's minimum: the key was rotated away */
    KW_PEN_E_COUNTER,   /* session counter not greater than the last one used */
    KW_PEN_E_TAG,       /* message or record not authentic */
    KW_PEN_E_STATE,     /* call out of order: no session is open, or no M3 is awaited */
    KW_PEN_E_DIRECTION, /* a record of our own came back */
    KW_PEN_E_FORMAT,    /* authentic, or claims to be, but is not what is allowed here */
    KW_PEN_E_REPLAY,    /* sequence number seen before */
    KW_PEN_E_GAP,       /* sequence number skipped: a record was lost or withheld */
    KW_PEN_E_LIMIT      /* the session's records are used up */
};

/* Encrypts or decrypts one block with AES-256. `in` and `ret_out` may be the same block.
 * Returns 0 on success; a hardware engine that fails returns anything else. */
typedef int (*kw_pen_aes256_fn)(void *ctx, const uint8_t key[KW_PEN_KEY_SIZE],
                                const uint8_t in[KW_PEN_BLOCK_SIZE],
                                uint8_t ret_out[KW_PEN_BLOCK_SIZE]);

/* The firmware's AES. `decrypt` is needed by kw_pen_key_unwrap alone and may be NULL elsewhere. */
struct kw_pen_aes {
    kw_pen_aes256_fn encrypt;
    kw_pen_aes256_fn decrypt;
    void *ctx;
};

/* ---- CMAC: cmac.c ---------------------------------------------------------------------------- */

/* One running AES-256-CMAC (SP 800-38B). Borrows `aes` and `key` until the final call. */
struct kw_pen_cmac {
    const struct kw_pen_aes *aes;
    const uint8_t *key;
    uint8_t state[KW_PEN_BLOCK_SIZE];
    uint8_t block[KW_PEN_BLOCK_SIZE];
    size_t fill;
    int hook_failed; /* sticky, so that only the final call needs checking */
};

void kw_pen_cmac_init(struct kw_pen_cmac *mac, const struct kw_pen_aes *aes,
                      const uint8_t key[KW_PEN_KEY_SIZE]);
void kw_pen_cmac_update(struct kw_pen_cmac *mac, const uint8_t *data, size_t size);

/* Ends the computation and wipes `mac` whatever happens. Fails: E_AES. */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_cmac_final(struct kw_pen_cmac *mac,
                                                     uint8_t ret_tag[KW_PEN_TAG_SIZE]);

/* ---- Key derivation: kdf.c ------------------------------------------------------------------- */

struct kw_pen_session_keys {
    uint8_t enc[KW_PEN_KEY_SIZE];
    uint8_t auth[KW_PEN_KEY_SIZE];
    uint8_t salt[KW_PEN_SALT_SIZE];
};

/* K_pd from K_dev, for one partner, epoch and suite (SP 800-108 counter mode, CMAC).
 * Fails: E_AES; `ret_key` is then wiped. The caller wipes the key after use (kw_pen_wipe). */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_partner_key(const struct kw_pen_aes *aes,
                                                      const uint8_t device_key[KW_PEN_KEY_SIZE],
                                                      const uint8_t partner_id[KW_PEN_ID_SIZE],
                                                      uint32_t epoch, uint16_t suite,
                                                      uint8_t ret_key[KW_PEN_KEY_SIZE]);

/* Session keys from K_pd and what both sides brought to this connection.
 * Fails: E_AES. The caller wipes the keys after use (kw_pen_wipe). */
KW_PEN_MUST_USE enum kw_pen_result
kw_pen_session_keys_derive(const struct kw_pen_aes *aes, const uint8_t partner_key[KW_PEN_KEY_SIZE],
                           const uint8_t nonce_app[KW_PEN_NONCE_SIZE],
                           const uint8_t nonce_pen[KW_PEN_NONCE_SIZE], uint32_t session_counter,
                           struct kw_pen_session_keys *ret_keys);

/* ---- CCM: ccm.c ------------------------------------------------------------------------------ */

/* What both directions of AES-256-CCM (SP 800-38C; 13-byte nonce, 16-byte tag) have in common.
 * All borrowed for the call. A nonce must never be used twice with one key. */
struct kw_pen_ccm {
    const struct kw_pen_aes *aes;
    const uint8_t *key;   /* KW_PEN_KEY_SIZE */
    const uint8_t *nonce; /* KW_PEN_CCM_NONCE_SIZE */
    const uint8_t *aad;   /* authenticated, not encrypted; may be NULL when aad_size is 0 */
    size_t aad_size;
};

/* Encrypts and authenticates; `ret_cipher` (size bytes) may be `plain` itself.
 * Fails: E_LENGTH (nothing written), E_AES (`ret_cipher` wiped). */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_ccm_seal(const struct kw_pen_ccm *ccm,
                                                   const uint8_t *plain, size_t size,
                                                   uint8_t *ret_cipher,
                                                   uint8_t ret_tag[KW_PEN_TAG_SIZE]);

/* Checks and decrypts; `ret_plain` (size bytes) may be `cipher` itself.
 * Fails: E_LENGTH (nothing written), E_AES, E_TAG (`ret_plain` wiped: no unchecked plaintext). */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_ccm_open(const struct kw_pen_ccm *ccm,
                                                   const uint8_t *cipher, size_t size,
                                                   const uint8_t tag[KW_PEN_TAG_SIZE],
                                                   uint8_t *ret_plain);

/* ---- The pen --------------------------------------------------------------------------------- */

/* What the pen is, loaded by the firmware from protected storage. Outlives its sessions. */
struct kw_pen_device {
    struct kw_pen_aes aes;
    uint8_t key[KW_PEN_KEY_SIZE]; /* K_dev */
    uint8_t id[KW_PEN_ID_SIZE];
    uint32_t min_epoch;    /* kept in flash; only ever raised */
    uint32_t counter_last; /* last session counter used, kept in flash; 0 in a new pen */
};

/* ---- Provisioning: provision.c --------------------------------------------------------------- */

/* Unwraps the 40-byte key blob of the line (RFC 5649), where the pen's secure element rather than
 * the station's programmer holds the line key. Needs aes->decrypt.
 * Fails: E_LENGTH, E_WRAP, E_AES (also when `decrypt` is NULL). */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_key_unwrap(const struct kw_pen_aes *aes,
                                                     const uint8_t line_key[KW_PEN_KEY_SIZE],
                                                     const uint8_t *wrapped, size_t wrapped_size,
                                                     uint8_t ret_key[KW_PEN_KEY_SIZE]);

/* First three bytes of CMAC(key, 16 zero bytes): tells whether a key arrived whole, without
 * revealing it. Fails: E_AES. */
KW_PEN_MUST_USE enum kw_pen_result
kw_pen_check_value(const struct kw_pen_aes *aes, const uint8_t key[KW_PEN_KEY_SIZE],
                   uint8_t ret_check_value[KW_PEN_CHECK_VALUE_SIZE]);

/* Answers the station's challenge: CMAC(K_dev, "KEYWARD-PROV" | challenge | device id).
 * Fails: E_AES. */
KW_PEN_MUST_USE enum kw_pen_result
kw_pen_possession_proof(const struct kw_pen_device *device,
                        const uint8_t challenge[KW_PEN_NONCE_SIZE],
                        uint8_t ret_tag[KW_PEN_TAG_SIZE]);

/* ---- Session: handshake.c -------------------------------------------------------------------- */

enum kw_pen_session_state {
    KW_PEN_SESSION_CLOSED = 0, /* also the state of zeroed storage */
    KW_PEN_SESSION_AWAITS_M3,
    KW_PEN_SESSION_OPEN
};

/* One connection. The caller provides zeroed storage and does not touch the fields. */
struct kw_pen_session {
    enum kw_pen_session_state state;
    const struct kw_pen_aes *aes; /* borrowed from the device */
    uint8_t key_enc[KW_PEN_KEY_SIZE];
    uint8_t salt[KW_PEN_SALT_SIZE];
    uint8_t m3_expected[KW_PEN_M3_SIZE];
    uint32_t sent;     /* sequence number of the last record sealed */
    uint32_t received; /* sequence number of the last record opened */
};

/* Answers M1 with M2 and makes `session` await M3. An earlier session in the same storage ends.
 *
 * `nonce_pen` comes from the pen's random generator, fresh for this call. `counter` is greater than
 * device->counter_last and already written to flash: were it written later, a power cut after M2
 * would let a counter be used twice. On success device->counter_last becomes `counter`.
 *
 * Fails: E_LENGTH (M1 not KW_PEN_M1_SIZE), E_SUITE, E_EPOCH (below device->min_epoch), E_COUNTER,
 * E_AES. The session is then closed and device->counter_last unchanged. */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_handshake_answer(
    struct kw_pen_session *session, struct kw_pen_device *device, const uint8_t *m1, size_t m1_size,
    const uint8_t nonce_pen[KW_PEN_NONCE_SIZE], uint32_t counter, uint8_t ret_m2[KW_PEN_M2_SIZE]);

/* Checks M3, the proof that the app's side holds K_pd too, and opens the session for records.
 * There is one try for each M1.
 * Fails: E_STATE (session unchanged), E_LENGTH, E_TAG (session closed; the firmware counts these
 * and backs off). */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_handshake_finish(struct kw_pen_session *session,
                                                           const uint8_t *m3, size_t m3_size);

/* Wipes the session. At disconnect, after KW_PEN_SESSION_SECONDS, and any time else. */
void kw_pen_session_close(struct kw_pen_session *session);

/* ---- Records: record.c ----------------------------------------------------------------------- */

enum kw_pen_dose_type {
    KW_PEN_DOSE_INJECTED = 1,
    KW_PEN_DOSE_PRIMED = 2, /* air shot: expelled, not injected */
    KW_PEN_DOSE_UNKNOWN = 3 /* expelled, and the pen cannot tell which */
};

#define KW_PEN_DOSE_FLAG_LAST       0x01u /* newest dose in the log: the transfer is complete */
#define KW_PEN_DOSE_FLAG_TIME_UNSET 0x02u /* time counts from power-up: the clock was never set */
#define KW_PEN_DOSE_FLAG_PARTIAL    0x04u /* less was expelled than was dialled */
#define KW_PEN_DOSE_FLAGS           0x07u /* all of them; the other bits are 0 */

struct kw_pen_dose {
    uint32_t time_s;     /* seconds since 1970-01-01 00:00:00 UTC */
    uint16_t units_x100; /* hundredths of an international unit */
    uint8_t type;        /* enum kw_pen_dose_type */
    uint8_t flags;       /* KW_PEN_DOSE_FLAG_... */
    uint32_t number;     /* dense from 1 over the pen's life: shows a dose left out */
};

/* Seals one dose as the session's next record to the app. Which doses this partner may read is the
 * firmware's decision before this call.
 * Fails: E_STATE (not open), E_LIMIT (KW_PEN_RECORDS_MAX sent), E_ARGUMENT (unknown type or flag,
 * number 0), E_AES. No sequence number is used up by a failure, and no record was released. */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_dose_seal(struct kw_pen_session *session,
                                                    const struct kw_pen_dose *dose,
                                                    uint8_t ret_record[KW_PEN_DOSE_RECORD_SIZE]);

/* Opens the app's acknowledgement: every record up to and including `*ret_sequence` has arrived
 * (0: none has).
 * Fails: E_STATE (not open), E_LENGTH, E_DIRECTION, E_FORMAT (another kind, or acknowledges what
 * was not sent), E_REPLAY, E_GAP, E_LIMIT, E_TAG, E_AES. The session is unchanged by a failure. */
KW_PEN_MUST_USE enum kw_pen_result kw_pen_ack_open(struct kw_pen_session *session,
                                                   const uint8_t *record, size_t size,
                                                   uint32_t *ret_sequence);

/* ---- Bytes: bytes.c -------------------------------------------------------------------------- */

/* Overwrites with zeros in a way the compiler may not leave out. */
void kw_pen_wipe(void *data, size_t size);

/* 1 if equal, 0 if not; the time depends on `size` only. */
int kw_pen_equal(const uint8_t *a, const uint8_t *b, size_t size);

#ifdef __cplusplus
}
#endif
#endif
