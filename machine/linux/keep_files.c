/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/keep_files.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "machine/options.h"
#include "translator/keep_store.h"
#include "translator/lock.h"

#define WORTH_WRITING 16u      /* records, to a file that is there */
#define LET_GO_AFTER 4096u /* lookups: what they have touched of the files counts as the process's memory */
#define FOLDER_MAX (UINT64_C(512) << 20)
#define FOLDER_GOAL (UINT64_C(384) << 20)
#define TOUCH_SECONDS (24 * 3600) /* a file's time tells when it was used, to a day */
#define SUFFIX ".kept"
#define NAME_SIZE 40
#define NOBODY 65534u /* what the owner is called whom a user namespace does not know: it may be anybody */

struct keep_file {
    struct keep_store store; /* first: the engine knows the file by it */
    struct keep_file *next;
    struct keep_header header;
    bool opened; /* it has been tried */
    char name[NAME_SIZE];
};

struct kept_mapping {
    uint64_t start, end, offset;
    struct keep_file *file;
};

struct keep_files {
    struct lock lock; /* of the mappings and the list of files; nothing else is taken inside */
    struct keep_file *files;
    struct kept_mapping *mappings;
    size_t nmappings, capacity, last; /* last: found */
    unsigned lookups;
    const struct engine *engine;
    struct keep_header header; /* what all files of this run have in common */
    bool check;
    char *folder;
    uid_t user;
    pid_t pid; /* whose translations these are: not a child's that shares this memory */
    enum { PLACE_UNKNOWN, PLACE_SAFE, PLACE_UNSAFE } place; /* of the folder: see is_place_safe() */
    const uint8_t *adding_to; /* NULL, or what a file holds that is being added to, mapped … */
    size_t adding_to_size;    /* … so long */
    dev_t root_device; /* of "/" at the start */
    ino_t root_inode;
};

/* ---- which dragoman it is ---------------------------------------------------------------------------------------------------- */

/** The linker's build id: a hash of all that is in this program. */
static bool take_build_id(uint8_t to[32])
{
    extern const ElfW(Ehdr) __ehdr_start;
    const uint8_t *image = (const uint8_t *)&__ehdr_start;
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)(const void *)(image + __ehdr_start.e_phoff);
    uint64_t base = 0;
    bool has_base = false;

    for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
        if (headers[i].p_type == PT_LOAD && headers[i].p_offset == 0) {
            base = headers[i].p_vaddr;
            has_base = true;
        }
    }
    for (unsigned i = 0; has_base && i < __ehdr_start.e_phnum; i++) {
        if (headers[i].p_type != PT_NOTE)
            continue;
        const uint8_t *at = image + (headers[i].p_vaddr - base), *end = at + headers[i].p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(const void *)at;
            const uint8_t *name = at + sizeof *note, *id = name + ((note->n_namesz + 3) & ~3u);
            at = id + ((note->n_descsz + 3) & ~3u);
            if (at > end || note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || memcmp(name, "GNU", 4) != 0)
                continue;
            memcpy(to, id, note->n_descsz < 32 ? note->n_descsz : 32);
            return true;
        }
    }
    return false;
}

static bool take_own_file(uint8_t to[32])
{
    struct stat self;
    if (stat("/proc/self/exe", &self) < 0)
        return false;
    const uint64_t words[4] = {self.st_dev, self.st_ino, (uint64_t)self.st_size,
                               (uint64_t)self.st_mtim.tv_sec * 1000000000u + (uint64_t)self.st_mtim.tv_nsec};
    memcpy(to, words, 32);
    return true;
}

/* ---- making ------------------------------------------------------------------------------------------------------------------ */

static bool is_root_the_same(const struct keep_files *k)
{
    struct stat root;
    return stat("/", &root) == 0 && root.st_dev == k->root_device && root.st_ino == k->root_inode;
}

static bool may_use_files(void)
{
    return getuid() == geteuid() && getgid() == getegid() && !getauxval(AT_SECURE);
}

struct keep_files *keep_files_new(const struct options *options)
{
    struct stat root;
    if (options->keep == KEEP_OFF || !options->keep_folder || !may_use_files() || geteuid() == NOBODY || stat("/", &root) < 0)
        return NULL;
    struct keep_files *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    memcpy(k->header.magic, KEEP_MAGIC, sizeof k->header.magic);
    if (!take_build_id(k->header.build) && !take_own_file(k->header.build)) {
        free(k);
        return NULL;
    }
    k->header.settings = (options->cpu.features * UINT64_C(0x9e3779b97f4a7c15)) ^ options->cpu.midr;
    k->check = options->keep == KEEP_CHECK;
    k->folder = options->keep_folder;
    k->user = geteuid();
    k->pid = getpid();
    k->root_device = root.st_dev;
    k->root_inode = root.st_ino;
    return k;
}

