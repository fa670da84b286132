/* Named failpoints: places before and after each durable step where a test may make the process
 * fail.
 *
 * KEYWARD_FAILPOINTS=name=abort,other=error:3 arms them at start (the 3rd passing fails). Unarmed,
 * a failpoint is one load of a global. They are compiled into every build so that what is tested is
 * what ships.
 */
#ifndef KW_COMMON_BASE_FAILPOINT_H
#define KW_COMMON_BASE_FAILPOINT_H

#include "common/base/result.h"

/* Reads KEYWARD_FAILPOINTS. Called once by main. Fails: CONFIG_INVALID. */
struct kw_result kw_failpoint_load(struct kw_error *err);

/* True when the armed failpoint `name` fires as an error now; aborts the process when armed with
 * abort. */
bool kw_failpoint_hit(const char *name);

#define KW_FAILPOINT(name, err)                                                                    \
    do {                                                                                           \
        if (kw_failpoint_hit(name)) {                                                              \
            KW_FAIL(err, SYSTEM, "failpoint %s", name);                                            \
        }                                                                                          \
    } while (0)

#endif
