/* Their lives. */
#include "tests/support/real_cells.h"

#include "tests/support/must.h"
#include "tests/support/postgres.h"

#include <stdio.h>
#include <unistd.h>

struct feed_house real_house;
struct real_cell real_cells[CELLS];
static char mesh_hex[2 * KW_ID_LEN + 1];

struct house_owner *real_authz(int cell)
{
    return &real_house.owners[cell];
}

struct house_owner *real_orchestrator(int cell)
{
    return &real_house.owners[CELLS + cell];
}

static void on_ready(void *context)
{
    ((struct real_cell *)context)->ready = true;
}

static void on_failed(const struct kw_error *error, void *context)
{
    (void)context;
    cr_fatal("a replicator failed: %s", error->message);
}

static void on_drained(void *context)
{
    ((struct real_cell *)context)->drained = true;
}

static void on_stopped(void *context)
{
    ((struct real_cell *)context)->stopped = true;
}

static char *text(struct real_cell *cell, size_t at, const char *before, int port)
{
    (void)snprintf(cell->texts[at], CELL_TEXT, "%s127.0.0.1:%d", before, port);
    return cell->texts[at];
}

void real_cell_begin(int at)
{
    static char eu[] = "eu", us[] = "us", name[] = "a", domain[] = "test";
    struct real_cell *cell = &real_cells[at];
    const struct kw_replicator_events events = {.ready = on_ready,
                                                .failed = on_failed,
                                                .drained = on_drained,
                                                .stopped = on_stopped,
                                                .context = cell};

    cell->list[EU] = text(cell, 0, "eu/a=", 1); /* it calls */
    cell->list[US] = text(cell, 1, "us/a=", at == US ? 1 : real_cells[US].port);
    cell->config = (struct kw_replicator_config){
        .region = at == EU ? eu : us,
        .cell = name,
        .trust_domain = domain,
        .mesh = mesh_hex,
        .listen = text(cell, 2, "", cell->port),
        .credentials_dir = real_authz(at)->replicator,
        .authz = text(cell, 3, "", real_authz(at)->port),
        .orchestrator = text(cell, 4, "", real_orchestrator(at)->port),
        .cells = {cell->list, CELLS},
    };
    cell->ready = cell->drained = cell->stopped = false;
    MUST(kw_replicator_service_new(real_house.hop.loop, &cell->config, &events, &cell->service,
                                   err));
    cell->port = kw_replicator_service_port(cell->service);
    HOUSE_EVENTUALLY(&real_house, cell->ready);
}

void real_cell_stop(int at)
{
    struct real_cell *cell = &real_cells[at];

    kw_replicator_service_drain(cell->service);
    HOUSE_EVENTUALLY(&real_house, cell->drained);
    kw_replicator_service_stop(cell->service);
    HOUSE_EVENTUALLY(&real_house, cell->stopped);
    hop_turn(&real_house.hop);
    kw_replicator_service_free(cell->service);
    cell->service = NULL;
}

void real_cells_init(void)
{
    house_init(&real_house, HOUSE_OWNERS_MAX);
    kw_hex(kw_id_bytes(&real_house.mesh), mesh_hex);
    real_cell_begin(US);
    real_cell_begin(EU);
}

void real_cells_done(void)
{
    for (int at = 0; at < CELLS; at++) {
        if (real_cells[at].service != NULL) {
            real_cell_stop(at);
        }
    }
    house_done(&real_house);
}

void real_note(struct house_owner *owner, const char *name, int number)
{
    char key[32];
    struct kw_record record;

    (void)snprintf(key, sizeof(key), "%s %d", name, number);
    record = note(key);
    note_set(&record, NOTE_TAGS, value_set("x"));
    house_note(owner, &record);
}

int64_t real_notes(struct house_owner *owner)
{
    return house_number(owner, "SELECT count(*) FROM notes");
}

static void lose_files(const struct house_owner *owner)
{
    char path[128];

    for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL}; *end != NULL;
         end++) {
        (void)snprintf(path, sizeof(path), "%s%s", owner->path, *end);
        (void)unlink(path);
    }
}

static void end(struct house_owner *owner)
{
    house_disconnect(owner);
    house_owner_close(owner);
}

static void begin_again(struct house_owner *owner)
{
    house_owner_open(owner);
    MUST(house_owner_serve(owner, err));
    house_connect(owner, owner->replicator);
    HOUSE_EVENTUALLY(&real_house, kw_hop_client_connected(owner->client));
}

void real_owner_restart(struct house_owner *owner)
{
    end(owner);
    begin_again(owner);
}

void real_owner_lose(struct house_owner *owner)
{
    end(owner);
    if (!postgres_if_linked(owner->url)) {
        lose_files(owner);
    }
    begin_again(owner);
}
