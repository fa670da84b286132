/* The services around a core under test, as processes: the orchestrator, and what is outside of it
 * where a test wants it. The test plays authz towards the orchestrator. */
#ifndef KW_TESTS_SUPPORT_MESH_FIXTURE_H
#define KW_TESTS_SUPPORT_MESH_FIXTURE_H

#include "tests/support/core_fixture.h"

#define MESH_SERVICE_ID(name)                                                                      \
    "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" KW_MESH_CELL "/svc/" name

struct mesh_fixture {
    struct core_fixture core;
    struct service_process orchestrator;
    struct service_process authz;
    struct service_process gateway;
    struct kw_hop_client *as_authz; /* to the orchestrator */
};

/* Core and orchestrator. */
void mesh_fixture_init(struct mesh_fixture *mesh);
void mesh_fixture_done(struct mesh_fixture *mesh);

/* Authz and gateway too. */
void mesh_fixture_outer(struct mesh_fixture *mesh);

void mesh_orchestrator_start(struct mesh_fixture *mesh);
void mesh_orchestrator_stop(struct mesh_fixture *mesh);
void mesh_orchestrator_kill(struct mesh_fixture *mesh);

/* A question to the orchestrator, as authz asks it: `ask` as for the core, its material left out.
 * `over` and what comes with it are set while the loop turns. */
struct mesh_call {
    struct mesh_fixture *mesh;
    bool over;
    enum kw_reason reason;
    const ProtobufCMessageDescriptor *type;                      /* of the answers */
    void (*take)(const ProtobufCMessage *answer, void *context); /* may be NULL */
    void *context;
};

void mesh_ask_start(struct mesh_fixture *mesh, struct core_ask *ask, struct mesh_call *call);

/* The same, and waits. */
enum kw_reason mesh_ask(struct mesh_fixture *mesh, struct core_ask *ask, struct mesh_call *call);

#endif
