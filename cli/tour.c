/* The story: who comes, what they do, and what must be refused. Each chapter is a list of commands;
 * how they are run and shown is tour_run.c's business. */
#include "cli/tour.h"

#include "cli/tour_cells.h"
#include "cli/tour_tamper.h"
#include "common/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ARENA_BUDGET   (64U * 1024U * 1024U)
#define PENS           "1000"
#define LOOK_TRIES     60
#define LOOK_AGAIN_NS  250000000L
#define LOOSE_RECEIPTS "newer than the last checkpoint"

#define TAKEN_OUT 5 /* the receipt that is missing at the end */

/* Names that one chapter leaves to the next. */
struct story {
    struct kw_tour tour;
    const char *pens;
    const char *product;
    const char *batch;
    const char *device; /* the pen that is read */
    const char *partner;
    const char *other; /* the partner without a grant */
    const char *grant;
    struct kw_tour_other elsewhere; /* another cell */
    uint64_t first_key_ms;
    unsigned chapter;
};

static void chapter(struct story *s, const char *title)
{
    (void)printf("\n%u  %s\n", ++s->chapter, title);
}

/* "--name=value", in the arena; a step that lacks one fails. */
static const char *flag(const struct story *s, const char *name, const char *value)
{
    return kw_arena_printf(s->tour.arena, "%s=%s", name, value);
}

#define STEP(...) kw_tour_step(&s->tour, &(const struct kw_tour_step){__VA_ARGS__}, err)

/* What cannot be shown here is said to be left out. */
static void left_out(const char *what, const char *why)
{
    (void)printf("    (left out: %s; %s)\n", what, why);
}

static struct kw_result mesh_is_up(struct story *s, struct kw_error *err)
{
    chapter(s, "Four layers: gateway, authorization, orchestrator, crypto core with its HSM");
    return STEP(.words = {"status"});
}

/* Both kinds of member come in the same way. */
static struct kw_result invite_and_join(struct story *s, const char *noun, const char *name,
                                        const char *dir, struct kw_error *err)
{
    const char *invitation = kw_arena_printf(s->tour.arena, "%s-invitation", dir);

    KW_ENSURE(invitation != NULL, err, MEMORY, "a name");
    KW_TRY(
        STEP(.words = {noun, "invite", name, flag(s, "--dir", invitation)}, .show = "invitation"));
    return STEP(.words = {noun, "join", invitation, flag(s, "--dir", dir)},
                .show = "name,transport");
}

static struct kw_result station_joins(struct story *s, struct kw_error *err)
{
    const char *station;

    chapter(s, "The operator registers a station for a product; it joins by invitation");
    KW_TRY(STEP(.words = {"product", "new"}));
    KW_TRY(kw_tour_word(&s->tour, "products/", &s->product, err));
    KW_TRY(STEP(.words = {"station", "create", "--display-name=Line 1",
                          flag(s, "--product", s->product)},
                .show = "name,state"));
    KW_TRY(kw_tour_value(&s->tour, "name", &station, err));
    return invite_and_join(s, "station", station, "station", err);
}

static struct kw_result batch_is_made(struct story *s, struct kw_error *err)
{
    chapter(s, "A batch of pens: keys made in the HSM, wrapped for the station, streamed to it");
    KW_TRY(STEP(.words = {"batch", "create", flag(s, "--product", s->product), "--lot=LOT-1",
                          flag(s, "--count", s->pens), "--file=pens.jsonl"},
                .as = "station"));
    KW_TRY(kw_tour_value(&s->tour, "batch", &s->batch, err));
    chapter(
        s,
        "Each pen (simulated) proves to the HSM that it took its key; then the batch is released");
    KW_TRY(STEP(.words = {"batch", "confirm", "pens.jsonl"}, .as = "station"));
    KW_TRY(STEP(.words = {"batch", "release", s->batch}, .as = "station",
                .show = "batch.state,activated"));
    KW_TRY(STEP(.words = {"device", "list", flag(s, "--batch", s->batch), "--page-size=1"},
                .show = "name,devices/"));
    return kw_tour_word(&s->tour, "devices/", &s->device, err);
}

