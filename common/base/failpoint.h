/* Named failpoints: places before and after each durable step where a test may make the process
 * fail. Their table is failpoint.def.
 *
 * KEYWARD_FAILPOINTS=name=abort,other=error:3 arms them at start (the 3rd passing fails). Unarmed,
 * a failpoint is one load of a global. They are compiled into every build so that what is tested is
 * what ships.
 */
#ifndef KW_COMMON_BASE_FAILPOINT_H
#define KW_COMMON_BASE_FAILPOINT_H

#include "common/base/result.h"

enum kw_failpoint {
#define KW_FAILPOINT_ROW(id, name, processes, passed) KW_FP_##id,
#include "common/base/failpoint.def"
#undef KW_FAILPOINT_ROW
    KW_FP_COUNT_
};

/* One row of failpoint.def. */
struct kw_failpoint_row {
    const char *name;
    const char *processes; /* separated by a space */
    const char *passed;    /* what has happened then */
};

const struct kw_failpoint_row *kw_failpoint_row(enum kw_failpoint point);

/* Reads KEYWARD_FAILPOINTS. Called once by main, before threads start. Fails: CONFIG_INVALID (a
 * name that is in no row, too: it would never fire). */
struct kw_result kw_failpoint_load(struct kw_error *err);

/* True when the armed failpoint fires as an error now; aborts the process when armed with abort.
 * Any thread. */
bool kw_failpoint_hit(enum kw_failpoint point);

/* For a step that fails as whole when it fires: SYSTEM, with the failpoint's name. */
#define KW_FAILPOINT(point, err)                                                                   \
    KW_ENSURE(!kw_failpoint_hit(point), err, SYSTEM, "failpoint %s", kw_failpoint_row(point)->name)

#endif
