/* What a PKCS#11 return value means and what to do about it: one table, so that no call site
 * decides on its own. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_ERRORS_H
#define KW_SERVICES_CRYPTOCORE_HSM_ERRORS_H

#include "common/base/result.h"
#include "services/cryptocore/hsm/pkcs11.h"

enum kw_hsm_class {
    KW_HSM_CLASS_NONE,
    KW_HSM_CLASS_SESSION, /* the session is gone or unusable: open another, log in, find the keys again, run
                             once more */
    KW_HSM_CLASS_HANDLE, /* an object is not where it was: find again; then ask the canary who is to
                            blame */
    KW_HSM_CLASS_DEVICE, /* the HSM or the module is unwell: this worker ends, another starts with
                            backoff */
    KW_HSM_CLASS_LOAD,   /* too much at once: shed, do not retry */
    KW_HSM_CLASS_LOGIN,  /* the PIN was refused: never a second attempt */
    KW_HSM_CLASS_DATA,   /* this request is refused; the HSM is well */
};

/* Values that no row names are DATA: a device that is unwell shows it at the next health probe. */
enum kw_hsm_class kw_hsm_class_of(CK_RV rv);

/* The reason a caller gets when nothing could be done about it. */
enum kw_reason kw_hsm_class_reason(enum kw_hsm_class class);

/* "CKR_DEVICE_ERROR", or "CKR" for a value without a row. */
const char *kw_hsm_rv_name(CK_RV rv);

#endif
