/* Opening envelopes, and the app's side of a session with a simulated pen. */
#include "cli/access.h"

#include "cli/member_files.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/pki/certificate.h"
#include "common/rpc/messages.h"

static const char *result_text(enum kw_partner_result result)
{
    static const char *const texts[] = {
        [KW_PARTNER_OK] = "ok",
        [KW_PARTNER_E_CRYPTO] = "OpenSSL failed",
        [KW_PARTNER_E_FORMAT] = "not the layout",
        [KW_PARTNER_E_OWNER] = "made for another partner, device or session",
        [KW_PARTNER_E_EXPIRED] = "it has expired",
        [KW_PARTNER_E_AUTHENTIC] = "a tag, a wrapping or a MAC is wrong",
        [KW_PARTNER_E_REPLAY] = "seen before",
        [KW_PARTNER_E_GAP] = "a record was lost or withheld",
        [KW_PARTNER_E_LIMIT] = "the session is used up",
    };

    return (size_t)result < sizeof(texts) / sizeof(texts[0]) ? texts[result] : "unknown";
}

static struct kw_result accepted(enum kw_partner_result result, const char *what,
                                 struct kw_error *err)
{
    KW_ENSURE(result == KW_PARTNER_OK, err, BINDING_INVALID, "%s: %s", what, result_text(result));
    return KW_OK;
}

struct kw_result kw_access_owner_from_cert(const char *cert_file, const char *peer, char *dir,
                                           struct kw_access_owner *ret_owner, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    struct kw_spiffe gateway;
    struct kw_spiffe id;

    KW_ENSURE(cert_file != NULL, err, CONFIG_INVALID, "cert_file is not set");
    KW_TRY(kw_file_read(cert_file, KW_CREDENTIALS_FILE_LEN_MAX, &pem, err));
    KW_TRY(kw_certificate_from_pem(&certificate, kw_buf_bytes(&pem), err));
    KW_TRY(kw_spiffe_parse(kw_bytes_str(peer), &gateway, err));
    KW_TRY(kw_certificate_identity(&certificate, gateway.trust_domain, &id, err));
    KW_ENSURE(id.role == KW_ROLE_PARTNER, err, IDENTITY_INVALID, "%s is not a partner's",
              cert_file);
    *ret_owner = (struct kw_access_owner){.dir = kw_dir_of(cert_file, dir), .partner = id.id};
    return KW_OK;
}

struct kw_result kw_access_open(const struct kw_access_owner *owner,
                                const Keyward__V1__KeyEnvelope *envelope, struct kw_id device,
                                struct kw_partner_envelope *ret_envelope, struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    struct kw_partner_expected expected = {
        .partner = owner->partner.bytes, .device = device.bytes, .now_ms = kw_clock_wall_ms()};

    KW_ENSURE(envelope != NULL, err, ENCODING_INVALID, "the answer has no envelope");
    expected.transport_version = envelope->transport_key_version;
    KW_TRY(kw_transport_key_read(owner->dir, expected.transport_version, &key, err));
    return accepted(kw_partner_envelope_open(envelope->sealed.data, envelope->sealed.len, key.slot,
                                             &expected, ret_envelope),
                    "the envelope", err);
}

/* --- a session --- */

/* Both sides of a session, while it runs. */
struct talk {
    const struct kw_access_session *plan;
    struct kw_partner_session app;
    struct kw_pen_sim *pen;
    uint8_t m1[KW_PARTNER_M1_SIZE];
    uint8_t m2[KW_PARTNER_M2_SIZE];
    uint8_t m3[KW_PARTNER_M3_SIZE];
};

static struct kw_result say_hello(struct talk *talk, struct kw_error *err)
{
    uint8_t nonce[KW_PARTNER_NONCE_SIZE];

    KW_TRY(kw_random(nonce, sizeof(nonce), err));
    kw_partner_hello(&talk->app, talk->plan->owner->partner.bytes, talk->plan->request->epoch,
                     nonce, talk->m1);
    return kw_pen_sim_answer(talk->pen, KW_BYTES_OF(talk->m1), talk->m2, err);
}

/* With the partner key: this side derives the session. */
static struct kw_result prove_by_key(struct talk *talk, struct kw_arena *arena,
                                     struct kw_error *err)
{
    const struct kw_access_session *plan = talk->plan;
    Keyward__V1__GetDeviceAccessRequest request = *plan->request;
    struct kw_partner_envelope envelope = {0};
    ProtobufCMessage *response = NULL;
    struct kw_result result;