/* Whoever does not believe our own program asks another one. */
static struct kw_result openssl_agrees(struct story *s, struct kw_error *err)
{
    if (!kw_tour_program_there("openssl") || !kw_tour_program_there("cmp")) {
        left_out("OpenSSL looks at the certificate and opens the transport key",
                 "no openssl and cmp here");
        return KW_OK;
    }
    KW_TRY(STEP(.program = "openssl",
                .words = {"x509", "-in", "partner/cert.pem", "-noout", "-issuer", "-ext",
                          "subjectAltName"},
                .naming = "Keyward partners CA"));
    KW_TRY(STEP(.program = "openssl",
                .words = {"cms", "-decrypt", "-inform", "DER", "-in", "partner/transport-v1.cms",
                          "-recip", "partner/transport-cert.pem", "-inkey",
                          "partner/transport-key.pem", "-out", "partner/transport-v1.openssl"}));
    return STEP(.program = "cmp",
                .words = {"partner/transport-v1.openssl", "partner/transport-v1.key"},
                .remark = "OpenSSL opens the transport key to the same 32 bytes");
}

static struct kw_result partner_joins(struct story *s, struct kw_error *err)
{
    chapter(
        s,
        "A partner joins by invitation: a certificate by the CA in the HSM, and a transport key");
    KW_TRY(STEP(.words = {"partner", "create", "--display-name=Insulin Diary",
                          "--contact=keys@diary.example"},
                .show = "name,state"));
    KW_TRY(kw_tour_value(&s->tour, "name", &s->partner, err));
    KW_TRY(invite_and_join(s, "partner", s->partner, "partner", err));
    return openssl_agrees(s, err);
}

static struct kw_result key_is_fetched(struct story *s, struct kw_error *err)
{
    chapter(
        s,
        "The operator grants; the partner fetches a pen's key, checks the envelope and opens it");
    KW_TRY(STEP(.words = {"grant", "create", s->partner, flag(s, "--batch", s->batch),
                          "--operation=release-key,derive-session", "--purpose=therapy",
                          "--end-time=+90d", "--justification=contract 4711"},
                .show = "name,state,end_time"));
    KW_TRY(kw_tour_value(&s->tour, "name", &s->grant, err));
    KW_TRY(STEP(.words = {"access", "get", s->device, "--purpose=therapy"}, .as = "partner"));
    s->first_key_ms = kw_tour_elapsed_ms(&s->tour);
    return KW_OK;
}

static struct kw_result pen_is_read(struct story *s, struct kw_error *err)
{
    chapter(s, "Handshake with the pen, which wants proof too; its dose log decrypted");
    KW_TRY(STEP(.words = {"access", "read", s->device, "--purpose=therapy", "--pens=pens.jsonl",
                          "--station=station"},
                .as = "partner"));
    return STEP(.words = {"access", "read", s->device, "--purpose=therapy", "--pens=pens.jsonl",
                          "--station=station", "--derive"},
                .as = "partner", .show = "M3,acknowledged");
}

/* A grant made here is used there, and revoked here it is refused there. */
static struct kw_result cells_agree(struct story *s, struct kw_error *err)
{
    const struct kw_tour_other *there = &s->elsewhere;
    struct kw_tour_step use = {
        .words = {"access", "get", s->device, "--purpose=research", there->target, there->peer},
        .as = "partner",
        .show = ""};
    const char *grant;
    uint64_t since_ns;

    if (there->cell == NULL) {
        return KW_OK;
    }
    chapter(s, "What one cell says is in force in every other, however far away");
    KW_TRY(STEP(.words = {"grant", "create", s->partner, flag(s, "--batch", s->batch),
                          "--operation=release-key", "--purpose=research", "--end-time=+90d",
                          "--justification=contract 4712"},
                .show = "name,state"));
    since_ns = kw_clock_mono_ns();
    KW_TRY(kw_tour_value(&s->tour, "name", &grant, err));
    KW_TRY(kw_tour_until(&s->tour, &use, since_ns,
                         kw_arena_printf(s->tour.arena, "used in %s", there->cell), err));
    KW_TRY(STEP(.words = {"grant", "revoke", grant, "--justification=contract ended"},
                .show = "state,revoke_time"));
    since_ns = kw_clock_mono_ns();
    use.expected = KW_EXIT_REFUSED;
    use.naming = "NOT_FOUND";
    use.show = "keyward:";
    return kw_tour_until(&s->tour, &use, since_ns,
                         kw_arena_printf(s->tour.arena, "refused in %s", there->cell), err);
}

