/* Names of callers. */
#include "services/orchestrator/caller_name.h"

#include "common/pki/spiffe.h"

#include <stdio.h>

#define PARENT_LEN_MAX 48 /* "partners/" or "stations/" and an id */

static const char *collection_of(enum kw_role role)
{
    switch (role) {
    case KW_ROLE_PARTNER:
        return "partners";
    case KW_ROLE_STATION:
        return "stations";
    case KW_ROLE_OPERATOR:
        return "operators";
    case KW_ROLE_INVITATION:
        return "invitations";
    case KW_ROLE_SERVICE:
    case KW_ROLE_COUNT_:
        break;
    }
    return "services";
}

struct kw_result kw_caller_name(struct kw_bytes spiffe_id, const char *parent,
                                char name[KW_RESOURCE_NAME_SIZE], struct kw_error *err)
{
    struct kw_spiffe id;
    char text[KW_ID_TEXT_SIZE];

    KW_TRY(kw_spiffe_parse(spiffe_id, &id, err));
    if (id.role == KW_ROLE_SERVICE) {
        (void)snprintf(name, KW_RESOURCE_NAME_SIZE, "services/%s", id.service);
        return KW_OK;
    }
    (void)kw_id_text(kw_role_id_kind(id.role), id.id, text);
    if (id.role == KW_ROLE_INVITATION) {
        (void)snprintf(name, KW_RESOURCE_NAME_SIZE, "%.*s/invitations/%s", PARENT_LEN_MAX,
                       parent != NULL ? parent : "partners/-", text);
        return KW_OK;
    }
    (void)snprintf(name, KW_RESOURCE_NAME_SIZE, "%s/%s", collection_of(id.role), text);
    return KW_OK;
}
