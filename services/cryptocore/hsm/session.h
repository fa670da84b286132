/* One PKCS#11 session and the keys found through it: what an operation works with.
 *
 * Handles of objects mean something for this session only; they are found again by label after a
 * loss. The session is read-only towards the token except in the ceremony: what an operation makes
 * is a session object, destroyed before it returns. One thread.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_SESSION_H
#define KW_SERVICES_CRYPTOCORE_HSM_SESSION_H

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "services/cryptocore/hsm/errors.h"
#include "services/cryptocore/hsm/module.h"
#include "services/cryptocore/hsm/stats.h"

#define KW_HSM_RANDOM_TAIL 16

struct kw_hsm_kek {
    uint32_t version;
    CK_OBJECT_HANDLE handle;
};

struct kw_hsm_session {
    struct kw_hsm_module *module; /* borrowed */
    CK_SESSION_HANDLE handle;     /* CK_INVALID_HANDLE: closed */
    CK_FLAGS flags;
    struct kw_hsm_kek keks[KW_HSM_KEK_VERSIONS_MAX];
    size_t kek_count;
    CK_OBJECT_HANDLE mac_key;
    CK_OBJECT_HANDLE
    canary; /* always the token's own object: it shows whether the token is there */
    enum kw_hsm_class fault; /* of the last PKCS#11 call that failed; reset by whoever acts on it */
    CK_RV fault_rv;          /* that call's return value */
    bool whole;    /* open, logged in, and all keys found: without that nothing is asked of it */
    bool littered; /* an object could not be destroyed: only the session's end removes it */
    uint8_t last_random[KW_HSM_RANDOM_TAIL]; /* end of what the HSM's generator gave last */
    uint32_t calls[KW_C_COUNT_];
    struct kw_buf scratch; /* input of a MAC, in one piece; public bytes only */
};

enum kw_hsm_access {
    KW_HSM_READ_ONLY,
    KW_HSM_READ_WRITE
};

/* Opens a session and logs in. Fails: HSM_LOGIN_REFUSED, CONFIG_INVALID (PIN or lock file), HSM_*.
 */
struct kw_result kw_hsm_session_open(struct kw_hsm_session *session, struct kw_hsm_module *module,
                                     enum kw_hsm_access access, struct kw_error *err);

/* Accepts NULL and zeroed. */
void kw_hsm_session_close(struct kw_hsm_session *session);

/* Finds the canary, then the MAC key and all KEK versions. On a provider whose token keys are read
 * from disk at each use the last two are copied to session objects with the same attributes. Fails:
 * HSM_KEY_MISSING (`fault` is DEVICE when even the canary is missing: wiped, or not our token),
 * HSM_UNAVAILABLE (the canary is unwell), HSM_*. */
struct kw_result kw_hsm_session_keys(struct kw_hsm_session *session, struct kw_error *err);

/* After a lost session or object: closes all sessions, libp11's too, opens one, logs in and finds
 * the keys again. Fails: as those; without a canary HSM_UNAVAILABLE, since a token that vanished
 * under a running process looks the same as a wiped one: only a new process can tell. */
struct kw_result kw_hsm_session_recover(struct kw_hsm_session *session, struct kw_error *err);

/* The first half of that: another session, logged in, that knows no keys. */
struct kw_result kw_hsm_session_reconnect(struct kw_hsm_session *session, struct kw_error *err);

/* The KEK of this version. Fails: HSM_KEY_MISSING. */
struct kw_result kw_hsm_session_kek(const struct kw_hsm_session *session, uint32_t version,
                                    CK_OBJECT_HANDLE *ret_kek, struct kw_error *err);

/* CMAC of the canary against its known answer. Fails: HSM_SELF_TEST (another answer),
 * HSM_UNAVAILABLE, both with `fault` DEVICE; with `fault` SESSION or HANDLE nothing is known of the
 * HSM until the session was recovered. */
struct kw_result kw_hsm_session_probe(struct kw_hsm_session *session, struct kw_error *err);

/* The HSM gave a wrong answer: marks it as unwell and fails with HSM_SELF_TEST. */
struct kw_result kw_hsm_session_distrust(struct kw_hsm_session *session, const char *what,
                                         struct kw_error *err);

/* Counts a call and turns its return value into a result, noting the class of a failure. Use KW_C.
 */
struct kw_result kw_hsm_session_result(struct kw_hsm_session *session,
                                       enum kw_hsm_function function, CK_RV rv,
                                       struct kw_error *err);

/* KW_C(session, WrapKey, &mechanism, …): C_WrapKey on this session, counted, as a kw_result; detail
 * goes to the `err` in scope. */
#define KW_C(session, name, ...)                                                                   \
    kw_hsm_session_result((session), KW_C_##name,                                                  \
                          (session)->module->functions->C_##name((session)->handle, __VA_ARGS__),  \
                          err)

#endif
