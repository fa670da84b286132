/* A ceremony that has not been held: everything that `keyward-cryptocore init` is given, in a directory of its own, and
 * init itself in this process. */
#ifndef KW_TESTS_COMPONENT_INIT_FIXTURE_H
#define KW_TESTS_COMPONENT_INIT_FIXTURE_H

#include "cli/mesh_files.h"
#include "services/cryptocore/init.h"
#include "tests/support/must.h"

struct init_fixture {
    struct kw_mesh_dir dir;
    struct kw_init_config config; /* as init.yaml says; each attempt has an out_dir of its own */
    unsigned attempts;
    char out_dir[PATH_MAX]; /* of the last attempt */
};

extern struct init_fixture init_fx;

/* For TestSuite's init and fini. */
void init_up(void);
void init_down(void);

/* One attempt, with `config` but for its out_dir; what it says is in `ret_err`. */
enum kw_reason init_with(const struct kw_init_config *config, struct kw_error *ret_err);

/* The path of a file that the last attempt wrote. `path` has PATH_MAX bytes and is returned. */
char *init_wrote(const char *name, char *path);

#endif
