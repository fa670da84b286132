/* hsm_load: what one GetDeviceAccess asks of the HSM, as fast as one process can. One process each,
 * as the core's workers are; the module is loaded here and never before a fork.
 *
 *     hsm_load make DIR FACTS       a token after its ceremony and the request, into DIR, which has
 *                                   pin and so-pin
 *     hsm_load list DIR SECONDS     the PKCS#11 calls alone
 *     hsm_load worker DIR SECONDS   the whole operation, as a worker runs it
 *
 * The last two print the calls ("CALLS C_Sign=6 …") and READY, wait for a line, then print BEGIN,
 * END, FIGURES, and go on until they are ended, so that the others are not alone while they are
 * measured.
 */
#include "bench/hsm_load.h"

#include "bench/watch.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "services/cryptocore/hsm/worker_protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load {
    struct kw_hsm_module module;
    struct kw_hsm_session session;
    struct kw_arena *arena;
    struct kw_buf file;
    struct kw_hsm_batch batch; /* one request */
    struct hsm_list *list;
    bool whole; /* worker, not list */
    struct kw_error error;
};

const char *hsm_load_path(const char *dir, const char *name, char *path)
{
    bench_require(snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX, "path is too long");
    return path;
}

static void must(const struct load *load, struct kw_result result)
{
    bench_require(kw_ok(result), load->error.message);
}

static void request_read(struct load *load, const char *dir)
{
    struct kw_hsm_message message;
    char path[PATH_MAX];

    must(load, kw_file_read(hsm_load_path(dir, HSM_LOAD_REQUEST, path), HSM_LOAD_LEN_MAX,
                            &load->file, &load->error));
    must(load, kw_hsm_message_next(kw_buf_bytes(&load->file), &message, &load->error));
    load->arena = bench_must(kw_arena_new(HSM_LOAD_LEN_MAX));
    must(load, kw_hsm_batch_get(message.fields, load->arena, &load->batch, &load->error));
    load->list = hsm_list_new(&load->batch.requests[0].derive);
}

static void session_open(struct load *load, const char *dir)
{
    static char pin[PATH_MAX]; /* borrowed by the module */
    static char lock[PATH_MAX];
    const struct kw_hsm_token_settings settings = {.provider = "softhsm",
                                                   .module_path = HSM_LOAD_MODULE,
                                                   .token_label = HSM_LOAD_TOKEN,
                                                   .pin_path = hsm_load_path(dir, "pin", pin),
                                                   .lock_path = hsm_load_path(dir, "lock", lock)};

    must(load, kw_hsm_module_open(&load->module, &settings, &load->error));
    must(load, kw_hsm_session_open(&load->session, &load->module, KW_HSM_READ_ONLY, &load->error));
    must(load, kw_hsm_session_keys(&load->session, &load->error));
}

static void run_whole(struct load *load)
{
    struct kw_hsm_answer answer;

    kw_hsm_run(&load->session, load->arena, &load->batch.requests[0], &answer);
    bench_require(kw_ok(answer.result), answer.error.message);
}

static void run_list(struct load *load)
{
    must(load, hsm_list_run(load->list, &load->session, &load->error));
}

static void count(struct load *load, void (*run)(struct load *load),
                  uint32_t ret_calls[KW_C_COUNT_])
{
    memset(load->session.calls, 0, sizeof(load->session.calls));
    run(load);
    memcpy(ret_calls, load->session.calls, sizeof(load->session.calls));
}

/* The list is what the operation does: call by call as often. */
static void print_calls(struct load *load)
{
    uint32_t whole[KW_C_COUNT_];
    uint32_t list[KW_C_COUNT_];

    count(load, run_whole, whole);
    count(load, run_list, list);
    (void)printf("CALLS");
    for (int i = 0; i < KW_C_COUNT_; i++) {
        bench_require(whole[i] == list[i], "bench/hsm_list.c does not do what the operation does");
        if (list[i] > 0) {
            (void)printf(" %s=%u", kw_hsm_function_name((enum kw_hsm_function)i), list[i]);
        }
    }
    (void)printf("\nREADY\n");
    (void)fflush(stdout);
}

static void load_run(struct load *load, double seconds)
{
    struct bench_watch watch;
    char line[16];

    bench_require(read(STDIN_FILENO, line, sizeof(line)) > 0, "nobody says go");
    bench_watch_init(&watch, seconds, STDOUT_FILENO, bench_watch_print);
    for (;;) {
        uint64_t start_ns = kw_clock_mono_ns();

        (load->whole ? run_whole : run_list)(load);
        bench_watch_call(&watch, start_ns, 0);
    }
}

int main(int argc, char **argv)
{
    static struct load load;

    bench_require(argc == 4, "usage: hsm_load make|list|worker DIR FACTS|SECONDS");
    kw_log_setup("hsm_load", "", KW_LOG_WARN);
    if (strcmp(argv[1], "make") == 0) {
        hsm_make(argv[2], strtoul(argv[3], NULL, 10));
        return EXIT_SUCCESS;
    }
    load.whole = strcmp(argv[1], "worker") == 0;
    bench_require(load.whole || strcmp(argv[1], "list") == 0, "make, list or worker");
    session_open(&load, argv[2]);
    request_read(&load, argv[2]);
    print_calls(&load);
    load_run(&load, strtod(argv[3], NULL));
}
