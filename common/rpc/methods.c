/* The rows of methods.def as a table, found by number or by path. */
#include "common/rpc/methods.h"

#define P       KW_CALLER_PARTNER
#define S       KW_CALLER_STATION
#define O       KW_CALLER_OPERATOR
#define A       KW_CALLER_AUDITOR
#define I       KW_CALLER_INVITATION
#define V       KW_CALLER_SERVICE
#define MUT     KW_METHOD_MUTATES
#define SIG     KW_METHOD_SIGNED
#define IDEM    KW_METHOD_IDEMPOTENT
#define CSTREAM KW_METHOD_CLIENT_STREAM
#define SSTREAM KW_METHOD_SERVER_STREAM
#define INT     KW_METHOD_INTERNAL

static const struct kw_method methods[] = {
#define KW_METHOD(number, id_, service_, name_, ends_, roles_, flags_, operation_, deadline_,      \
                  audit_)                                                                          \
    {.id = KW_METHOD_##id_,                                                                        \
     .path = "/" service_ "/" name_,                                                               \
     .service = service_,                                                                          \
     .name = name_,                                                                                \
     .ends = KW_LAYER_##ends_,                                                                     \
     .roles = (roles_),                                                                            \
     .flags = (flags_),                                                                            \
     .operation = KW_OPERATION_##operation_,                                                       \
     .deadline_ms_max = (deadline_),                                                               \
     .audit = KW_AUDIT_##audit_},
#include "common/rpc/methods.def"
#undef KW_METHOD
};

#define METHOD_COUNT (sizeof(methods) / sizeof(methods[0]))

const struct kw_method *kw_method_by_id(uint32_t id)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if ((uint32_t)methods[i].id == id) {
            return &methods[i];
        }
    }
    return NULL;
}

const struct kw_method *kw_method_by_path(struct kw_bytes path)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (kw_bytes_equal(path, kw_bytes_str(methods[i].path))) {
            return &methods[i];
        }
    }
    return NULL;
}

const struct kw_method *kw_method_table(size_t *ret_count)
{
    *ret_count = METHOD_COUNT;
    return methods;
}

bool kw_method_admits(const struct kw_method *method, enum kw_role role)
{
    static const unsigned callers[KW_ROLE_COUNT_] = {
        [KW_ROLE_SERVICE] = V, [KW_ROLE_PARTNER] = P,    [KW_ROLE_OPERATOR] = O | A,
        [KW_ROLE_STATION] = S, [KW_ROLE_INVITATION] = I,
    };

    return (unsigned)role < KW_ROLE_COUNT_ && (method->roles & callers[role]) != 0;
}

bool kw_method_is_officers(const struct kw_method *method)
{
    return (method->roles & (KW_CALLER_PARTNER | KW_CALLER_STATION | KW_CALLER_INVITATION)) == 0;
}
