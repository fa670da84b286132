/* receipt … and verify: what was done, and the proof that nothing was taken out or changed. */
#include "cli/cli.h"
#include "cli/evidence.h"
#include "cli/json.h"
#include "cli/member_files.h"
#include "cli/table.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/pki/spiffe.h"

#include <errno.h>
#include <inttypes.h>

#define PARTS_MAX KW_VERIFY_KEYS_MAX /* files of one verification */

static const char *const columns[] = {"sequence", "create_time", "method", "caller", "name", NULL};

/* --- receipt export --- */

static struct kw_result export_to(struct kw_cli *cli, FILE *out, struct kw_error *err)
{
    ProtobufCMessage *request = NULL;
    uint64_t records = 0;

    KW_TRY(kw_cli_request(cli, KW_METHOD_GET_VERIFICATION_DATA, &request, err));
    KW_TRY(kw_cli_connect(cli, err));
    KW_TRY(kw_evidence_export(&cli->connection, (Keyward__V1__GetVerificationDataRequest *)request,
                              cli->arena, out, &records, err));
    if (cli->form == KW_OUTPUT_JSON) {
        return kw_json_line(json_pack("{s:I}", "records", (json_int_t)records), stdout, err);
    }
    (void)printf("records  %" PRIu64 "\n", records);
    return KW_OK;
}

static struct kw_result export(struct kw_cli *cli, struct kw_error *err)
{
    const char *path = kw_cli_argument(cli, "FILE");
    FILE *out = fopen(path, "we");
    struct kw_result result;

    KW_ENSURE(out != NULL, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    result = export_to(cli, out, err);
    KW_ENSURE(fclose(out) == 0 || !kw_ok(result), err, SYSTEM, "%s: %s", path, strerror(errno));
    return result;
}

static enum kw_exit run_export(struct kw_cli *cli)
{
    struct kw_error error;

    return kw_cli_exit(cli, export(cli, &error), &error);
}

/* --- verify --- */

static struct kw_result chain_add(struct kw_table *table, const struct kw_verify_chain *chain,
                                  struct kw_arena *arena, struct kw_error *err)
{
    char name[KW_CHAIN_TEXT_SIZE];
    const char *cells[5];

    cells[0] = kw_verify_chain_text(chain->verifier.at.core, chain->verifier.at.stream, name);
    cells[1] = kw_arena_printf(arena, "%" PRIu64, chain->receipts);
    cells[2] =
        kw_arena_printf(arena, "%" PRIu64 " to %" PRIu64, chain->first, chain->verifier.at.seq);
    cells[3] = kw_arena_printf(arena, "%" PRIu64 ", up to number %" PRIu64, chain->checkpoints,
                               chain->vouched_to);
    cells[4] = kw_chain_verdict_name(kw_chain_verify_end(&chain->verifier));
    KW_ENSURE(cells[1] != NULL && cells[2] != NULL && cells[3] != NULL, err, MEMORY, "table");
    return kw_table_add(table, cells, 5, err);
}

static struct kw_result chains_print(const struct kw_verify_chain *chains, size_t count,
                                     struct kw_arena *arena, struct kw_error *err)
{
    static const char *const headings[] = {"chain",       "receipts", "numbers",
                                           "checkpoints", "verdict",  NULL};
    KW_SCOPED(kw_table_done) struct kw_table table = {0};

