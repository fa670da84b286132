/* Counts of PKCS#11 calls by function, and of what happened to workers. Plain numbers, added up. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_STATS_H
#define KW_SERVICES_CRYPTOCORE_HSM_STATS_H

#include <stdint.h>

/* The PKCS#11 functions that we call. */
/* clang-format off */
#define KW_HSM_FUNCTIONS(X)                                                                        \
    X(OpenSession) X(CloseSession) X(Login) X(GenerateRandom) X(GenerateKey) X(GenerateKeyPair)    \
    X(CreateObject) X(CopyObject) X(DestroyObject) X(GetAttributeValue) X(FindObjectsInit)         \
    X(FindObjects) X(FindObjectsFinal) X(WrapKey) X(UnwrapKey) X(SignInit) X(Sign)       \
    X(DeriveKey)
/* clang-format on */

enum kw_hsm_function {
#define KW_HSM_FUNCTION_ENUM(name) KW_C_##name,
    KW_HSM_FUNCTIONS(KW_HSM_FUNCTION_ENUM)
#undef KW_HSM_FUNCTION_ENUM
    KW_C_COUNT_
};

struct kw_hsm_stats {
    uint64_t calls[KW_C_COUNT_]; /* PKCS#11 calls by function */
    uint64_t requests;           /* answered by a worker */
    uint64_t retried;            /* requests run again because their worker was lost */
    uint64_t workers_started;
    uint64_t workers_lost; /* died, or killed after a deadline */
};

/* "C_WrapKey" and so on: metric label. */
const char *kw_hsm_function_name(enum kw_hsm_function function);

#endif