void keep_files_begin(struct keep_files *k, const struct engine *engine)
{
    if (!k)
        return;
    k->engine = engine;
    k->header.settings = k->header.settings * UINT64_C(0xc2b2ae3d27d4eb4f) ^ engine_identity(engine);
}

/* ---- mappings ---------------------------------------------------------------------------------------------------------------- */

static struct keep_file *file_for(struct keep_files *k, const struct stat *status)
{
    const uint64_t mtime = (uint64_t)status->st_mtim.tv_sec * 1000000000u + (uint64_t)status->st_mtim.tv_nsec;
    const uint64_t ctime = (uint64_t)status->st_ctim.tv_sec * 1000000000u + (uint64_t)status->st_ctim.tv_nsec;
    struct keep_file *file = k->files;

    while (file && !(file->header.device == status->st_dev && file->header.inode == status->st_ino &&
                     file->header.size == (uint64_t)status->st_size && file->header.mtime == mtime && file->header.ctime == ctime))
        file = file->next;
    if (file)
        return file;
    file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->header.device = status->st_dev;
    file->header.inode = status->st_ino;
    file->header.size = (uint64_t)status->st_size;
    file->header.mtime = mtime;
    file->header.ctime = ctime;
    file->next = k->files;
    k->files = file;
    return file;
}

static void forget_mappings(struct keep_files *k, uint64_t start, uint64_t end)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->nmappings; i++) {
        struct kept_mapping m = k->mappings[i];
        if (m.start < end && start < m.end) {
            /* What is left of it on one side; of both, the larger is not worth the trouble. */
            if (m.start < start) {
                m.end = start;
            } else if (m.end > end) {
                m.offset += end - m.start;
                m.start = end;
            } else {
                continue;
            }
        }
        k->mappings[kept++] = m;
    }
    k->nmappings = kept;
    k->last = 0;
}