    KW_TRY(kw_table_init(&table, headings, err));
    for (size_t i = 0; i < count; i++) {
        KW_TRY(chain_add(&table, &chains[i], arena, err));
    }
    return kw_table_print(&table, stdout, err);
}

/* Of a copy: up to where it is complete. */
static void copy_explain(const struct kw_verify_chain *chain)
{
    char name[KW_CHAIN_TEXT_SIZE];

    if (chain->signed_to > 0) {
        (void)printf("%s is a copy that ends at number %" PRIu64 ": a head is signed at %" PRIu64
                     "\n",
                     kw_verify_chain_text(chain->verifier.at.core, chain->verifier.at.stream, name),
                     chain->verifier.at.seq, chain->signed_to);
    }
}

static void explain(const struct kw_verify_chain *chains, size_t count)
{
    uint64_t loose = 0;
    bool unclean = false;

    for (size_t i = 0; i < count; i++) {
        unclean = unclean || kw_chain_verify_end(&chains[i].verifier) == KW_CHAIN_UNCLEAN_END;
        loose += chains[i].verifier.at.seq - chains[i].vouched_to;
    }
    if (unclean) {
        (void)printf(
            "unclean end: without a signed close; the crypto core still runs, or stopped hard\n");
    }
    for (size_t i = 0; i < count; i++) {
        copy_explain(&chains[i]);
    }
    if (loose > 0) {
        (void)printf("%" PRIu64 " receipts are newer than the last checkpoint over them\n", loose);
    }
}

static void findings_print(const struct kw_finding *findings, size_t count)
{
    for (size_t i = 0; i < count && i < KW_FINDINGS_MAX; i++) {
        (void)printf("FOUND: %s: %s\n", kw_finding_name(findings[i].kind), findings[i].text);
    }
}

static json_t *chain_json(const struct kw_verify_chain *chain)
{
    char name[KW_CHAIN_TEXT_SIZE];

    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "chain",
                     kw_verify_chain_text(chain->verifier.at.core, chain->verifier.at.stream, name),
                     "receipts", (json_int_t)chain->receipts, "first", (json_int_t)chain->first,
                     "last", (json_int_t)chain->verifier.at.seq, "checkpoints",
                     (json_int_t)chain->checkpoints, "checkpointedTo",
                     (json_int_t)chain->vouched_to, "signedTo", (json_int_t)chain->signed_to,
                     "verdict", kw_chain_verdict_name(kw_chain_verify_end(&chain->verifier)));
}

/* Takes the item; a list that could not take one is none, and packing fails by it. */
static void list_add(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

static struct kw_result verdict_json(const struct kw_verify *verifier, struct kw_error *err)
{
    size_t chain_count;
    size_t finding_count;
    const struct kw_verify_chain *chains = kw_verify_chains(verifier, &chain_count);
    const struct kw_finding *findings = kw_verify_findings(verifier, &finding_count);
    json_t *chain_list = json_array();
    json_t *finding_list = json_array();

    for (size_t i = 0; i < chain_count; i++) {
        list_add(&chain_list, chain_json(&chains[i]));
    }
    for (size_t i = 0; i < finding_count && i < KW_FINDINGS_MAX; i++) {
        list_add(&finding_list,
                 json_pack("{s:s, s:s}", "finding", kw_finding_name(findings[i].kind), "text",
                           findings[i].text));
    }
    return kw_json_line(json_pack("{s:b, s:I, s:I, s:o, s:o}", "verified", finding_count == 0,
                                  "findingCount", (json_int_t)finding_count, "facts",
                                  (json_int_t)kw_verify_fact_count(verifier), "findings",
                                  finding_list, "chains", chain_list),
                        stdout, err);
}

static struct kw_result verdict_print(const struct kw_verify *verifier, struct kw_arena *arena,
                                      bool *ret_good, struct kw_error *err)
{
    size_t chain_count;
    size_t finding_count;
    uint64_t receipts = 0;
    const struct kw_verify_chain *chains = kw_verify_chains(verifier, &chain_count);
    const struct kw_finding *findings = kw_verify_findings(verifier, &finding_count);

    KW_TRY(chains_print(chains, chain_count, arena, err));
    explain(chains, chain_count);
    findings_print(findings, finding_count);
    for (size_t i = 0; i < chain_count; i++) {
        receipts += chains[i].receipts;
    }
    *ret_good = finding_count == 0;
    (void)printf("%s: %" PRIu64 " receipts with their capsules, %zu facts, %zu findings\n",
                 *ret_good ? "VERIFIED" : "NOT VERIFIED", receipts, kw_verify_fact_count(verifier),
                 finding_count);
    return KW_OK;
}

static struct kw_result verdict_show(const struct kw_cli *cli, const struct kw_verify *verifier,
                                     bool *ret_good, struct kw_error *err)
{
    size_t findings;

    if (cli->form == KW_OUTPUT_TABLE) {
        return verdict_print(verifier, cli->arena, ret_good, err);
    }
    (void)kw_verify_findings(verifier, &findings);
    *ret_good = findings == 0;
    return verdict_json(verifier, err);
}

/* The parts of a list with commas, in the arena. */
static struct kw_result parts_of(const struct kw_cli *cli, const char *list,
                                 const char *ret_parts[PARTS_MAX], size_t *ret_count,
                                 struct kw_error *err)
{
    char *rest = kw_arena_text(cli->arena, list, strlen(list));
    char *part;

    KW_ENSURE(rest != NULL, err, MEMORY, "a list");
    *ret_count = 0;
    while ((part = strsep(&rest, ",")) != NULL) {
        KW_ENSURE(*ret_count < PARTS_MAX, err, ARGUMENT_INVALID, "more than %d files", PARTS_MAX);
        ret_parts[(*ret_count)++] = part;
    }
    return KW_OK;
}

/* The checkpoint key lies beside the root, where init put both, unless the argument says otherwise; of
 * several regions there are several. */
static struct kw_result checkpoint_key_read(const struct kw_cli *cli, struct kw_buf *ret_key,
                                            struct kw_error *err)
{
    const char *path = kw_cli_argument(cli, "--checkpoint-key");
    const char *paths[PARTS_MAX];
    size_t count;
    char dir[PATH_MAX];

    if (path == NULL) {
        path = kw_cli_path(cli->arena, kw_dir_of(cli->settings.ca_file, dir), "checkpoint.pub");
    }
    KW_ENSURE(path != NULL, err, MEMORY, "a path");
    KW_TRY(parts_of(cli, path, paths, &count, err));
    for (size_t i = 0; i < count; i++) {
        KW_TRY(kw_file_read(paths[i], KW_SPKI_LEN_MAX, ret_key, err));
    }
    return KW_OK;
}

static struct kw_result verify(struct kw_cli *cli, bool *ret_good, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf root = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};
    struct kw_spiffe gateway;
    struct kw_verify_trust trust;
    struct kw_verify *verifier = NULL;
    const char *files[PARTS_MAX];
    size_t file_count;
    struct kw_result result;

    KW_ENSURE(cli->settings.ca_file != NULL, err, CONFIG_INVALID,
              "ca_file is not set: the root CA");
    KW_TRY(kw_file_read(cli->settings.ca_file, KW_CREDENTIALS_FILE_LEN_MAX, &root, err));
    KW_TRY(checkpoint_key_read(cli, &key, err));
    KW_TRY(kw_spiffe_parse(kw_bytes_str(cli->settings.peer), &gateway, err));
    trust = (struct kw_verify_trust){kw_buf_bytes(&root), kw_buf_bytes(&key), gateway.trust_domain};
    KW_TRY(parts_of(cli, kw_cli_argument(cli, "FILE"), files, &file_count, err));
    KW_TRY(kw_evidence_verify_all(files, file_count, &trust, &verifier, err));
    result = verdict_show(cli, verifier, ret_good, err);
    kw_verify_free(verifier);
    return result;
}

