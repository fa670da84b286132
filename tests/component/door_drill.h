/* A whole mesh and everybody who has a certificate: callers of each role, the services of this
 * cell, of another and of another region. Whoever is added to the tables is at every door in the
 * drills. */
#ifndef KW_TESTS_COMPONENT_DOOR_DRILL_H
#define KW_TESTS_COMPONENT_DOOR_DRILL_H

#include "tests/support/mesh_fixture.h"

#define DOOR_LAYERS         (KW_LAYER_CORE + 1)
#define DOOR_IDENTITIES_MAX 32

/* Somebody with a certificate. */
struct identity {
    enum kw_role role;
    enum kw_layer layer; /* of a service of this cell; DOOR_LAYERS: none */
    char name[64];
    char credentials[PATH_MAX];
};

struct door {
    struct mesh_fixture mesh;
    struct core_caller partner;
    struct core_caller station;
    struct core_caller invitation;
    struct identity identities[DOOR_IDENTITIES_MAX];
    size_t identity_count;
};

extern struct door door;

/* For TestSuite's init and fini. */
void door_up(void);
void door_down(void);

/* The services of the layers, from the outside in, and where they listen. */
const char *door_service(enum kw_layer layer);
int door_port(enum kw_layer layer);

/* This cell's service of the layer outside of this one. */
const struct identity *door_outer(enum kw_layer layer);

/* Dials a hop; connected or refused when it returns. */
struct kw_hop_client *door_dial(enum kw_layer layer, const struct identity *identity);
void door_hang_up(struct kw_hop_client *client);

#endif
