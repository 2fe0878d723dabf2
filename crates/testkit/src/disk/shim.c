/*
 * A disk between a program and the files of one folder: loaded before the C library, it does what
 * the program asks for, writes down what it did, and fails where it was told to.
 *
 * BACKLOT_DISK_FOLDER  the folder; other files pass through
 * BACKLOT_DISK_LOG     the log, outside of the folder; without it nothing is written down
 * BACKLOT_DISK_FAULTS  faults, separated by commas: ACTION:OPERATION:SUFFIX:NUMBER[:BYTES]
 * BACKLOT_DISK_SPACE   a file: once it is there, a full disk has space again
 * BACKLOT_DISK_SYNC    "1": syncs reach the real disk
 *
 * One lock is held for each operation together with its entry, so that the order of the log is the
 * order of what happened. Files that end in "-shm" are memory, and pass through.
 *
 * An entry, numbers in little-endian order: operation (1 byte), length of the name (2), offset (8),
 * length of the data (8), name, data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
#define FAULTS 16
#define SECTOR 512

enum action { FAIL, KILL, SHORT, FULL };

struct fault {
    enum action action;
    char operation;
    char suffix[64];
    unsigned long number;
    unsigned long bytes;
    unsigned long seen;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char folder[PATH_MAX];
static char space[PATH_MAX];
static int log_fd = -1;
static int syncs;
/* The name within the folder of what is open; "." is the folder itself. */
static char *names[FILES];
static struct fault faults[FAULTS];
static int fault_count;
static unsigned long written;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static int (*real_dup2)(int, int);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

static void give_up(const char *what) {
    static const char text[] = "the imagined disk cannot work: ";
    ssize_t ignored = syscall(SYS_write, 2, text, sizeof text - 1);
    ignored = syscall(SYS_write, 2, what, strlen(what));
    ignored = syscall(SYS_write, 2, "\n", 1);
    (void)ignored;
    abort();
}

static void read_fault(char *text) {
    char *rest = text;
    char *words[5] = {0};
    int count = 0;
    char *word;
    while (count < 5 && (word = strsep(&rest, ":")) != NULL)
        words[count++] = word;
    if (count < 4 || fault_count == FAULTS)
        give_up("a fault is ACTION:OPERATION:SUFFIX:NUMBER[:BYTES]");
    struct fault *fault = &faults[fault_count++];
    if (strcmp(words[0], "fail") == 0) fault->action = FAIL;
    else if (strcmp(words[0], "kill") == 0) fault->action = KILL;
    else if (strcmp(words[0], "short") == 0) fault->action = SHORT;
    else if (strcmp(words[0], "full") == 0) fault->action = FULL;
    else give_up("an action is fail, kill, short or full");
    fault->operation = words[1][0];
    snprintf(fault->suffix, sizeof fault->suffix, "%s", words[2]);
    fault->number = strtoul(words[3], NULL, 10);
    fault->bytes = count > 4 ? strtoul(words[4], NULL, 10) : 0;
}

static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_dup2 = dlsym(RTLD_NEXT, "dup2");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    const char *name = getenv("BACKLOT_DISK_FOLDER");
    if (name == NULL || realpath(name, folder) == NULL) {
        folder[0] = 0;
        return;
    }
    const char *log = getenv("BACKLOT_DISK_LOG");
    if (log != NULL) {
        log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        /* Out of the way of a program that has closed its standard files. */
        int high = log_fd < 0 ? -1 : fcntl(log_fd, F_DUPFD_CLOEXEC, 500);
        if (high < 0) give_up("its log cannot be written");
        real_close(log_fd);
        log_fd = high;
    }
    const char *marker = getenv("BACKLOT_DISK_SPACE");
    if (marker != NULL) snprintf(space, sizeof space, "%s", marker);
    const char *sync = getenv("BACKLOT_DISK_SYNC");
    syncs = sync != NULL && strcmp(sync, "1") == 0;
    const char *list = getenv("BACKLOT_DISK_FAULTS");
    if (list != NULL) {
        char *copy = strdup(list), *rest = copy, *one;
        while ((one = strsep(&rest, ",")) != NULL)
            if (*one) read_fault(one);
        free(copy);
    }
}

/* At once, and not in a child that shares our memory; others may be loaded before. */
__attribute__((constructor)) static void ready(void) { pthread_once(&once, begin); }

static void put(unsigned char *to, uint64_t number, int bytes) {
    for (int at = 0; at < bytes; at++) to[at] = (unsigned char)(number >> (8 * at));
}

