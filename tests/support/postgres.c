/* PostgreSQL servers of a test: made, started, killed, removed. */
#include "tests/support/postgres.h"

#include "tests/support/must.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARED_DIR    "KW_TEST_POSTGRES" /* in the environment: the binary's own server, or why not */
#define PATIENCE_S    60
#define ARGUMENTS_MAX 24
#define CHILDREN_MAX  64
#define MEMORY_DIR    "/dev/shm"
#define MEMORY_NEEDED (1ULL << 30)

/* --- who runs it --- */

static const char *bin_dir(void)
{
    static char dir[128];
    glob_t found = {0};

    if (dir[0] == '\0' && glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0) {
        const char *newest = found.gl_pathv[found.gl_pathc - 1];

        (void)snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(newest, '/') - newest), newest);
    }
    globfree(&found);
    return dir;
}

/* PostgreSQL refuses to be root. */
static const struct passwd *user(void)
{
    const struct passwd *postgres = getpwnam("postgres");

    return postgres != NULL ? postgres : getpwnam("nobody");
}

/* On a machine where /dev/null is root's alone initdb can't work: it gets one of its own. */
static void share_dev_null(const char *dir)
{
    char null[96];
    struct stat info;

    if (stat("/dev/null", &info) == 0 && (info.st_mode & S_IWOTH) != 0) {
        return;
    }
    (void)snprintf(null, sizeof(null), "%s/null", dir);
    (void)unlink(null);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mknod(null, S_IFCHR | 0666, makedev(1, 3)) != 0 || chmod(null, 0666) != 0 ||
        mount(null, "/dev/null", NULL, MS_BIND, NULL) != 0) {
        perror("/dev/null");
    }
}

static void leave_root(const char *dir)
{
    const struct passwd *account = geteuid() == 0 ? user() : NULL;

    if (account == NULL) {
        return;
    }
    share_dev_null(dir);
    if (initgroups(account->pw_name, account->pw_gid) != 0 || setgid(account->pw_gid) != 0 ||
        setuid(account->pw_uid) != 0) {
        _exit(126);
    }
}

/* --- processes --- */

