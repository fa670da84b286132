/* How far a change is to be held before it is answered, as callers say it (metadata keyward-wait), and how far it
 * is, as they are told (trailer keyward-durability). Pure. */
#ifndef KW_SERVICES_GATEWAY_WAIT_H
#define KW_SERVICES_GATEWAY_WAIT_H

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/rpc/methods.h"

#include <keyward/internal/v1/context.pb-c.h>
#include <stdbool.h>

/* `value`: what was sent; empty, or LOCAL: no more is waited for than always. Fails: METADATA_INVALID (no such value;
 * a method that changes nothing of who may do what, where waiting would say nothing). */
struct kw_result kw_wait_read(const struct kw_method *method, struct kw_bytes value,
                              Keyward__Internal__V1__Copies *ret_wait, struct kw_error *err);

/* The trailer's value; NULL: there is none. */
const char *kw_wait_tell(Keyward__Internal__V1__Copies reached, bool local_only);

#endif