/* A cell is away while something changes. */
static struct kw_result cell_catches_up(struct story *s, struct kw_error *err)
{
    const struct kw_tour_other *there = &s->elsewhere;
    const char *partner;
    uint64_t since_ns;

    if (there->cell == NULL) {
        return KW_OK;
    }
    chapter(s, "A cell is stopped, and work goes on without it; started again it catches up");
    if (!there->is_ours) {
        left_out("it needs somebody who stops cells", "`keyward up` does for its own mesh");
        return KW_OK;
    }
    KW_TRY(STEP(.words = {"cell", "stop", there->cell}));
    KW_TRY(STEP(.words = {"partner", "create", "--display-name=Late Reader",
                          "--contact=it@late.example"},
                .show = "name,state"));
    KW_TRY(kw_tour_value(&s->tour, "name", &partner, err));
    KW_TRY(STEP(.words = {"cell", "start", there->cell}));
    since_ns = kw_clock_mono_ns();
    KW_TRY(kw_tour_until(
        &s->tour,
        &(const struct kw_tour_step){.words = {"partner", "get", partner, there->config},
                                     .show = "name,display_name"},
        since_ns, kw_arena_printf(s->tour.arena, "known in %s", there->cell), err));
    return kw_tour_until(&s->tour, &(const struct kw_tour_step){.words = {"regions"}}, since_ns,
                         "all cells hear one another", err);
}

static struct kw_result other_is_refused(struct story *s, struct kw_error *err)
{
    chapter(s, "A second partner has no grant: refused, and not told whether the pen exists");
    KW_TRY(STEP(.words = {"partner", "create", "--display-name=Step Counter",
                          "--contact=it@steps.example"},
                .show = "name"));
    KW_TRY(kw_tour_value(&s->tour, "name", &s->other, err));
    KW_TRY(invite_and_join(s, "partner", s->other, "other", err));
    return STEP(.words = {"access", "get", s->device, "--purpose=therapy"}, .as = "other",
                .expected = KW_EXIT_REFUSED, .naming = "NOT_FOUND",
                .show = "keyward:", .remark = "refused, as it must be");
}

static struct kw_result grant_is_revoked(struct story *s, struct kw_error *err)
{
    chapter(s, "The grant is revoked; the very next call is refused");
    KW_TRY(STEP(.words = {"grant", "revoke", s->grant, "--justification=contract ended"},
                .show = "state,revoke_time"));
    return STEP(.words = {"access", "get", s->device, "--purpose=therapy"}, .as = "partner",
                .expected = KW_EXIT_REFUSED, .naming = "NOT_FOUND",
                .show = "keyward:", .remark = "refused, as it must be");
}

/* The HSM signs a checkpoint each second: looks until one covers everything. `exports` ends with a step
 * without words. */
static struct kw_result look_until_covered(struct story *s, const struct kw_tour_step *exports,
                                           const struct kw_tour_step *verify, struct kw_error *err)
{
    for (int i = 0; i < LOOK_TRIES; i++) {
        const struct timespec again = {.tv_nsec = LOOK_AGAIN_NS};

        for (const struct kw_tour_step *step = exports; step->words[0] != NULL; step++) {
            KW_TRY(kw_tour_run(&s->tour, step, err));
        }
        KW_TRY(kw_tour_run(&s->tour, verify, err));
        if (strstr(s->tour.output, LOOSE_RECEIPTS) == NULL) {
            return KW_OK;
        }
        (void)nanosleep(&again, NULL);
    }
    KW_FAIL(err, STATE_CONFLICT, "no checkpoint came over the last receipts");
}

/* Each cell has the receipts of what was done there. */
static struct kw_result evidence_is_verified(struct story *s, struct kw_error *err)
{
    const struct kw_tour_other *there = &s->elsewhere;
    bool several = there->cell != NULL;
    const struct kw_tour_step exports[] = {
        {.words = {"receipt", "export", "evidence.jsonl"}, .show = ""},
        {.words = {several ? "receipt" : NULL, "export", "there.jsonl", there->config}, .show = ""},
        {.words = {NULL}}};
    const struct kw_tour_step verify = {
        .words = {"verify", several ? "evidence.jsonl,there.jsonl" : "evidence.jsonl", there->keys},
        .naming = "VERIFIED"};

