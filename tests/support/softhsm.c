/* A throw-away SoftHSM token. */
#include "tests/support/softhsm.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN    "a test PIN of 24 letters"
#define SO_PIN "another PIN, the officer"

extern char **environ;

static void file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void token_init(void)
{
    char *argv[] = {
        "softhsm2-util", "--init-token", "--free", "--label", SOFTHSM_TOKEN_LABEL, "--pin", PIN,
        "--so-pin",      SO_PIN,         NULL};
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int status;

    cr_assert(posix_spawn_file_actions_init(&quiet) == 0);
    cr_assert(posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0) == 0);
    cr_assert(posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ) == 0, "softhsm2-util");
    (void)posix_spawn_file_actions_destroy(&quiet);
    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void softhsm_init(struct softhsm *softhsm)
{
    char conf[256];

    (void)snprintf(softhsm->dir, sizeof(softhsm->dir), "/tmp/keyward-softhsm-XXXXXX");
    cr_assert(mkdtemp(softhsm->dir) != NULL);
    (void)snprintf(softhsm->conf, sizeof(softhsm->conf), "%s/softhsm2.conf", softhsm->dir);
    (void)snprintf(softhsm->tokens, sizeof(softhsm->tokens), "%s/tokens", softhsm->dir);
    (void)snprintf(softhsm->pin, sizeof(softhsm->pin), "%s/pin", softhsm->dir);
    (void)snprintf(softhsm->lock, sizeof(softhsm->lock), "%s/login.lock", softhsm->dir);
    (void)snprintf(conf, sizeof(conf),
                   "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
                   softhsm->tokens);
    cr_assert(mkdir(softhsm->tokens, 0700) == 0);
    file_write(softhsm->conf, conf);
    file_write(softhsm->pin, PIN "\n");
    cr_assert(setenv("SOFTHSM2_CONF", softhsm->conf, 1) == 0);
    token_init();
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void softhsm_done(struct softhsm *softhsm)
{
    (void)nftw(softhsm->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct kw_hsm_token softhsm_token(const struct softhsm *softhsm)
{
    return (struct kw_hsm_token){
        .provider = "softhsm",
        .module_path = MODULE,
        .token_label = SOFTHSM_TOKEN_LABEL,
        .pin_path = softhsm->pin,
        .lock_path = softhsm->lock,
    };
}

void softhsm_pin_write(const struct softhsm *softhsm, const char *pin)
{
    file_write(softhsm->pin, pin);
}

static void away_path(const struct softhsm *softhsm, char path[128])
{
    (void)snprintf(path, 128, "%s.away", softhsm->tokens);
}

void softhsm_another_token(void)
{
    token_init();
}

void softhsm_unplug(const struct softhsm *softhsm)
{
    char away[128];

    away_path(softhsm, away);
    cr_assert(rename(softhsm->tokens, away) == 0 && mkdir(softhsm->tokens, 0700) == 0);
}

void softhsm_plug(const struct softhsm *softhsm)
{
    char away[128];

    away_path(softhsm, away);
    cr_assert(rmdir(softhsm->tokens) == 0 && rename(away, softhsm->tokens) == 0);
}