    KW_TRY(kw_connection_call(plan->connection, KW_METHOD_GET_DEVICE_ACCESS, &request.base, arena,
                              &response, err));
    KW_TRY(kw_access_open(plan->owner, ((Keyward__V1__GetDeviceAccessResponse *)response)->envelope,
                          plan->device, &envelope, err));
    result = accepted(kw_partner_handshake(&talk->app, envelope.partner_key, talk->m2,
                                           sizeof(talk->m2), 0, talk->m3),
                      "the pen's answer", err);
    kw_partner_wipe(&envelope, sizeof(envelope));
    return result;
}

/* With session keys: the HSM derived them from both nonces. */
static struct kw_result prove_by_session(struct talk *talk, struct kw_arena *arena,
                                         struct kw_error *err)
{
    const struct kw_access_session *plan = talk->plan;
    Keyward__V1__DeriveSessionRequest request = KEYWARD__V1__DERIVE_SESSION_REQUEST__INIT;
    struct kw_partner_envelope envelope = {0};
    ProtobufCMessage *response = NULL;
    struct kw_result result;

    request.selector_case = KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE;
    request.device = plan->request->device;
    request.epoch = plan->request->epoch;
    request.purpose = plan->request->purpose;
    request.grant = plan->request->grant;
    request.nonce_app = (ProtobufCBinaryData){KW_PARTNER_NONCE_SIZE, talk->m1 + 22};
    request.nonce_pen = (ProtobufCBinaryData){KW_PARTNER_NONCE_SIZE, talk->m2};
    request.session_counter = talk->pen->device.counter_last;
    KW_TRY(kw_connection_call(plan->connection, KW_METHOD_DERIVE_SESSION, &request.base, arena,
                              &response, err));
    KW_TRY(kw_access_open(plan->owner, ((Keyward__V1__DeriveSessionResponse *)response)->envelope,
                          plan->device, &envelope, err));
    result = accepted(kw_partner_handshake_derived(&talk->app, &envelope, talk->m2,
                                                   sizeof(talk->m2), 0, talk->m3),
                      "the pen's answer", err);
    kw_partner_wipe(&envelope, sizeof(envelope));
    return result;
}

/* A morning dose and an evening dose, an air shot before each but the first. */
static struct kw_pen_dose dose_made(size_t index)
{
    static const uint16_t units[KW_ACCESS_DOSES] = {1200, 200, 1850, 200, 1250};
    uint32_t start = (uint32_t)(kw_clock_wall_ms() / 1000) - 86400U;

    return (struct kw_pen_dose){
        .time_s = start + (uint32_t)index * 14400U,
        .units_x100 = units[index],
        .type = index % 2 == 0 ? KW_PEN_DOSE_INJECTED : KW_PEN_DOSE_PRIMED,
        .flags = index + 1 == KW_ACCESS_DOSES ? KW_PEN_DOSE_FLAG_LAST : 0,
    };
}

static struct kw_result log_receive(struct talk *talk, struct kw_access_log *log,
                                    struct kw_error *err)
{
    uint8_t record[KW_PARTNER_DOSE_RECORD_SIZE];

    for (size_t i = 0; i < KW_ACCESS_DOSES; i++) {
        struct kw_pen_dose dose = dose_made(i);

        KW_TRY(kw_pen_sim_dose(talk->pen, &dose, record, err));
        KW_TRY(accepted(kw_partner_dose_open(&talk->app, record, sizeof(record), &log->doses[i]),
                        "a dose record", err));
        log->count++;
    }
    return KW_OK;
}

static struct kw_result log_acknowledge(struct talk *talk, struct kw_access_log *log,
                                        struct kw_error *err)
{
    uint8_t record[KW_PARTNER_ACK_RECORD_SIZE];

    KW_TRY(accepted(kw_partner_ack_seal(&talk->app, record), "the acknowledgement", err));
    return kw_pen_sim_acknowledge(talk->pen, KW_BYTES_OF(record), &log->acknowledged, err);
}

static struct kw_result talk_through(struct talk *talk, struct kw_arena *arena,
                                     struct kw_access_log *log, struct kw_error *err)
{
    KW_TRY(say_hello(talk, err));
    KW_TRY(talk->plan->derive ? prove_by_session(talk, arena, err)
                              : prove_by_key(talk, arena, err));
    KW_TRY(kw_pen_sim_finish(talk->pen, KW_BYTES_OF(talk->m3), err));
    KW_TRY(log_receive(talk, log, err));
    return log_acknowledge(talk, log, err);
}

struct kw_result kw_access_read(const struct kw_access_session *session, struct kw_pen_sim *pen,
                                struct kw_arena *arena, struct kw_access_log *ret_log,
                                struct kw_error *err)
{
    struct talk talk = {.plan = session, .pen = pen};
    struct kw_access_log log = {0};
    struct kw_result result = talk_through(&talk, arena, &log, err);

    kw_partner_wipe(&talk, sizeof(talk));
    KW_TRY(result);
    *ret_log = log;
    return KW_OK;
}