/* The child's part. It ends with its parent, however that ends. */
static _Noreturn void become(const struct postgres *pg, char **argv, pid_t parent)
{
    char log[80];
    int fd;

    leave_root(pg->dir);
    (void)snprintf(log, sizeof(log), "%s/log", pg->dir);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (prctl(PR_SET_PDEATHSIG, SIGQUIT) == 0 && getppid() == parent && fd >= 0 &&
        dup2(fd, STDERR_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0) {
        (void)execv(argv[0], argv);
    }
    _exit(127);
}

/* `arguments` end with NULL. */
static pid_t spawn(const struct postgres *pg, const char *program, const char *const *arguments)
{
    char path[160];
    char *argv[ARGUMENTS_MAX] = {path};
    pid_t parent = getpid();
    pid_t pid;

    (void)snprintf(path, sizeof(path), "%s/%s", program[0] == '/' ? "" : bin_dir(), program);
    for (int i = 0; arguments[i] != NULL && i + 2 < ARGUMENTS_MAX; i++) {
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    }
    pid = fork();
    if (pid == 0) {
        become(pg, argv, parent);
    }
    return pid;
}

static bool run(const struct postgres *pg, const char *program, const char *const *arguments)
{
    pid_t pid = spawn(pg, program, arguments);
    int status = -1;

    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void data_dir(const struct postgres *pg, char data[static 80])
{
    (void)snprintf(data, 80, "%s/data", pg->dir);
}

/* --- making --- */

/* In memory, if there is room: a store's tables are made for each test, which a slow disk that others use, too, would make a
 * matter of seconds each. Servers are killed here, machines are not: what is synced to memory is as safe from that. */
static const char *parent_dir(void)
{
    struct statvfs room;

    return access(MEMORY_DIR, W_OK) == 0 && statvfs(MEMORY_DIR, &room) == 0 &&
                   (uint64_t)room.f_bavail * room.f_frsize >= MEMORY_NEEDED
               ? MEMORY_DIR
               : "/tmp";
}

/* Its own, and open to this process's group: a service that has given root's privileges up gets in. */
static bool make_dir(struct postgres *pg)
{
    *pg = (struct postgres){.pid = 0};
    (void)snprintf(pg->dir, sizeof(pg->dir), "%s/kw-postgres-XXXXXX", parent_dir());
    return mkdtemp(pg->dir) != NULL && chmod(pg->dir, 0710) == 0 &&
           (geteuid() != 0 || (user() != NULL && chown(pg->dir, user()->pw_uid, getegid()) == 0));
}

/* initdb takes seconds: once for a binary, whose other servers get a copy of what it made. */
static bool make(struct postgres *pg)
{
    char data[80];
    char pristine[96];
    const char *const arguments[] = {
        "-D",      data,         "--data-checksums",  "-A",
        "trust",   "--no-sync",  "--no-instructions", "-U",
        "keyward", "--locale=C", "--wal-segsize=1",   "-E",
        "UTF8",    NULL,
    };
    const char *const copy[] = {"-a", data, pristine, NULL};

    if (!make_dir(pg)) {
        return false;
    }
    data_dir(pg, data);
    (void)snprintf(pristine, sizeof(pristine), "%s/pristine", pg->dir);
    return run(pg, "initdb", arguments) && run(pg, "/bin/cp", copy);
}

static bool make_copy(struct postgres *pg, const struct postgres *of)
{
    char data[80];
    char pristine[96];
    const char *const copy[] = {"-a", pristine, data, NULL};

    (void)snprintf(pristine, sizeof(pristine), "%s/pristine", of->dir);
    data_dir(pg, data);
    return run(pg, "/bin/cp", copy);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static void remove_dir(const struct postgres *pg)
{
    (void)nftw(pg->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- starting: it says READY=1 to this socket, as to systemd --- */

static int listen_for_ready(const struct postgres *pg, struct sockaddr_un *address)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address->sun_family = AF_UNIX;
    (void)snprintf(address->sun_path, sizeof(address->sun_path), "%s/ready", pg->dir);
    (void)unlink(address->sun_path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
        chmod(address->sun_path, 0666) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
        perror("socket");
    }
    return fd;
}

static bool await_ready(int fd)
{
    char news[512];
    ssize_t got;

    while ((got = recv(fd, news, sizeof(news) - 1, 0)) > 0) {
        news[got] = '\0';
        if (strstr(news, "READY=1") != NULL) {
            return true;
        }
    }
    return false;
}

static bool start(struct postgres *pg, const char *setting)
{
    char data[80];
    const char *const arguments[] = {
        "-D", data,
        "-k", pg->dir,
        "-c", "listen_addresses=",
        "-c", "shared_buffers=16MB",
        "-c", "max_connections=60",
        "-c", "max_wal_size=64MB",
        "-c", setting != NULL ? setting : "fsync=on",
        NULL,
    };
    struct sockaddr_un address = {0};
    int fd = listen_for_ready(pg, &address);
    bool ready;

    data_dir(pg, data);
    (void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
    pg->pid = spawn(pg, "postgres", arguments);
    (void)unsetenv("NOTIFY_SOCKET");
    ready = pg->pid > 0 && await_ready(fd);
    (void)close(fd);
    return ready;
}

void postgres_start(struct postgres *pg, const char *setting)
{
    REQUIRE(start(pg, setting), "PostgreSQL does not start: see %s/log", pg->dir);
}

/* --- ending --- */

static void stop(struct postgres *pg, int signal)
{
    if (pg->pid > 0) {
        (void)kill(pg->pid, signal);
        (void)waitpid(pg->pid, NULL, 0);
        pg->pid = 0;
    }
}

void postgres_stop(struct postgres *pg)
{
    stop(pg, SIGINT);
}

static size_t children_of(pid_t pid, pid_t *children)
{
    DIR *processes = opendir("/proc");
    size_t count = 0;

    for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        char path[300];
        FILE *file;
        int parent = 0;

        (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        file = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        if (file != NULL) {
            if (fscanf(file, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == pid &&
                count < CHILDREN_MAX) {
                children[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
            }
            (void)fclose(file);
        }
    }
    (void)closedir(processes);
    return count;
}

/* The first is stopped, so that it starts no more; then all of them go, and become children of this
 * process, which waits for each. */
void postgres_kill(struct postgres *pg)
{
    pid_t children[CHILDREN_MAX];
    size_t count;

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)kill(pg->pid, SIGSTOP);
    (void)waitpid(pg->pid, NULL, WUNTRACED);
    count = children_of(pg->pid, children);
    for (size_t i = 0; i < count; i++) {
        (void)kill(children[i], SIGKILL);
    }
    stop(pg, SIGKILL);
    for (size_t i = 0; i < count; i++) {
        (void)waitpid(children[i], NULL, 0);
    }
}

void postgres_init(struct postgres *pg)
{
    const struct postgres *shared = postgres_shared();

    REQUIRE(make_dir(pg) && make_copy(pg, shared), "no copy of the server's data: see %s/log",
            pg->dir);
}

void postgres_done(struct postgres *pg)
{
    stop(pg, SIGQUIT);
    remove_dir(pg);
}

void postgres_tool(const struct postgres *pg, const char *name, const char *argument)
{
    char data[80];
    const char *const arguments[] = {"-D", data, argument, NULL};

    data_dir(pg, data);
    REQUIRE(run(pg, name, arguments), "%s fails: see %s/log", name, pg->dir);
}

/* --- the binary's own: from before its first test until its end ---
 *
 * A keeper starts it, who is no child of the binary: Criterion's runner is lost when a child of its
 * own ends that it did not start. The keeper ends the server when the binary has gone, however it
 * went. */

static pid_t owner;
static int hold[2]; /* the binary's: at its end the keeper reads the end */
static int news[2]; /* the keeper's: where the server is, and then its own end */

static _Noreturn void keep(void)
{
    struct postgres pg = {0};
    char nothing;

    (void)setsid();
    (void)close(hold[1]);
    (void)close(news[0]);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        (void)close(fd); /* whoever reads what the binary says must not wait for this process */
    }
    if (make(&pg) && start(&pg, NULL)) {
        (void)write(news[1], pg.dir, sizeof(pg.dir));
        (void)read(hold[0], &nothing, 1);
    }
    stop(&pg, SIGQUIT);
    remove_dir(&pg);
    _exit(0);
}

__attribute__((constructor)) static void start_own(void)
{
    char dir[sizeof(((struct postgres *)NULL)->dir)] = "";
    pid_t first;

    if (getenv(SHARED_DIR) != NULL || bin_dir()[0] == '\0' || pipe2(hold, O_CLOEXEC) != 0 ||
        pipe2(news, O_CLOEXEC) != 0) {
        return;
    }
    owner = getpid();
    first = fork();
    if (first == 0) {
        if (fork() == 0) {
            keep();
        }
        _exit(0);
    }
    (void)waitpid(first, NULL, 0);
    (void)close(hold[0]);
    (void)close(news[1]);
    (void)setenv(SHARED_DIR, read(news[0], dir, sizeof(dir)) > 0 ? dir : "", 1);
}

__attribute__((destructor)) static void stop_own(void)
{
    char nothing;

    if (owner == getpid()) {
        (void)close(hold[1]);
        (void)read(news[0], &nothing, 1);
    }
}

const struct postgres *postgres_shared(void)
{
    static struct postgres shared;
    const char *dir = getenv(SHARED_DIR);

    if (dir == NULL) {
        cr_skip("PostgreSQL is not installed");
    }
    REQUIRE(dir[0] != '\0', "the binary's PostgreSQL did not start");
    (void)snprintf(shared.dir, sizeof(shared.dir), "%s", dir);
    return &shared;
}

/* --- using it --- */

static int next_number(void)
{
    static atomic_int made;

    return atomic_fetch_add(&made, 1);
}

static void url_of(const struct postgres *pg, const char *database, char url[POSTGRES_URL_SIZE])
{
    (void)snprintf(url, POSTGRES_URL_SIZE, "postgresql://keyward@/%s?host=%s", database, pg->dir);
}

void postgres_database(const struct postgres *pg, const char *options,
                       char url[static POSTGRES_URL_SIZE])
{
    char name[40];
    char sql[160];

    (void)snprintf(name, sizeof(name), "d%d_%d", (int)getpid(), next_number());
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s %s", name, options);
    url_of(pg, "postgres", url);
    (void)postgres_sql(url, sql);
    url_of(pg, name, url);
}

/* With what tests' own statements use of SQLite's. */
static const char new_schema[] =
    "CREATE SCHEMA %1$s; SET search_path TO %1$s;"
    "CREATE VIEW sqlite_master AS SELECT tablename FROM pg_tables"
    " WHERE schemaname = current_schema();"
    "CREATE FUNCTION hex(bytes bytea) RETURNS text LANGUAGE sql AS 'SELECT upper(encode(bytes, "
    "''hex''))';"
    "CREATE FUNCTION zeroblob(n integer) RETURNS bytea LANGUAGE sql AS"
    " 'SELECT decode(repeat(''00'', n), ''hex'')';"
    "CREATE FUNCTION randomblob(n integer) RETURNS bytea LANGUAGE sql AS"
    " 'SELECT decode(substr(repeat(md5(gen_random_uuid()::text), 1 + n / 16), 1, 2 * n), ''hex'')'";

void postgres_schema(const struct postgres *pg, char url[static POSTGRES_URL_SIZE])
{
    char name[40];
    char sql[sizeof(new_schema) + 2 * sizeof(name)];
    size_t length;

    (void)snprintf(name, sizeof(name), "s%d_%d", (int)getpid(), next_number());
    (void)snprintf(sql, sizeof(sql), new_schema, name);
    url_of(pg, "postgres", url);
    (void)postgres_sql(url, sql);
    length = strlen(url);
    (void)snprintf(url + length, POSTGRES_URL_SIZE - length, "&options=-csearch_path%%3D%s", name);
}

long postgres_sql(const char *url, const char *sql)
{
    PGconn *link = PQconnectdb(url);
    PGresult *answer;
    long number = 0;

    REQUIRE(PQstatus(link) == CONNECTION_OK, "%s", PQerrorMessage(link));
    answer = PQexec(link, sql);
    REQUIRE(PQresultStatus(answer) == PGRES_COMMAND_OK || PQresultStatus(answer) == PGRES_TUPLES_OK,
            "%s: %s", sql, PQerrorMessage(link));
    if (PQntuples(answer) > 0) {
        number = strtol(PQgetvalue(answer, 0, 0), NULL, 10);
    }
    PQclear(answer);
    PQfinish(link);
    return number;
}
