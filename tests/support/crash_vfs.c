/* The shim: each call is counted, may fail, and is told to the disk's model before the real file. */
#include "tests/support/crash_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* --- faults --- */

static struct {
    pthread_mutex_t mutex; /* guards the rest */
    enum crash_fault fault;
    uint64_t nth;
    bool stays;
    bool failed;
    uint64_t passed;
} faults = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void crash_vfs_fail(enum crash_fault fault, uint64_t nth, bool stays)
{
    pthread_mutex_lock(&faults.mutex);
    faults.fault = fault;
    faults.nth = nth;
    faults.stays = stays;
    faults.failed = false;
    faults.passed = 0;
    pthread_mutex_unlock(&faults.mutex);
}

void crash_vfs_stop_failing(void)
{
    pthread_mutex_lock(&faults.mutex);
    faults.fault = CRASH_FAULT_NONE;
    pthread_mutex_unlock(&faults.mutex);
}

bool crash_vfs_has_failed(void)
{
    bool failed;

    pthread_mutex_lock(&faults.mutex);
    failed = faults.failed;
    pthread_mutex_unlock(&faults.mutex);
    return failed;
}

/* What a call answers under each fault; 0: it can't fail so. */
struct fault_codes {
    int io;
    int full;
    int busy;
    int memory;
};

static int code_of(const struct fault_codes *codes, enum crash_fault fault)
{
    switch (fault) {
    case CRASH_FAULT_IO:
        return codes->io;
    case CRASH_FAULT_FULL:
        return codes->full;
    case CRASH_FAULT_BUSY:
        return codes->busy;
    case CRASH_FAULT_MEMORY:
        return codes->memory;
    case CRASH_FAULT_NONE:
        break;
    }
    return SQLITE_OK;
}

static int fault(const struct fault_codes *codes)
{
    int code;

    pthread_mutex_lock(&faults.mutex);
    code = code_of(codes, faults.fault);
    if (code != SQLITE_OK) {
        faults.passed++;
        if (faults.passed == faults.nth || (faults.stays && faults.passed > faults.nth)) {
            faults.failed = true;
        } else {
            code = SQLITE_OK;
        }
    }
    pthread_mutex_unlock(&faults.mutex);
    return code;
}

#define FAULT_OR_GO_ON(...)                                                                        \
    do {                                                                                           \
        int fault_code_ = fault(&(const struct fault_codes){__VA_ARGS__});                         \
                                                                                                   \
        if (fault_code_ != SQLITE_OK) {                                                            \
            return fault_code_;                                                                    \
        }                                                                                          \
    } while (0)

/* --- files --- */

struct shim {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    struct crash_file *disk;
    bool sync_names; /* with its first sync: it is new, and a log or journal */
};

static sqlite3_vfs *below;
static sqlite3_vfs above;

static struct shim *shim_of(sqlite3_file *file)
{
    return (struct shim *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return shim_of(file)->real;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *data, int len, sqlite3_int64 offset)
{
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_READ, .memory = SQLITE_IOERR_NOMEM);
    if (crash_disk_is_cut()) {
        return SQLITE_IOERR_READ;
    }
    return real_of(file)->pMethods->xRead(real_of(file), data, len, offset);
}

static int shim_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_WRITE, .full = SQLITE_FULL, .memory = SQLITE_IOERR_NOMEM);
    if (!crash_disk_write(shim_of(file)->disk, data, (size_t)len, (uint64_t)offset)) {
        return SQLITE_IOERR_WRITE;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), data, len, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_TRUNCATE, .memory = SQLITE_IOERR_NOMEM);
    if (!crash_disk_truncate(shim_of(file)->disk, (uint64_t)size)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    struct shim *shim = shim_of(file);

    (void)flags;
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_FSYNC, .memory = SQLITE_IOERR_NOMEM);
    if (!crash_disk_sync(shim->disk)) {
        return SQLITE_IOERR_FSYNC;
    }
    if (shim->sync_names && !crash_disk_sync_names()) {
        return SQLITE_IOERR_DIR_FSYNC;
    }
    shim->sync_names = false;
    return SQLITE_OK;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_FSTAT, .memory = SQLITE_IOERR_NOMEM);
    return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_LOCK, .busy = SQLITE_BUSY, .memory = SQLITE_IOERR_NOMEM);
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *ret_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_reserved);
}

static int shim_control(sqlite3_file *file, int op, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int shim_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int page_size, int extend,
                        void volatile **ret_page)
{
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_SHMMAP,
                   .full = extend != 0 ? SQLITE_IOERR_SHMSIZE : SQLITE_OK,
                   .memory = SQLITE_IOERR_NOMEM);
    return real_of(file)->pMethods->xShmMap(real_of(file), page, page_size, extend, ret_page);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0) {
        FAULT_OR_GO_ON(.io = SQLITE_IOERR_SHMLOCK, .busy = SQLITE_BUSY);
    }
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector_size,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* --- names --- */

/* Says to the model which file is opened, and makes it there if need be. */
static bool open_on_disk(struct shim *shim, const char *path, int flags)
{
    shim->disk = crash_disk_find(path);
    if (shim->disk != NULL) {
        return true;
    }
    if ((flags & SQLITE_OPEN_CREATE) == 0) {
        return true; /* the real one says that there is none */
    }
    shim->sync_names = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    return crash_disk_create(path, &shim->disk);
}

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    struct shim *shim = shim_of(file);
    int code;

    (void)vfs;
    shim->base.pMethods = NULL;
    shim->real = (sqlite3_file *)(shim + 1);
    shim->sync_names = false;
    FAULT_OR_GO_ON(.io = SQLITE_CANTOPEN,
                   .full = (flags & SQLITE_OPEN_CREATE) != 0 ? SQLITE_CANTOPEN : SQLITE_OK,
                   .memory = SQLITE_NOMEM);
    if (path == NULL || crash_disk_is_cut() || !open_on_disk(shim, path, flags)) {
        return SQLITE_CANTOPEN;
    }
    code = below->xOpen(below, path, shim->real, flags, ret_flags);
    if (code == SQLITE_OK) {
        shim->base.pMethods = &methods;
    }
    return code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_names)
{
    int code;

    (void)vfs;
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_DELETE, .memory = SQLITE_IOERR_NOMEM);
    if (!crash_disk_remove(path)) {
        return SQLITE_IOERR_DELETE;
    }
    code = below->xDelete(below, path, 0);
    if (code == SQLITE_OK && sync_names != 0 && !crash_disk_sync_names()) {
        return SQLITE_IOERR_DIR_FSYNC;
    }
    return code;
}

static int shim_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_answer)
{
    (void)vfs;
    FAULT_OR_GO_ON(.io = SQLITE_IOERR_ACCESS, .memory = SQLITE_IOERR_NOMEM);
    return below->xAccess(below, path, flags, ret_answer);
}

void crash_vfs_install(void)
{
    below = sqlite3_vfs_find(NULL);
    if (below == NULL || below == &above) {
        abort();
    }
    above = *below;
    above.zName = "crash";
    above.szOsFile = (int)sizeof(struct shim) + below->szOsFile;
    above.xOpen = shim_open;
    above.xDelete = shim_delete;
    above.xAccess = shim_access;
    if (sqlite3_vfs_register(&above, 1) != SQLITE_OK) {
        abort();
    }
}
