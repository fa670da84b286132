/* A further region in the steps of its ceremony, each as its subcommand runs it but in this process. Root's region and new
 * region have a token each, in one SoftHSM. */
#ifndef KW_TESTS_SUPPORT_REGION_FIXTURE_H
#define KW_TESTS_SUPPORT_REGION_FIXTURE_H

#include "cli/mesh_layout.h"
#include "common/crypto/digest.h"
#include "services/cryptocore/region/steps.h"

#define REGION_NEW       "far"
#define REGION_NEW_CELL  "c"
#define REGION_NEW_TOKEN "keyward-far"

enum region_file {
    REGION_HOME, /* what init wrote */
    REGION_HOME_PKI,
    REGION_REQUEST,
    REGION_APPROVAL,
    REGION_BLOB,
    REGION_RECOVERY,
    REGION_CARRIED,
    REGION_ANSWER,
    REGION_ROOT,
    REGION_LIST,
    REGION_LIST_SIGNATURE,
    REGION_OUT, /* what complete writes */
    REGION_SET,
    REGION_PIN,
    REGION_SO_PIN,
    REGION_LOCK,
    REGION_FILES,
};

/* Settings of each step, all right; a test spoils what they name. */
struct region_fixture {
    struct kw_mesh_dir dir;
    char paths[REGION_FILES][PATH_MAX];
    char root_sha256[2 * KW_SHA256_LEN + 1];
    char request_sha256[2 * KW_SHA256_LEN + 1];
    char *hosts[1];
    struct kw_request_config request;
    struct kw_carry_config carry;
    struct kw_answer_config answer;
    struct kw_complete_config complete;
    struct kw_regions_config regions;
};

/* In the directory of a flat mesh (flat_layout.h) whose ceremony was held. */
void region_fixture_init(struct region_fixture *fx, const struct kw_mesh_dir *dir);

/* People compare the request as it is now. */
void region_compare(struct region_fixture *fx);

/* They do, and the officer signs it. */
void region_approve(struct region_fixture *fx);

/* A step of each kind, which must succeed; `region_fixture_run` takes all. */
void region_request(struct region_fixture *fx);
void region_carry(struct region_fixture *fx);
void region_answer(struct region_fixture *fx);
void region_complete(struct region_fixture *fx);
void region_fixture_run(struct region_fixture *fx);

/* The names and sizes of all objects on all tokens of the mesh, hashed: as it was or not. */
uint64_t region_tokens(const struct region_fixture *fx);

#endif
