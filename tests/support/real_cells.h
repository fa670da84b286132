/* Two cells, eu/a and us/a, each with the feeds of a real authz and a real orchestrator store
 * (feed_service_fixture.h) and a real replicator, in one process. Nobody was introduced to anybody. */
#ifndef KW_TESTS_SUPPORT_REAL_CELLS_H
#define KW_TESTS_SUPPORT_REAL_CELLS_H

#include "services/replicator/service.h"
#include "tests/support/feed_service_fixture.h"

enum {
    EU,
    US,
    CELLS,
};

#define CELL_TEXT 128

struct real_cell {
    struct kw_replicator_service *service;
    struct kw_replicator_config config;
    char texts[6][CELL_TEXT];
    char *list[CELLS];
    int port;
    bool ready;
    bool drained;
    bool stopped;
};

extern struct feed_house real_house;
extern struct real_cell real_cells[CELLS];

/* Its stores. */
struct house_owner *real_authz(int cell);
struct house_owner *real_orchestrator(int cell);

/* All of it, with both replicators; without what was stopped. */
void real_cells_init(void);
void real_cells_done(void);

/* Its replicator. */
void real_cell_begin(int cell);
void real_cell_stop(int cell);

/* A note of this name and number, in one of its stores; how many there are. */
void real_note(struct house_owner *owner, const char *name, int number);
int64_t real_notes(struct house_owner *owner);

/* It has begun anew, and has forgotten what is in no database; or its database is gone, too, and its keys are as they were.
 * Its replicator is stopped meanwhile. */
void real_owner_restart(struct house_owner *owner);
void real_owner_lose(struct house_owner *owner);

#endif