static enum kw_exit run_verify(struct kw_cli *cli)
{
    bool good = false;
    struct kw_error error;
    struct kw_result result = verify(cli, &good, &error);

    if (!kw_ok(result)) {
        return kw_cli_fail(cli, &error);
    }
    return good ? KW_EXIT_OK : KW_EXIT_UNHEALTHY;
}

const struct kw_command kw_evidence_commands[] = {
    {"receipt",
     "get",
     "Shows a receipt.",
     {{"NAME", NULL, "name", true, "receipts/rcp_…."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_GET_RECEIPT, "receipt", NULL}},
    {"receipt",
     "list",
     "Lists receipts, oldest first.",
     {{"--device", "NAME", "device", false, "Only about this pen."},
      {"--caller", "NAME", "caller", false, "Only of this caller."},
      {"--start-time", "TIME", "start_time", false, "From then on."},
      {"--end-time", "TIME", "end_time", false, "Until then."},
      {"--page-size", "N", "page_size", false, "At most so many."},
      {"--page-token", "TOKEN", "page_token", false, "Where the last page ended."}},
     .run = kw_cli_run_call,
     .call = {KW_METHOD_LIST_RECEIPTS, "receipts", columns}},
    {"receipt",
     "export",
     "Writes everything that verify needs to a file.",
     {{"FILE", NULL, NULL, true, "Where it goes."},
      {"--start-time", "TIME", "start_time", false, "From then on."},
      {"--end-time", "TIME", "end_time", false, "Until then."},
      {"--of", "REGION/CELL", "of", false,
       "Not the cell's own receipts but that cell's, as far as it keeps a copy."}},
     .run = run_export},
    {"verify",
     NULL,
     "Verifies exported evidence offline against root CA and checkpoint key. Exit 5: tampered "
     "with.",
     {{"FILE", NULL, NULL, true,
       "What receipt export wrote; of a mesh of several cells one for each of them, joined by "
       "commas."},
      {"--checkpoint-key", "FILE", NULL, false,
       "Public half, DER; of several regions joined by commas; by default beside ca_file."}},
     .run = run_verify},
    {0},
};
