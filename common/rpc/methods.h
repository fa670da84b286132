/* The method table: what methods there are, where each ends, who may call it, and what it may cost.
 * Authorisation by role, limits and audit class are looked up here before any handler runs, so that
 * none can forget them. */
#ifndef KW_COMMON_RPC_METHODS_H
#define KW_COMMON_RPC_METHODS_H

#include "common/base/bytes.h"
#include "common/lifecycle/table.h"
#include "common/pki/spiffe.h"

enum kw_method_id {
#define KW_METHOD(number, id, service, name, ends, roles, flags, operation, deadline, audit)       \
    KW_METHOD_##id = (number),
#include "common/rpc/methods.def"
#undef KW_METHOD
};

enum kw_layer {
    KW_LAYER_GATEWAY,
    KW_LAYER_AUTHZ,
    KW_LAYER_ORCHESTRATOR,
    KW_LAYER_CORE,
    KW_LAYER_OWNER, /* authz and orchestrator, on the hop to their replicator */
    KW_LAYER_REPLICATOR
};

enum kw_caller_role {
    KW_CALLER_PARTNER = 1 << 0,
    KW_CALLER_STATION = 1 << 1,
    KW_CALLER_OPERATOR = 1 << 2,
    KW_CALLER_AUDITOR = 1 << 3,
    KW_CALLER_INVITATION = 1 << 4,
    KW_CALLER_SERVICE = 1 << 5,
};

enum kw_method_flag {
    KW_METHOD_MUTATES = 1 << 0,
    KW_METHOD_SIGNED = 1 << 1,
    KW_METHOD_IDEMPOTENT = 1 << 2,
    KW_METHOD_CLIENT_STREAM = 1 << 3,
    KW_METHOD_SERVER_STREAM = 1 << 4,
    KW_METHOD_INTERNAL = 1 << 5,
};

enum kw_audit_class {
    KW_AUDIT_NONE,
    KW_AUDIT_READ,
    KW_AUDIT_CHANGE,
    KW_AUDIT_KEY
};

struct kw_method {
    enum kw_method_id id;
    const char *path; /* "/keyward.v1.GrantService/CreateGrant" */
    const char *service;
    const char *name;
    enum kw_layer ends;
    unsigned roles; /* enum kw_caller_role */
    unsigned flags; /* enum kw_method_flag */
    enum kw_operation operation;
    uint32_t deadline_ms_max; /* 0: a standing call between layers */
    enum kw_audit_class audit;
};

/* NULL when there is no such method. */
const struct kw_method *kw_method_by_id(uint32_t id);
const struct kw_method *kw_method_by_path(struct kw_bytes path);

/* The whole table, for generated tests and documentation. */
const struct kw_method *kw_method_table(size_t *ret_count);

/* May a caller whose certificate names this role call it? An auditor's names an operator: which of
 * the two, only authz knows. */
bool kw_method_admits(const struct kw_method *method, enum kw_role role);

/* Does nobody call it but officers, and services? For these a part of what there is is kept: whoever
 * takes a right away gets through when partners ask for more than there is. */
bool kw_method_is_officers(const struct kw_method *method);

static inline bool kw_method_has(const struct kw_method *method, enum kw_method_flag flag)
{
    return (method->flags & (unsigned)flag) != 0;
}

#endif
