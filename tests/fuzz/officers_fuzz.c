/* Files that officers and operators put down for a service: a certificate among the officers', the list of services
 * with its signature, deny entries. Nobody has the CA's key, so no officer may come of it.
 */
#include "services/authz/officers.h"
#include "services/cryptocore/pki_files.h"
#include "tests/fuzz/fuzz.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NOW_MS UINT64_C(1767225600000)

static struct kw_authz_config config;
static char pki[PATH_MAX / 2];
static char directory[PATH_MAX];
static char domain[] = "keyward.test";

static void set_up(void)
{
    struct kw_buf pem = kw_fuzz_load("keys/stranger.pem");

    (void)snprintf(pki, sizeof(pki), "%s", kw_fuzz_folder());
    (void)snprintf(directory, sizeof(directory), "%s/officers", pki);
    KW_FUZZ_CHECK(mkdir(directory, 0700) == 0);
    (void)kw_fuzz_file("ca-operators.pem", kw_buf_bytes(&pem));
    kw_buf_done(&pem);
    config.pki_dir = pki;
    config.officers_dir = directory;
    config.trust_domain = domain;
}

static void officers(struct kw_bytes bytes)
{
    KW_SCOPED(kw_officers_done) struct kw_officers officers = {0};
    struct kw_error err = {0};

    (void)kw_fuzz_file("officers/one.pem", bytes);
    KW_FUZZ_CHECK(!kw_fuzz_accepted(kw_officers_load(&config, NOW_MS, &officers, &err), &err));
    KW_FUZZ_CHECK(officers.count == 0);
}

static void services(struct kw_bytes bytes)
{
    static const char id[] = "spiffe://keyward.test/region/eu-1/cell/a/svc/authz";
    struct kw_core_pki pki_of = {0};
    struct kw_error err = {0};
    char *text = kw_fuzz_text(bytes);
    bool denied = false;

    KW_FUZZ_MUST(kw_buf_append(&pki_of.services, KW_BYTES(text, strlen(text) + 1), NULL));
    if (kw_core_pki_lists(&pki_of, id)) {
        KW_FUZZ_CHECK(strstr(text, id) != NULL);
    }
    (void)kw_fuzz_file("services.deny", bytes);
    if (kw_fuzz_accepted(kw_core_pki_denies(pki, id, &denied, &err), &err)) {
        KW_FUZZ_CHECK(!denied || memmem(bytes.data, bytes.len, id, strlen(id)) != NULL);
    }
    kw_core_pki_done(&pki_of);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes bytes = KW_BYTES(data, size);

    if (config.pki_dir == NULL) {
        set_up();
    }
    if (size > 0 && data[0] == '-') {
        officers(bytes);
    } else {
        services(bytes);
    }
    return 0;
}