    chapter(
        s,
        "Every use left a receipt; all are verified offline against checkpoints signed in the HSM");
    KW_TRY(STEP(.words = {"receipt", "list", flag(s, "--device", s->device)},
                .naming = "DeriveSession"));
    KW_TRY(look_until_covered(s, exports, &verify, err));
    for (const struct kw_tour_step *step = exports; step->words[0] != NULL; step++) {
        kw_tour_print(&s->tour, step);
    }
    kw_tour_print(&s->tour, &verify);
    return KW_OK;
}

static struct kw_result tampering_shows(struct story *s, struct kw_error *err)
{
    const char *path;

    chapter(s, "One receipt is taken out of the evidence: it shows");
    path = kw_arena_printf(s->tour.arena, "%s/evidence.jsonl", s->tour.dir);
    KW_ENSURE(path != NULL, err, MEMORY, "a path");
    KW_TRY(kw_tour_receipt_remove(path, TAKEN_OUT, err));
    (void)printf("    (line of receipt %d is deleted from evidence.jsonl)\n", TAKEN_OUT);
    return STEP(.words = {"verify", "evidence.jsonl"}, .expected = KW_EXIT_UNHEALTHY,
                .naming = "receipt missing", .show = "FOUND:,NOT",
                .remark = "refused, as it must be");
}

static struct kw_result tell(struct story *s, struct kw_error *err)
{
    KW_TRY(kw_tour_other_find(&s->tour, &s->elsewhere, err));
    KW_TRY(mesh_is_up(s, err));
    KW_TRY(station_joins(s, err));
    KW_TRY(batch_is_made(s, err));
    KW_TRY(partner_joins(s, err));
    KW_TRY(key_is_fetched(s, err));
    KW_TRY(pen_is_read(s, err));
    KW_TRY(cells_agree(s, err));
    KW_TRY(other_is_refused(s, err));
    KW_TRY(grant_is_revoked(s, err));
    KW_TRY(evidence_is_verified(s, err));
    KW_TRY(tampering_shows(s, err));
    return cell_catches_up(s, err);
}

static struct kw_result run(struct story *s, const char *dir, struct kw_error *err)
{
    s->tour.arena = kw_arena_new(ARENA_BUDGET);
    KW_ENSURE(s->tour.arena != NULL, err, MEMORY, "a tour");
    KW_TRY(kw_tour_signals_catch(err));
    KW_TRY(kw_tour_begin(&s->tour, dir, err));
    return tell(s, err);
}

static void closing_line(const struct story *s)
{
    (void)printf("\nDone in %.1f s: %u commands, %u of them refused as they must be. The first key "
                 "came %.1f s after "
                 "the start.\n",
                 (double)kw_tour_elapsed_ms(&s->tour) / 1000, s->tour.commands, s->tour.refusals,
                 (double)s->first_key_ms / 1000);
}

static void files_line(const struct kw_tour *tour)
{
    if (tour->dir[0] != '\0') {
        (void)fprintf(stderr, "Its files stay in %s\n", tour->dir);
    }
}

/* What is said last, once the mesh has stopped; `end` is how that went. */
static enum kw_exit ending(const struct story *s, struct kw_result end,
                           const struct kw_error *error)
{
    if (kw_tour_interrupted()) {
        (void)fprintf(stderr, "\nInterrupted.\n");
        files_line(&s->tour);
        return KW_EXIT_UNHEALTHY;
    }
    if (!kw_ok(end)) {
        (void)fprintf(stderr, "%skeyward tour: %s\n", s->tour.dir[0] != '\0' ? "\n" : "",
                      error->message);
        files_line(&s->tour);
        return KW_EXIT_UNHEALTHY;
    }
    closing_line(s);
    return KW_EXIT_OK;
}

enum kw_exit kw_tour(const char *dir, const char *pens)
{
    static struct story s; /* large */
    struct kw_error error;
    struct kw_error end_error;
    struct kw_result result;
    struct kw_result end;
    bool begun;
    enum kw_exit code;

    s.pens = pens != NULL ? pens : PENS;
    result = run(&s, dir, &error);
    begun = s.tour.dir[0] != '\0';
    end = kw_tour_end(&s.tour, kw_ok(result), &end_error);
    code = kw_ok(result) ? ending(&s, end, &end_error) : ending(&s, result, &error);
    kw_arena_free(s.tour.arena);
    return begun ? code : KW_EXIT_USAGE;
}
