/* SPIFFE ids: strict parsing and its inverse. */
#include "common/pki/spiffe.h"

#include <stdio.h>

#define SCHEME           "spiffe://"
#define SCHEME_LEN       (sizeof(SCHEME) - 1)
#define SERVICE_SEGMENTS 7U /* domain, "region", R, "cell", C, "svc", NAME */
#define CALLER_SEGMENTS  3U /* domain, role, ID */
#define SEGMENTS_MAX     SERVICE_SEGMENTS

struct role_row {
    const char *name; /* callers: also the path segment */
    enum kw_id_kind id_kind;
};

static const struct role_row roles[KW_ROLE_COUNT_] = {
    [KW_ROLE_SERVICE] = {"service", KW_ID_COUNT_},
    [KW_ROLE_PARTNER] = {"partner", KW_ID_PARTNER},
    [KW_ROLE_OPERATOR] = {"operator", KW_ID_OPERATOR},
    [KW_ROLE_STATION] = {"station", KW_ID_STATION},
    [KW_ROLE_INVITATION] = {"invite", KW_ID_INVITATION},
};

/* The parts between slashes after the scheme. */
struct segments {
    struct kw_bytes at[SEGMENTS_MAX];
    size_t count;
};

const char *kw_role_name(enum kw_role role)
{
    return roles[role].name;
}

enum kw_id_kind kw_role_id_kind(enum kw_role role)
{
    return roles[role].id_kind;
}

static bool name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* Only bytes that need no escaping, so that an id has one spelling; no "." or "..", which URI
 * libraries resolve. */
static bool name_valid(struct kw_bytes name, size_t len_max)
{
    bool dots_only = true;

    if (name.len == 0 || name.len > len_max) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!name_byte(name.data[i])) {
            return false;
        }
        dots_only = dots_only && name.data[i] == '.';
    }
    return !dots_only;
}

/* Copies a checked name into a field that has room for `len_max` and a NUL. */
static struct kw_result name_take(struct kw_bytes name, size_t len_max, const char *what, char *out,
                                  struct kw_error *err)
{
    KW_ENSURE(name_valid(name, len_max), err, ARGUMENT_INVALID,
              "SPIFFE id: the %s is not 1 to %zu of a-z, 0-9, '-', '_', '.'", what, len_max);
    kw_copy(out, name.data, name.len);
    out[name.len] = '\0';
    return KW_OK;
}

static struct kw_result service_fill(const struct kw_bytes names[4], struct kw_spiffe *ret_id,
                                     struct kw_error *err)
{
    struct kw_spiffe id = {.role = KW_ROLE_SERVICE};

    KW_TRY(name_take(names[0], KW_SPIFFE_DOMAIN_LEN_MAX, "trust domain", id.trust_domain, err));
    KW_TRY(name_take(names[1], KW_SPIFFE_SEGMENT_LEN_MAX, "region", id.region, err));
    KW_TRY(name_take(names[2], KW_SPIFFE_SEGMENT_LEN_MAX, "cell", id.cell, err));
    KW_TRY(name_take(names[3], KW_SPIFFE_SEGMENT_LEN_MAX, "service", id.service, err));
    *ret_id = id;
    return KW_OK;
}

static struct kw_result caller_fill(struct kw_bytes domain, enum kw_role role, struct kw_id caller,
                                    struct kw_spiffe *ret_id, struct kw_error *err)
{
    struct kw_spiffe id = {.role = role, .id = caller};

    KW_TRY(name_take(domain, KW_SPIFFE_DOMAIN_LEN_MAX, "trust domain", id.trust_domain, err));
    *ret_id = id;
    return KW_OK;
}

struct kw_result kw_spiffe_service(const char *trust_domain, const char *region, const char *cell,
                                   const char *service, struct kw_spiffe *ret_id,
                                   struct kw_error *err)
{
    const struct kw_bytes names[4] = {
        kw_bytes_str(trust_domain),
        kw_bytes_str(region),
        kw_bytes_str(cell),
        kw_bytes_str(service),
    };

    return service_fill(names, ret_id, err);
}

