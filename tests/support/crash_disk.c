/* The model of the disk, and the dice. */
#include "tests/support/crash_disk.h"

#include "tests/support/dice.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX   64
#define TORN_ONE_OF 8 /* kept sectors are torn so often */

/* Bytes that grow; what is beyond the end is zero. */
struct image {
    uint8_t *data;
    size_t size;
    size_t room;
};

/* Something that was done to a file since its last sync. */
struct change {
    struct change *next;
    bool truncates;
    uint64_t offset; /* or the new size */
    size_t len;
    uint8_t data[];
};

struct crash_file {
    struct crash_file *next;
    struct image durable;
    struct change *first;
    struct change **end;
};

struct name {
    char path[256];
    struct crash_file *now;     /* NULL: deleted */
    struct crash_file *durable; /* NULL: not there after a cut */
    bool survived;              /* the last cut */
};

/* How much of the unsynced a cut leaves, of one file. */
enum survival {
    NOTHING,
    EVERYTHING,
    IN_ORDER, /* all before some moment; then none is torn */
    HALF,
    FEW,
    MOST,
    SURVIVALS
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static struct crash_disk_options options;
static uint64_t random_state;
static struct name names[NAMES_MAX];
static size_t name_count;
static struct crash_file *files;
static uint64_t steps;
static uint64_t cut_step;
static uint64_t syncs_to_cut;
static bool is_cut;

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* --- dice --- */

static uint64_t roll(uint64_t below)
{
    return dice_roll(&random_state) % below;
}

uint64_t crash_random(uint64_t below)
{
    uint64_t value;

    pthread_mutex_lock(&mutex);
    value = roll(below);
    pthread_mutex_unlock(&mutex);
    return value;
}

/* --- images --- */

static void image_resize(struct image *image, size_t size)
{
    if (size > image->room) {
        image->room = size * 2;
        image->data = must(realloc(image->data, image->room));
    }
    if (size > image->size) {
        memset(image->data + image->size, 0, size - image->size);
    }
    image->size = size;
}

static void image_write(struct image *image, const uint8_t *data, size_t len, uint64_t offset)
{
    if (offset + len > image->size) {
        image_resize(image, offset + len);
    }
    memcpy(image->data + offset, data, len);
}

static void image_apply(struct image *image, const struct change *change)
{
    if (change->truncates) {
        image_resize(image, change->offset);
    } else {
        image_write(image, change->data, change->len, change->offset);
    }
}

/* --- files --- */

static struct crash_file *file_new(void)
{
    struct crash_file *file = must(calloc(1, sizeof(*file)));

