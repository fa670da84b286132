/* "Fail the n-th PKCS#11 call, for every n", of every operation, in this process: the operation succeeds or says what
 * class of trouble it was, leaves nothing in the HSM, and the next one works. */
#ifndef KW_TESTS_COMPONENT_HSM_FAULT_NTH_H
#define KW_TESTS_COMPONENT_HSM_FAULT_NTH_H

#include "tests/component/hsm_fault.h"

enum fault_code {
    FAULT_SESSION, /* the session is gone */
    FAULT_HANDLE,  /* the object is gone */
    FAULT_DEVICE,
    FAULT_LOAD, /* the call was made, but there was no memory for its answer: what it made has no handle */
    FAULT_UNKNOWN, /* a code that no table has */
};

void fault_every_call(enum fault_code code);

#endif