void keep_files_mapped(struct keep_files *k, uint64_t start, uint64_t end, int fd, uint64_t offset)
{
    struct stat status;
    if (!k || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return;
    lock_take(&k->lock);
    forget_mappings(k, start, end);
    if (k->nmappings == k->capacity) {
        size_t capacity = k->capacity ? k->capacity * 2 : 16;
        struct kept_mapping *mappings = realloc(k->mappings, capacity * sizeof *mappings);
        if (mappings) {
            k->mappings = mappings;
            k->capacity = capacity;
        }
    }
    struct keep_file *file = k->nmappings < k->capacity ? file_for(k, &status) : NULL;
    if (file)
        k->mappings[k->nmappings++] = (struct kept_mapping){start, end, offset, file};
    lock_release(&k->lock);
}

void keep_files_unmapped(struct keep_files *k, uint64_t start, uint64_t end)
{
    if (!k || !k->nmappings)
        return;
    lock_take(&k->lock);
    forget_mappings(k, start, end);
    lock_release(&k->lock);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------- */

/** Cuts off the last part of an absolute path. False: there is none. */
static bool cut(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || !path[1])
        return false;
    slash[slash == path] = 0;
    return true;
}

/** Nobody else can give what is in the folder another name, nor put another in its place. */
static bool is_only_ours_to_change(const struct keep_files *k, const struct stat *status)
{
    bool known = status->st_uid == k->user || status->st_uid == 0 || status->st_uid == NOBODY /* root of the namespace outside */;
    mode_t others = status->st_gid == getegid() ? S_IWOTH : S_IWOTH | S_IWGRP; /* a group of one's own, as a rule */
    return S_ISDIR(status->st_mode) && known && (!(status->st_mode & others) || status->st_mode & S_ISVTX);
}

/** The same of all folders that the kept translations' is in: else another user may move a folder there that is ours, but that
    we have got from him, out of an archive, say. */
static bool is_place_safe(struct keep_files *k)
{
    char above[PATH_MAX], real[PATH_MAX];
    struct stat status;

    if (k->place != PLACE_UNKNOWN)
        return k->place == PLACE_SAFE;
    k->place = PLACE_UNSAFE;
    if (snprintf(above, sizeof above, "%s", k->folder) >= (int)sizeof above)
        return false;
    do {
        if (!cut(above))
            return false;
    } while (!realpath(above, real) && errno == ENOENT);
    do {
        if (stat(real, &status) < 0 || !is_only_ours_to_change(k, &status))
            return false;
    } while (cut(real));
    k->place = PLACE_SAFE;
    return true;
}

/** Whether what is open is a file of ours, which nobody else can have written. */
static bool is_ours(const struct keep_files *k, int fd, struct stat *status)
{
    return fstat(fd, status) == 0 && S_ISREG(status->st_mode) && status->st_uid == k->user && !(status->st_mode & 022) &&
           status->st_size <= (off_t)KEEP_FILE_MAX * 2;
}

/** False with errno 0: somebody else may have made it. */
static bool is_folder_ours(struct keep_files *k)
{
    struct stat status;
    if (lstat(k->folder, &status) < 0)
        return false;
    errno = 0;
    return S_ISDIR(status.st_mode) && status.st_uid == k->user && !(status.st_mode & 022) && is_place_safe(k);
}

static bool path_of(const struct keep_files *k, const char *name, char path[PATH_MAX])
{
    return snprintf(path, PATH_MAX, "%s/%s", k->folder, name) < PATH_MAX;
}

static uint64_t hash_header(const struct keep_header *header, uint64_t seed)
{
    const size_t size = offsetof(struct keep_header, nslots);
    uint64_t words[offsetof(struct keep_header, nslots) / 8], hash = seed;
    memcpy(words, header, size);
    for (size_t i = 0; i < size / 8; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

/** Maps what the file holds, if anything. */
static void file_open(struct keep_files *k, struct keep_file *file)
{
    char path[PATH_MAX];
    struct stat status;
    struct keep_header header;

    file->opened = true;
    memcpy(file->header.magic, k->header.magic, sizeof file->header.magic);
    memcpy(file->header.build, k->header.build, sizeof file->header.build);
    file->header.settings = k->header.settings;
    snprintf(file->name, sizeof file->name, "%016llx%016llx" SUFFIX, (unsigned long long)hash_header(&file->header, 1),
             (unsigned long long)hash_header(&file->header, 2));
    if (!path_of(k, file->name, path) || !may_use_files() || geteuid() != k->user)
        return;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    /* Read, not mapped, until its mapping is known to keep_files_fault(). */
    if (is_ours(k, fd, &status) && is_folder_ours(k) && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
        keep_header_good(&header, (size_t)status.st_size, &file->header)) {
        uint8_t *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (bytes != MAP_FAILED) {
            file->store.size = (size_t)status.st_size;
            __atomic_store_n(&file->store.bytes, bytes, __ATOMIC_RELEASE);
            if (time(NULL) - status.st_mtim.tv_sec > TOUCH_SECONDS)
                futimens(fd, NULL);
        }
    }
    close(fd);
}

static void let_go(const struct keep_file *file)
{
    if (file->store.bytes)
        madvise((void *)(uintptr_t)file->store.bytes, file->store.size, MADV_DONTNEED);
}

static struct keep_store *find(void *opaque, uint64_t pc, struct keep_extent *extent)
{
    struct keep_files *k = opaque;
    struct keep_file *file = NULL;

    if (!k->engine)
        return NULL;
    lock_take(&k->lock);
    size_t i = k->last;
    if (i >= k->nmappings || pc < k->mappings[i].start || pc >= k->mappings[i].end) {
        for (i = 0; i < k->nmappings && (pc < k->mappings[i].start || pc >= k->mappings[i].end); i++)
            continue;
    }
    if (i < k->nmappings) {
        k->last = i;
        file = k->mappings[i].file;
        *extent = (struct keep_extent){k->mappings[i].start, k->mappings[i].end, k->mappings[i].offset};
        if (!file->opened)
            file_open(k, file);
    }
    if (++k->lookups % LET_GO_AFTER == 0) {
        for (const struct keep_file *each = k->files; each; each = each->next)
            let_go(each);
    }
    lock_release(&k->lock);
    return file ? &file->store : NULL;
}

/* ---- writing ----------------------------------------------------------------------------------------------------------------- */

static bool write_at(int fd, const void *bytes, size_t size, uint64_t at)
{
    const uint8_t *p = bytes;
    while (size > 0) {
        ssize_t n = pwrite(fd, p, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

struct folder_entry {
    char name[NAME_SIZE + 16]; /* of what file_replace() makes, too */
    struct timespec used;
    uint64_t size;
};

static int by_age(const void *a, const void *b)
{
    const struct folder_entry *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

/** Removes what was not used for longest, and what writers that were killed have left, when the folder has grown too large. */
static void folder_trim(const struct keep_files *k)
{
    DIR *folder = opendir(k->folder);
    struct folder_entry *entries = NULL;
    size_t n = 0, capacity = 0;
    uint64_t total = 0;

    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat status;
        if (strlen(entry->d_name) >= sizeof entries->name || !strstr(entry->d_name, SUFFIX) ||
            fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
            continue;
        if (n == capacity) {
            capacity = capacity ? capacity * 2 : 256;
            struct folder_entry *more = realloc(entries, capacity * sizeof *entries);
            if (!more)
                break;
            entries = more;
        }
        strcpy(entries[n].name, entry->d_name);
        entries[n].used = status.st_mtim;
        entries[n].size = (uint64_t)status.st_blocks * 512;
        total += entries[n++].size;
    }
    if (total > FOLDER_MAX) {
        qsort(entries, n, sizeof *entries, by_age);
        for (size_t i = 0; i < n && total > FOLDER_GOAL; i++) {
            if (unlinkat(dirfd(folder), entries[i].name, 0) == 0)
                total -= entries[i].size;
        }
    }
    free(entries);
    closedir(folder);
}

/** Not in another user's place, where root with that user's HOME would leave what that user cannot use. */
static bool make_in(const struct keep_files *k, const char *parent, const char *folder)
{
    struct stat status;
    return stat(parent, &status) == 0 && (status.st_uid == k->user || status.st_uid == 0) && mkdir(folder, 0700) == 0;
}

/** Creates the folder, and what it is in if that is the user's usual place. */
static bool make_folder(struct keep_files *k)
{
    char *parent = strdup(k->folder), *above = strdup(k->folder);
    if (parent && above && cut(parent) && cut(above) && is_place_safe(k)) {
        if (cut(above))
            make_in(k, above, parent);
        make_in(k, parent, k->folder);
    }
    free(parent);
    free(above);
    return is_folder_ours(k);
}

/** Puts a whole new file in the place of what is there. */
static void file_replace(const struct keep_files *k, const struct keep_file *file, const uint8_t *bytes, size_t size)
{
    char path[PATH_MAX], made[PATH_MAX];
    if (!path_of(k, file->name, path) || snprintf(made, sizeof made, "%s.%d", path, (int)getpid()) >= (int)sizeof made)
        return;
    int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        unlink(made); /* of a process that had this number and was killed */
        return;
    }
    bool good = write_at(fd, bytes, size, 0);
    close(fd);
    if (!good || rename(made, path) < 0)
        unlink(made);
    folder_trim(k);
}

/** Appends to the file, which is locked, or replaces it. */
static void file_add(struct keep_files *k, const struct keep_file *file, int fd, size_t size)
{
    uint8_t *bytes = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : NULL, *whole = NULL;
    size_t whole_size = 0;
    struct keep_addition addition;

    if (bytes == MAP_FAILED)
        return;
    k->adding_to_size = size;
    k->adding_to = bytes;
    bool good = size && keep_bytes_good(bytes, size, &file->header); /* not of a system that stopped before all was on its disk, say */
    enum keep_fit fit = good ? keep_store_fit(&file->store, bytes, size, &addition) : KEEP_TOO_FULL;
    if (fit == KEEP_FITS) {
        const size_t slots = sizeof(struct keep_header), each = sizeof(struct keep_slot);
        if (write_at(fd, addition.records, addition.records_size, addition.append_at) &&
            write_at(fd, addition.slots + addition.first, (addition.last - addition.first) * each, slots + addition.first * each))
            write_at(fd, &addition.nrecords, sizeof addition.nrecords, offsetof(struct keep_header, records));
        keep_addition_free(&addition);
    } else if (fit == KEEP_TOO_FULL) {
        whole = keep_store_rebuild(&file->store, good ? bytes : NULL, size, &file->header, &whole_size);
        if (!whole && good) /* too large, or damaged so that it seems to be */
            whole = keep_store_rebuild(&file->store, NULL, 0, &file->header, &whole_size);
    }
    k->adding_to = NULL;
    if (size)
        munmap(bytes, size);
    if (whole)
        file_replace(k, file, whole, whole_size);
    free(whole);
}

/** Another process may replace the file while we wait for it: then once more. */
static int open_locked(const struct keep_files *k, const char *path, struct stat *status)
{
    for (unsigned tries = 0; tries < 3; tries++) {
        struct stat now;
        int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            return -errno;
        for (unsigned waits = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waits++) {
            const struct timespec pause = {.tv_nsec = 1000000};
            if (waits == 20) {
                close(fd);
                return -EAGAIN;
            }
            nanosleep(&pause, NULL);
        }
        if (!is_ours(k, fd, status)) {
            close(fd);
            return -EACCES;
        }
        if (lstat(path, &now) == 0 && now.st_dev == status->st_dev && now.st_ino == status->st_ino)
            return fd;
        close(fd);
    }
    return -EAGAIN;
}

static void file_write(struct keep_files *k, struct keep_file *file)
{
    char path[PATH_MAX];
    struct stat status;
    struct rlimit limit;

    if (!path_of(k, file->name, path) || getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < KEEP_FILE_MAX * UINT64_C(2))
        return; /* the limit is the guest's business, and exceeding it a signal */
    if (!is_folder_ours(k) && (errno != ENOENT || !make_folder(k)))
        return;
    int fd = open_locked(k, path, &status);
    if (fd >= 0) {
        file_add(k, file, fd, (size_t)status.st_size);
        close(fd);
    } else if (fd == -ENOENT) {
        size_t size;
        uint8_t *whole = keep_store_rebuild(&file->store, NULL, 0, &file->header, &size);
        if (whole)
            file_replace(k, file, whole, size);
        free(whole);
    }
}

/** Whether what there is to write, in all and of one file, is worth opening it. */
static bool worth_writing(const struct keep_file *file)
{
    return file->store.npending >= WORTH_WRITING || (file->store.npending && !file->store.bytes);
}

static void write_file(struct keep_files *k, struct keep_file *file)
{
    let_go(file);
    if (worth_writing(file) && may_use_files() && geteuid() == k->user && is_root_the_same(k))
        file_write(k, file);
}

/** engine_keep.write */
static void write_now(void *opaque)
{
    struct keep_files *k = opaque;
    for (struct keep_file *file = getpid() == k->pid ? k->files : NULL; file; file = file->next) {
        if (!worth_writing(file))
            continue;
        write_file(k, file);
        file->store.pending_size = file->store.npending = 0; /* its memory is wanted again soon */
    }
}

struct engine_keep keep_files_engine(struct keep_files *k)
{
    if (!k)
        return (struct engine_keep){.find = NULL};
    return (struct engine_keep){.find = find, .write = write_now, .opaque = k, .check = k->check};
}

/**
 * What others close and open from now on is not ours. The other call unshares them as well, with nothing to close: some containers
 * forbid the one, older kernels do not know the other.
 */
static bool unshare_descriptors(void)
{
    return unshare(CLONE_FILES) == 0 || syscall(SYS_close_range, ~0u, ~0u, CLOSE_RANGE_UNSHARE) == 0;
}

void keep_files_write(struct keep_files *k, bool ending)
{
    if (!k || !k->engine)
        return;
    int error = errno;
    engine_begin_change((struct engine *)(uintptr_t)k->engine);
    bool worth = false;
    for (const struct keep_file *file = k->files; file && !worth; file = file->next)
        worth = worth_writing(file);
    if (worth && (!ending || unshare_descriptors()))
        write_now(k);
    for (struct keep_file *file = k->files; file; file = file->next)
        keep_store_forget_pending(&file->store);
    engine_end_change((struct engine *)(uintptr_t)k->engine, 0, 0);
    errno = error;
}

void keep_files_forked(struct keep_files *k)
{
    if (k)
        k->pid = getpid();
    for (struct keep_file *file = k ? k->files : NULL; file; file = file->next)
        keep_store_forget_pending(&file->store);
}

static bool put_zeros(const uint8_t *bytes, size_t size, uint64_t address)
{
    return bytes && address - (uintptr_t)bytes < ((size + 4095) & ~(size_t)4095) &&
           mmap((void *)(uintptr_t)bytes, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

bool keep_files_fault(struct keep_files *k, uint64_t address)
{
    if (k && put_zeros(k->adding_to, k->adding_to_size, address))
        return true;
    for (struct keep_file *file = k ? k->files : NULL; file; file = file->next) {
        if (!put_zeros(file->store.bytes, file->store.size, address))
            continue;
        __atomic_store_n(&file->store.gone, true, __ATOMIC_RELAXED);
        return true;
    }
    return false;
}

void keep_files_owner_stopped(struct keep_files *k)
{
    if (!k)
        return;
    if (lock_is_mine(&k->lock))
        lock_release(&k->lock);
    lock_wake(&k->lock);
}
