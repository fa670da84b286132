/* PKCS#11 v2.40 as we use it: p11-kit's header in its standard spelling. Included by this folder
 * alone. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_PKCS11_H
#define KW_SERVICES_CRYPTOCORE_HSM_PKCS11_H

#include <p11-kit/pkcs11.h>

/* Attributes in a template. PKCS#11 takes pointers to mutable memory, but does not write through
 * these. */
#define KW_CK_VALUE(attribute, object)                                                             \
    {                                                                                              \
        .type = (attribute), .pValue = (void *)&(object), .ulValueLen = sizeof(object)             \
    }
#define KW_CK_BYTES(attribute, data, len)                                                          \
    {                                                                                              \
        .type = (attribute), .pValue = (void *)(uintptr_t)(data), .ulValueLen = (len)              \
    }
#define KW_CK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
