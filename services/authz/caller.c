/* Certificates, remembered by their fingerprint; the checks against the tables. */
#include "services/authz/caller.h"

#include "common/audit/request_signature.h"
#include "common/base/limits.h"
#include "common/rpc/messages.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "services/authz/certificate_table.h"

#include <stdlib.h>

/* What parsing gave. A slot holds the last certificate that fell into it. */
struct parsed {
    bool used;
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_spiffe id;
    struct kw_validity validity;
    struct kw_public_key key;
};

struct kw_caller_cache {
    struct parsed slots[KW_CALLERS_CACHED];
};

struct kw_result kw_caller_cache_new(struct kw_caller_cache **ret_cache, struct kw_error *err)
{
    struct kw_caller_cache *cache = calloc(1, sizeof(*cache));

    KW_ENSURE(cache != NULL, err, MEMORY, "callers");
    *ret_cache = cache;
    return KW_OK;
}

void kw_caller_cache_free(struct kw_caller_cache *cache)
{
    for (size_t i = 0; cache != NULL && i < KW_CALLERS_CACHED; i++) {
        kw_public_key_done(&cache->slots[i].key);
    }
    free(cache);
}

static struct kw_result parse(struct kw_bytes der, const char *trust_domain, struct parsed *parsed,
                              struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    KW_TRY(kw_certificate_from_der(&certificate, der, err));
    KW_TRY(kw_certificate_identity(&certificate, trust_domain, &parsed->id, err));
    KW_TRY(kw_certificate_validity(&certificate, &parsed->validity, err));
    return kw_certificate_public_key(&certificate, &parsed->key, err);
}

/* Whatever is wrong with a certificate, its holder is nobody. */
static struct kw_result parse_or_refuse(struct kw_bytes der, const char *trust_domain,
                                        struct parsed *parsed, struct kw_error *err)
{
    struct kw_error inner = {0};
    struct kw_result result = parse(der, trust_domain, parsed, &inner);

    KW_ENSURE(kw_ok(result), err, IDENTITY_INVALID, "%s", inner.message);
    return KW_OK;
}

static struct kw_result find(struct kw_caller_cache *cache, struct kw_bytes der,
                             const uint8_t *fingerprint, const char *trust_domain,
                             const struct parsed **ret_parsed, struct kw_error *err)
{
    struct parsed *slot = &cache->slots[fingerprint[0] % KW_CALLERS_CACHED];
    struct parsed fresh = {.used = true};

    if (!slot->used ||
        !kw_bytes_equal(KW_BYTES_OF(slot->fingerprint), KW_BYTES(fingerprint, KW_SHA256_LEN))) {
        kw_copy(fresh.fingerprint, fingerprint, KW_SHA256_LEN);
        KW_TRY(parse_or_refuse(der, trust_domain, &fresh, err));
        kw_public_key_done(&slot->key);
        *slot = fresh;
    }
    *ret_parsed = slot;
    return KW_OK;
}

/* The key is shared with the cache, which may drop it first. */
static struct kw_result identify(struct kw_caller_cache *cache, const char *trust_domain,
                                 struct kw_caller *caller, struct kw_error *err)
{
    const struct parsed *parsed;

    KW_ENSURE(caller->certificate.len > 0, err, IDENTITY_INVALID, "no certificate");
    KW_TRY(kw_sha256(caller->certificate, caller->fingerprint, err));
    KW_TRY(find(cache, caller->certificate, caller->fingerprint, trust_domain, &parsed, err));
    caller->id = parsed->id;
    (void)kw_spiffe_text(&caller->id, caller->spiffe_id);
    caller->validity = parsed->validity;
    return kw_public_key_share(&parsed->key, &caller->key, err);
}

/* What is not known here is not waited for, and not claimed either. */
static enum kw_copy_level wait_of(Keyward__Internal__V1__Copies wait)
{
    if (wait == KEYWARD__INTERNAL__V1__COPIES__COPIES_REGION) {
        return KW_COPY_REGION;
    }
    return wait == KEYWARD__INTERNAL__V1__COPIES__COPIES_ALL ? KW_COPY_ALL : KW_COPY_LOCAL;
}