static void entry(char operation, const char *name, uint64_t offset, const void *data, size_t length) {
    if (log_fd < 0) return;
    unsigned char head[19];
    size_t name_length = strlen(name);
    head[0] = (unsigned char)operation;
    put(head + 1, name_length, 2);
    put(head + 3, offset, 8);
    put(head + 11, length, 8);
    struct iovec parts[3] = {{head, sizeof head}, {(void *)name, name_length}, {(void *)data, length}};
    size_t all = sizeof head + name_length + length;
    if (syscall(SYS_writev, log_fd, parts, 3) != (ssize_t)all) give_up("its log is cut off");
}

/* The name of a file of the folder; "." for the folder itself; nothing for all others. */
static const char *inside(const char *path, char *room) {
    if (folder[0] == 0) return NULL;
    char whole[PATH_MAX], parent[PATH_MAX];
    if (realpath(path, whole) == NULL) {
        const char *slash = strrchr(path, '/');
        if (slash == NULL || (size_t)(slash - path) >= sizeof parent) return NULL;
        memcpy(parent, path, slash - path);
        parent[slash - path] = 0;
        if (realpath(parent, whole) == NULL) return NULL;
        if (strlen(whole) + strlen(slash) >= sizeof whole) return NULL;
        strcat(whole, slash);
    }
    size_t length = strlen(folder);
    if (strncmp(whole, folder, length) != 0) return NULL;
    if (whole[length] == 0) return strcpy(room, ".");
    if (whole[length] != '/') return NULL;
    const char *name = whole + length + 1;
    size_t name_length = strlen(name);
    if (name_length > 4 && strcmp(name + name_length - 4, "-shm") == 0) return NULL;
    return strcpy(room, name);
}

static int ends(const char *name, const char *suffix) {
    size_t length = strlen(name), end = strlen(suffix);
    return length >= end && strcmp(name + length - end, suffix) == 0;
}

/* The fault that is due at this operation, if one is. */
static struct fault *due(char operation, const char *name) {
    struct fault *found = NULL;
    for (int index = 0; index < fault_count; index++) {
        struct fault *fault = &faults[index];
        if (fault->action == FULL || fault->operation != operation || !ends(name, fault->suffix))
            continue;
        if (++fault->seen == fault->number) found = fault;
    }
    return found;
}

/* How much of this fits on the disk. */
static size_t fitting(size_t length) {
    for (int index = 0; index < fault_count; index++) {
        struct fault *fault = &faults[index];
        if (fault->action != FULL || written + length <= fault->number) continue;
        if (space[0] != 0 && access(space, F_OK) == 0) continue;
        return written < fault->number ? fault->number - written : 0;
    }
    return length;
}

static void die(void) {
    raise(SIGKILL);
    abort();
}

