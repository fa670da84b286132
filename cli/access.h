/* A partner's main job: a key asked for, its envelope checked and opened, a pen's log read with it.
 * The checking is sdk/partner's; here it meets the connection and the partner's directory
 * (member_files.h). */
#ifndef KW_CLI_ACCESS_H
#define KW_CLI_ACCESS_H

#include "cli/connection.h"
#include "cli/pen_sim.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "sdk/partner/keyward_partner.h"

/* Who opens. Plain data. */
struct kw_access_owner {
    const char *dir;      /* holds the transport keys */
    struct kw_id partner; /* whom envelopes must be for */
};

/* The owner whose certificate this is, in the trust domain of `peer`; its transport keys lie beside
 * it. `dir` has PATH_MAX bytes. Fails: CONFIG_INVALID, ARGUMENT_INVALID, IDENTITY_INVALID (not a
 * partner's). */
struct kw_result kw_access_owner_from_cert(const char *cert_file, const char *peer, char *dir,
                                           struct kw_access_owner *ret_owner, struct kw_error *err);

/* Opens an envelope that must be for this owner and this device, and checks its MAC. Wipe
 * `ret_envelope` with kw_partner_wipe. Fails: BINDING_INVALID (not for us, expired, or not
 * authentic), ENCODING_INVALID, CONFIG_INVALID (no transport key of that version). */
struct kw_result kw_access_open(const struct kw_access_owner *owner,
                                const Keyward__V1__KeyEnvelope *envelope, struct kw_id device,
                                struct kw_partner_envelope *ret_envelope, struct kw_error *err);

#define KW_ACCESS_DOSES 5U

/* What came over in a session with a pen. Plain data. */
struct kw_access_log {
    struct kw_partner_dose doses[KW_ACCESS_DOSES];
    size_t count;
    uint32_t acknowledged; /* the last sequence that the pen knows has arrived */
};

struct kw_access_session {
    struct kw_connection *connection;
    const struct kw_access_owner *owner;
    const Keyward__V1__GetDeviceAccessRequest *request; /* device, epoch, purpose, grant */
    struct kw_id device;
    bool derive; /* session keys by DeriveSession: K_pd stays in the HSM */
};

/* Handshake with a simulated pen by which `KW_ACCESS_DOSES` doses were given, and its log. Fails:
 * as kw_connection_call and kw_access_open; BINDING_INVALID (either side refuses the other). */
struct kw_result kw_access_read(const struct kw_access_session *session, struct kw_pen_sim *pen,
                                struct kw_arena *arena, struct kw_access_log *ret_log,
                                struct kw_error *err);

#endif