struct kw_result kw_caller_read(struct kw_caller_cache *cache, struct kw_bytes context,
                                const char *trust_domain, struct kw_arena *arena,
                                struct kw_caller *ret_caller, struct kw_error *err)
{
    ProtobufCMessage *message;
    const Keyward__Internal__V1__Caller *sent;

    *ret_caller = (struct kw_caller){.peer = ""};
    KW_TRY(kw_message_unpack(&keyward__internal__v1__caller__descriptor, context, arena, &message,
                             err));
    sent = (const Keyward__Internal__V1__Caller *)message;
    ret_caller->certificate = kw_bytes_field(sent->certificate);
    ret_caller->signature = kw_bytes_field(sent->signature);
    ret_caller->cached_digest = kw_bytes_field(sent->cached_digest);
    ret_caller->peer = sent->peer_address;
    ret_caller->wait = wait_of(sent->wait);
    return identify(cache, trust_domain, ret_caller, err);
}

void kw_caller_done(struct kw_caller *caller)
{
    kw_public_key_done(&caller->key);
}

/* The role a certificate names and the one it was registered for. An auditor is an operator with
 * fewer rights; only the table knows. */
static bool roles_agree(enum kw_role named, enum kw_caller_role registered)
{
    switch (named) {
    case KW_ROLE_PARTNER:
        return registered == KW_CALLER_PARTNER;
    case KW_ROLE_STATION:
        return registered == KW_CALLER_STATION;
    case KW_ROLE_OPERATOR:
        return registered == KW_CALLER_OPERATOR || registered == KW_CALLER_AUDITOR;
    case KW_ROLE_INVITATION:
        return registered == KW_CALLER_INVITATION;
    case KW_ROLE_SERVICE:
    case KW_ROLE_COUNT_:
        break;
    }
    return false;
}

static struct kw_result admit_member(struct kw_caller *caller, struct kw_tx *tx,
                                     struct kw_arena *arena, struct kw_error *err)
{
    bool found;

    if (caller->role != KW_CALLER_PARTNER && caller->role != KW_CALLER_STATION) {
        return KW_OK;
    }
    KW_TRY(kw_member_find(tx, caller->id.id, arena, &caller->member, &found, err));
    KW_ENSURE(found, err, IDENTITY_INVALID, "a member that is not registered");
    KW_ENSURE(!caller->member.suspended, err, IDENTITY_INVALID, "member_suspended");
    return KW_OK;
}

struct kw_result kw_caller_admit(struct kw_caller *caller, struct kw_tx *tx, uint64_t now_ms,
                                 struct kw_arena *arena, struct kw_error *err)
{
    struct kw_certificate_row row;
    bool found;

    KW_TRY(kw_certificate_find(tx, caller->fingerprint, &row, &found, err));
    KW_ENSURE(found, err, IDENTITY_INVALID, "unknown certificate");
    KW_ENSURE(!row.revoked, err, IDENTITY_INVALID, "revoked certificate");
    KW_ENSURE(caller->validity.not_before_ms <= now_ms && now_ms < caller->validity.not_after_ms,
              err, IDENTITY_INVALID, "certificate not yet or no longer valid");
    KW_ENSURE(roles_agree(caller->id.role, row.role) && kw_id_equal(caller->id.id, row.owner), err,
              IDENTITY_INVALID, "certificate registered for another party");
    caller->role = row.role;
    return admit_member(caller, tx, arena, err);
}

bool kw_caller_must_sign(const struct kw_caller *caller, const struct kw_method *method)
{
    return kw_method_has(method, KW_METHOD_SIGNED) ||
           (caller->role == KW_CALLER_STATION && kw_method_has(method, KW_METHOD_MUTATES));
}

struct kw_result kw_caller_signed(const struct kw_caller *caller, const struct kw_method *method,
                                  const struct kw_id *request_id, const uint8_t *body_hash,
                                  uint64_t now_ms, struct kw_error *err)
{
    const struct kw_signed_request request = {
        .method = kw_bytes_str(method->path),
        .request_id = kw_id_bytes(request_id),
        .body_hash = body_hash,
    };

    KW_ENSURE(caller->signature.len > 0, err, SIGNATURE_INVALID, "not signed");
    return kw_request_signature_verify_fresh(&caller->key, &request, caller->signature, now_ms,
                                             err);
}