static ssize_t store(int fd, const char *name, const void *data, size_t length, off_t offset) {
    struct fault *fault = due('w', name);
    size_t take = fitting(length);
    if (fault != NULL && fault->action == FAIL) {
        errno = EIO;
        return -1;
    }
    if (fault != NULL && fault->action == SHORT && fault->bytes < take) take = fault->bytes;
    if (fault != NULL && fault->action == KILL) {
        /* Neither a system nor a disk writes a part of a sector. */
        size_t end = ((size_t)offset + take / 2) / SECTOR * SECTOR;
        take = end > (size_t)offset ? end - (size_t)offset : 0;
        if (take == 0) die();
    }
    if (take == 0 && length > 0) {
        errno = ENOSPC;
        return -1;
    }
    ssize_t done = real_pwrite(fd, data, take, offset);
    if (done > 0) {
        entry('w', name, (uint64_t)offset, data, (size_t)done);
        written += (unsigned long)done;
    }
    if (fault != NULL && fault->action == KILL) die();
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    ready();
    if (fd < 0 || fd >= FILES || names[fd] == NULL) return real_pwrite(fd, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = store(fd, names[fd], data, length, offset);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    return pwrite64(fd, data, length, offset);
}

ssize_t write(int fd, const void *data, size_t length) {
    ready();
    if (fd == 1 && names[1] == NULL && log_fd >= 0) {
        pthread_mutex_lock(&lock);
        /* What is said stands for an acknowledgement: everything before it has happened. */
        entry('m', "", 0, data, length);
        ssize_t done = real_write(fd, data, length);
        int error = errno;
        pthread_mutex_unlock(&lock);
        if (done >= 0 && (size_t)done != length) give_up("standard output took a part of a line");
        errno = error;
        return done;
    }
    if (fd < 0 || fd >= FILES || names[fd] == NULL) return real_write(fd, data, length);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = store(fd, names[fd], data, length, offset);
    int error = errno;
    if (done > 0) lseek(fd, offset + done, SEEK_SET);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

/* What no program here uses would pass by unseen: it says so instead. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ready();
    if (fd >= 0 && fd < FILES && names[fd] != NULL) give_up("writev is not imagined");
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    ready();
    if (fd >= 0 && fd < FILES && names[fd] != NULL) give_up("pwritev is not imagined");
    return syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

int fallocate64(int fd, int mode, off_t offset, off_t length) {
    ready();
    if (fd >= 0 && fd < FILES && names[fd] != NULL) give_up("fallocate is not imagined");
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int posix_fallocate64(int fd, off_t offset, off_t length) {
    ready();
    if (fd >= 0 && fd < FILES && names[fd] != NULL) give_up("posix_fallocate is not imagined");
    return syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
}

int fsync(int fd) {
    ready();
    if (fd < 0 || fd >= FILES || names[fd] == NULL) return real_fsync(fd);
    pthread_mutex_lock(&lock);
    struct fault *fault = due('s', names[fd]);
    int done = 0, error = 0;
    if (fault != NULL && fault->action == KILL) die();
    if (fault != NULL && fault->action == FAIL) {
        entry('e', names[fd], 0, "", 0);
        if (fault->bytes > 0) die();
        done = -1;
        error = EIO;
    } else {
        if (syncs) done = real_fsync(fd);
        error = errno;
        if (done == 0) entry('s', names[fd], 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int fdatasync(int fd) {
    ready();
    if (fd >= 0 && fd < FILES && names[fd] != NULL) return fsync(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int ftruncate64(int fd, off_t length) {
    ready();
    if (fd < 0 || fd >= FILES || names[fd] == NULL) return real_ftruncate(fd, length);
    pthread_mutex_lock(&lock);
    int done = real_ftruncate(fd, length);
    int error = errno;
    if (done == 0) entry('t', names[fd], (uint64_t)length, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int open_in(int at, const char *path, int flags, mode_t mode) {
    ready();
    char room[PATH_MAX];
    const char *name = at == AT_FDCWD || path[0] == '/' ? inside(path, room) : NULL;
    if (name == NULL) return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    int existed = access(path, F_OK) == 0;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    int error = errno;
    if (fd >= FILES) give_up("too many files are open");
    if (fd >= 0) {
        free(names[fd]);
        names[fd] = strdup(name);
        if (!existed) entry('c', name, 0, "", 0);
        else if (flags & O_TRUNC) entry('t', name, 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE(flags, mode)                                                                           \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                          \
        va_list rest;                                                                               \
        va_start(rest, flags);                                                                      \
        mode = (mode_t)va_arg(rest, int);                                                           \
        va_end(rest);                                                                               \
    }

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_in(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_in(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_in(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE(flags, mode)
    return open_in(at, path, flags, mode);
}

int close(int fd) {
    ready();
    if (fd < 0 || fd >= FILES || names[fd] == NULL) return real_close(fd);
    pthread_mutex_lock(&lock);
    free(names[fd]);
    names[fd] = NULL;
    int done = real_close(fd);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int dup2(int from, int to) {
    ready();
    pthread_mutex_lock(&lock);
    int done = real_dup2(from, to);
    int error = errno;
    if (done >= 0 && done < FILES && from != to) {
        free(names[done]);
        names[done] = from < FILES && names[from] != NULL ? strdup(names[from]) : NULL;
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int unlink(const char *path) {
    ready();
    char room[PATH_MAX];
    const char *name = inside(path, room);
    if (name == NULL) return real_unlink(path);
    pthread_mutex_lock(&lock);
    int done = real_unlink(path);
    int error = errno;
    if (done == 0) entry('u', name, 0, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int rename(const char *from, const char *to) {
    ready();
    char room[PATH_MAX], other[PATH_MAX];
    const char *name = inside(from, room), *new_name = inside(to, other);
    if (name == NULL && new_name == NULL) return real_rename(from, to);
    if (name == NULL || new_name == NULL) give_up("renaming into or out of the folder is not imagined");
    pthread_mutex_lock(&lock);
    int done = real_rename(from, to);
    int error = errno;
    if (done == 0) entry('r', name, 0, new_name, strlen(new_name));
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}
