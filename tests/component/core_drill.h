/* Compromise drills at a real crypto core (docs/security.md): a station, a partner and a device
 * with an active key are there; each drill spoils one thing of a question that is right otherwise,
 * and names the refusal. */
#ifndef KW_TESTS_COMPONENT_CORE_DRILL_H
#define KW_TESTS_COMPONENT_CORE_DRILL_H

#include "tests/support/core_fixture.h"

struct core_drill {
    struct core_fixture fx;
    struct core_caller station;
    struct core_caller partner;
    struct core_device device;
};

extern struct core_drill drill;

/* For TestSuite's init and fini. */
void drill_up(void);
void drill_down(void);

/* GetDeviceAccess of the partner for the device: all right. */
struct core_ask drill_access_ask(void);

/* ActivateKey of the device's key by `caller`, as if it had not been activated. */
struct core_ask drill_activate_ask(const struct core_caller *caller);

/* ReleaseBatch of the device's batch by the station, as if it had not been released. */
struct core_ask drill_release_ask(void);

/* LiftKeySuspensions by the officer of the one suspension that the device's key has from now on. */
struct core_ask drill_lift_ask(void);

/* A suspension of the device's key, as a record, and among what the orchestrator knows. */
struct kw_bytes drill_suspension(struct kw_id suspension);
void drill_suspend(struct kw_id suspension);

void drill_allowed(struct core_ask *ask);
void drill_refused(struct core_ask *ask, enum kw_reason expected);

#endif