struct kw_result kw_spiffe_caller(const char *trust_domain, enum kw_role role, struct kw_id id,
                                  struct kw_spiffe *ret_id, struct kw_error *err)
{
    KW_ENSURE(role > KW_ROLE_SERVICE && role < KW_ROLE_COUNT_, err, ARGUMENT_INVALID,
              "role %d is no caller's", (int)role);
    return caller_fill(kw_bytes_str(trust_domain), role, id, ret_id, err);
}

static bool segments_split(struct kw_bytes rest, struct segments *out)
{
    size_t start = 0;

    for (size_t i = 0; i <= rest.len; i++) {
        if (i < rest.len && rest.data[i] != '/') {
            continue;
        }
        if (out->count == SEGMENTS_MAX) {
            return false;
        }
        out->at[out->count++] = KW_BYTES(rest.data + start, i - start);
        start = i + 1;
    }
    return true;
}

static bool segment_is(struct kw_bytes segment, const char *text)
{
    return kw_bytes_equal(segment, kw_bytes_str(text));
}

static bool is_service(const struct segments *s)
{
    return s->count == SERVICE_SEGMENTS && segment_is(s->at[1], "region") &&
           segment_is(s->at[3], "cell") && segment_is(s->at[5], "svc");
}

static enum kw_role caller_role(const struct segments *s)
{
    enum kw_role role = KW_ROLE_PARTNER;

    if (s->count != CALLER_SEGMENTS) {
        return KW_ROLE_COUNT_;
    }
    while (role < KW_ROLE_COUNT_ && !segment_is(s->at[1], roles[role].name)) {
        role++;
    }
    return role;
}

static struct kw_result segments_read(const struct segments *s, struct kw_spiffe *ret_id,
                                      struct kw_error *err)
{
    enum kw_role role = caller_role(s);
    struct kw_id id;

    if (is_service(s)) {
        const struct kw_bytes names[4] = {s->at[0], s->at[2], s->at[4], s->at[6]};

        return service_fill(names, ret_id, err);
    }
    KW_ENSURE(role < KW_ROLE_COUNT_, err, ARGUMENT_INVALID, "SPIFFE id: not a path of ours");
    KW_TRY(kw_id_parse(roles[role].id_kind, s->at[2], &id, err));
    return caller_fill(s->at[0], role, id, ret_id, err);
}

struct kw_result kw_spiffe_parse(struct kw_bytes text, struct kw_spiffe *ret_id,
                                 struct kw_error *err)
{
    struct segments s = {0};
    struct kw_error why = {0};

    KW_ENSURE(text.len <= KW_SPIFFE_LEN_MAX, err, IDENTITY_INVALID, "SPIFFE id of %zu bytes",
              text.len);
    KW_ENSURE(text.len > SCHEME_LEN && memcmp(text.data, SCHEME, SCHEME_LEN) == 0, err,
              IDENTITY_INVALID, "SPIFFE id: does not begin with " SCHEME);
    KW_ENSURE(segments_split(KW_BYTES(text.data + SCHEME_LEN, text.len - SCHEME_LEN), &s), err,
              IDENTITY_INVALID, "SPIFFE id: more than %u segments", SEGMENTS_MAX);
    KW_ENSURE(kw_ok(segments_read(&s, ret_id, &why)), err, IDENTITY_INVALID, "%s", why.message);
    return KW_OK;
}

char *kw_spiffe_text(const struct kw_spiffe *id, char text[KW_SPIFFE_TEXT_SIZE])
{
    char id_text[KW_ID_TEXT_SIZE];

    if (id->role == KW_ROLE_SERVICE) {
        (void)snprintf(text, KW_SPIFFE_TEXT_SIZE, SCHEME "%s/region/%s/cell/%s/svc/%s",
                       id->trust_domain, id->region, id->cell, id->service);
    } else {
        (void)snprintf(text, KW_SPIFFE_TEXT_SIZE, SCHEME "%s/%s/%s", id->trust_domain,
                       roles[id->role].name, kw_id_text(roles[id->role].id_kind, id->id, id_text));
    }
    return text;
}

bool kw_spiffe_equal(const struct kw_spiffe *a, const struct kw_spiffe *b)
{
    char a_text[KW_SPIFFE_TEXT_SIZE];
    char b_text[KW_SPIFFE_TEXT_SIZE];

    return strcmp(kw_spiffe_text(a, a_text), kw_spiffe_text(b, b_text)) == 0;
}