    file->end = &file->first;
    file->next = files;
    files = file;
    return file;
}

static void file_forget_changes(struct crash_file *file)
{
    while (file->first != NULL) {
        struct change *change = file->first;

        file->first = change->next;
        free(change);
    }
    file->end = &file->first;
}

static void file_change(struct crash_file *file, bool truncates, uint64_t offset, const void *data,
                        size_t len)
{
    struct change *change = must(malloc(sizeof(*change) + len));

    *change = (struct change){.truncates = truncates, .offset = offset, .len = len};
    if (len > 0) {
        memcpy(change->data, data, len);
    }
    *file->end = change;
    file->end = &change->next;
}

static void file_load(struct crash_file *file, const char *path, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    image_resize(&file->durable, size);
    if (fd < 0 || read(fd, file->durable.data, size) != (ssize_t)size) {
        abort();
    }
    (void)close(fd);
}

/* The names stay. */
static void forget_files(void)
{
    while (files != NULL) {
        struct crash_file *file = files;

        files = file->next;
        file_forget_changes(file);
        free(file->durable.data);
        free(file);
    }
    for (size_t i = 0; i < name_count; i++) {
        names[i].now = NULL;
        names[i].durable = NULL;
    }
}

/* --- names --- */

static struct name *name_find(const char *path)
{
    for (size_t i = 0; i < name_count; i++) {
        if (strcmp(names[i].path, path) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static struct name *name_make(const char *path)
{
    struct name *name = name_find(path);

    if (name == NULL) {
        assert(name_count < NAMES_MAX && strlen(path) < sizeof(name->path));
        name = &names[name_count++];
        *name = (struct name){0};
        memcpy(name->path, path, strlen(path) + 1);
    }
    return name;
}

/* --- steps --- */

/* Counts a step; false when the power goes with it, or is off. */
static bool step(void)
{
    if (is_cut) {
        return false;
    }
    is_cut = ++steps == cut_step;
    return !is_cut;
}

static bool sync_step(void)
{
    if (!is_cut && syncs_to_cut > 0 && --syncs_to_cut == 0) {
        is_cut = true;
    }
    return step();
}

bool crash_disk_create(const char *path, struct crash_file **ret_file)
{
    bool done;

    pthread_mutex_lock(&mutex);
    done = step();
    if (done) {
        *ret_file = name_make(path)->now = file_new();
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

bool crash_disk_write(struct crash_file *file, const void *data, size_t len, uint64_t offset)
{
    bool was_cut;
    bool done;

    pthread_mutex_lock(&mutex);
    was_cut = is_cut;
    done = step();
    if (!was_cut) { /* what was on its way may arrive */
        file_change(file, false, offset, data, len);
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

bool crash_disk_truncate(struct crash_file *file, uint64_t size)
{
    bool was_cut;
    bool done;

    pthread_mutex_lock(&mutex);
    was_cut = is_cut;
    done = step();
    if (!was_cut) {
        file_change(file, true, size, NULL, 0);
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

bool crash_disk_sync(struct crash_file *file)
{
    bool done;

    pthread_mutex_lock(&mutex);
    done = sync_step();
    if (done && !options.lies) {
        for (const struct change *change = file->first; change != NULL; change = change->next) {
            image_apply(&file->durable, change);
        }
        file_forget_changes(file);
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

bool crash_disk_sync_names(void)
{
    bool done;

    pthread_mutex_lock(&mutex);
    done = sync_step();
    for (size_t i = 0; done && !options.lies && i < name_count; i++) {
        names[i].durable = names[i].now;
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

bool crash_disk_remove(const char *path)
{
    bool done;

    pthread_mutex_lock(&mutex);
    done = step();
    if (done) {
        name_make(path)->now = NULL;
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

struct crash_file *crash_disk_find(const char *path)
{
    struct crash_file *found = NULL;
    struct name *name;
    struct stat st;

    pthread_mutex_lock(&mutex);
    name = name_find(path);
    if (name != NULL && name->now != NULL) {
        found = name->now;
    } else if (stat(path, &st) == 0) {
        name = name_make(path);
        name->now = found = file_new();
        file_load(found, path, (size_t)st.st_size);
        if (st.st_size > 0 || name->survived) {
            name->durable = found;
        }
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

/* --- the cut --- */

void crash_disk_cut_at(uint64_t step_number)
{
    pthread_mutex_lock(&mutex);
    cut_step = step_number == 0 ? 0 : steps + step_number;
    pthread_mutex_unlock(&mutex);
}

void crash_disk_cut_at_sync(uint64_t sync)
{
    pthread_mutex_lock(&mutex);
    syncs_to_cut = sync;
    pthread_mutex_unlock(&mutex);
}

void crash_disk_cut(void)
{
    pthread_mutex_lock(&mutex);
    is_cut = true;
    pthread_mutex_unlock(&mutex);
}

bool crash_disk_is_cut(void)
{
    bool cut;

    pthread_mutex_lock(&mutex);
    cut = is_cut;
    pthread_mutex_unlock(&mutex);
    return cut;
}

uint64_t crash_disk_steps(void)
{
    uint64_t count;

    pthread_mutex_lock(&mutex);
    count = steps;
    pthread_mutex_unlock(&mutex);
    return count;
}

static bool sector_survives(enum survival survival)
{
    switch (survival) {
    case NOTHING:
        return false;
    case EVERYTHING:
    case IN_ORDER:
        return true;
    case HALF:
        return roll(2) == 0;
    case FEW:
        return roll(10) == 0;
    case MOST:
        return roll(10) != 0;
    case SURVIVALS:
        break;
    }
    abort();
}

/* A sector is written from one end to the other: when torn, one end of it is there. */
static void write_sector(struct image *image, const uint8_t *data, size_t len, uint64_t offset,
                         bool may_tear)
{
    size_t part = len;
    size_t skip = 0;

    if (may_tear && len > 1 && roll(TORN_ONE_OF) == 0) {
        part = 1 + roll(len - 1);
        skip = roll(2) == 0 ? 0 : len - part;
    }
    image_write(image, data + skip, part, offset + skip);
}

static void write_survives(struct image *image, const struct change *change, enum survival survival)
{
    size_t done = 0;

    while (done < change->len) {
        uint64_t at = change->offset + done;
        size_t to_end = options.sector_size - (size_t)(at % options.sector_size);
        size_t len = to_end < change->len - done ? to_end : change->len - done;

        if (sector_survives(survival)) {
            write_sector(image, change->data + done, len, at,
                         survival != EVERYTHING && survival != IN_ORDER);
        }
        done += len;
    }
}

static size_t count_changes(const struct crash_file *file)
{
    size_t count = 0;

    for (const struct change *change = file->first; change != NULL; change = change->next) {
        count++;
    }
    return count;
}

static void file_survives(struct crash_file *file)
{
    enum survival survival = (enum survival)roll(SURVIVALS);
    size_t last = survival == IN_ORDER ? (size_t)roll(count_changes(file) + 1) : SIZE_MAX;
    size_t at = 0;

    for (const struct change *change = file->first; change != NULL && at < last;
         change = change->next, at++) {
        if (!change->truncates) {
            write_survives(&file->durable, change, survival);
        } else if (sector_survives(survival)) {
            image_apply(&file->durable, change);
        }
    }
    file_forget_changes(file);
}

static void put_real(const struct name *name)
{
    const struct image *image = &name->durable->durable;
    int fd = open(name->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, image->data, image->size) != (ssize_t)image->size) {
        abort();
    }
    (void)close(fd);
}

static void remove_real(const char *path, const char *suffix)
{
    char whole[300];

    (void)snprintf(whole, sizeof(whole), "%s%s", path, suffix);
    if (unlink(whole) != 0 && errno != ENOENT) {
        abort();
    }
}

void crash_disk_reboot(void)
{
    pthread_mutex_lock(&mutex);
    for (struct crash_file *file = files; file != NULL; file = file->next) {
        file_survives(file);
    }
    for (size_t i = 0; i < name_count; i++) {
        struct name *name = &names[i];

        if (name->now != name->durable && roll(2) == 0) {
            name->durable = name->now;
        }
        remove_real(name->path, "-shm"); /* memory, after all */
        name->survived = name->durable != NULL;
        if (name->survived) {
            put_real(name);
        } else {
            remove_real(name->path, "");
        }
    }
    forget_files();
    is_cut = false;
    cut_step = 0;
    syncs_to_cut = 0;
    pthread_mutex_unlock(&mutex);
}

void crash_disk_reset(const struct crash_disk_options *ours)
{
    pthread_mutex_lock(&mutex);
    forget_files();
    name_count = 0;
    options = *ours;
    random_state = ours->seed;
    is_cut = false;
    cut_step = 0;
    syncs_to_cut = 0;
    steps = 0;
    pthread_mutex_unlock(&mutex);
}
