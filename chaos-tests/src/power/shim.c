/* Preloaded into a process, notes every change it makes to files below one folder.
 *
 * HOLDFAST_POWER_ROOT     the folder, absolute and without symbolic links
 * HOLDFAST_POWER_JOURNAL  the file the notes are appended to, outside of that folder
 * HOLDFAST_POWER_NO_SYNC  where set, fsync does nothing: the control run
 * HOLDFAST_POWER_FAIL     a path; while it exists, fsync of a file in the folder `log` fails with EIO
 *
 * A note is written after its call succeeded and before the caller goes on, under one lock: notes are
 * in the order of the calls, and what a caller was told is in them. sync_file_range is let through and
 * not noted: it promises nothing (Source: Linux man-pages, sync_file_range(2), "Warning").
 *
 * A note: one byte kind, two u64, two byte strings with u32 lengths, in the byte order of the machine.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static char root[PATH_MAX];
static size_t root_length;
static int no_sync;
static const char *fail_path;
/* Draws how long a sync takes. */
static unsigned draw = 1;

/* Inodes of the files below the root, by open addressing; 0 is empty, 1 was removed. */
#define INODES (1u << 16)
static uint64_t inodes[INODES];

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("HOLDFAST_POWER_ROOT");
    const char *path = getenv("HOLDFAST_POWER_JOURNAL");
    if (folder == NULL || path == NULL) return;
    root_length = strlen(folder);
    if (root_length >= sizeof root) abort();
    memcpy(root, folder, root_length + 1);
    no_sync = getenv("HOLDFAST_POWER_NO_SYNC") != NULL;
    fail_path = getenv("HOLDFAST_POWER_FAIL");
    draw = (unsigned)getpid();
    journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) abort();
}

static void note(char kind, uint64_t a, uint64_t b, const void *one, uint32_t one_length,
                 const void *two, uint32_t two_length) {
    unsigned char head[1 + 8 + 8 + 4];
    head[0] = (unsigned char)kind;
    memcpy(head + 1, &a, 8);
    memcpy(head + 9, &b, 8);
    memcpy(head + 17, &one_length, 4);
    struct iovec parts[4] = {
        {head, sizeof head},
        {(void *)one, one_length},
        {&two_length, 4},
        {(void *)two, two_length},
    };
    ssize_t length = (ssize_t)(sizeof head + one_length + 4 + two_length);
    /* A note that is cut short would make all later ones unreadable. */
    if (syscall(SYS_writev, journal, parts, 4) != length) abort();
}

static int known(uint64_t inode) {
    for (uint32_t at = inode % INODES, n = 0; inodes[at] != 0 && n < INODES; at = (at + 1) % INODES, n++)
        if (inodes[at] == inode) return 1;
    return 0;
}

static void learn(uint64_t inode) {
    if (known(inode)) return;
    uint32_t at = inode % INODES;
    for (uint32_t n = 0; inodes[at] > 1; at = (at + 1) % INODES)
        if (++n == INODES) abort();
    inodes[at] = inode;
}

static void forget(uint64_t inode) {
    for (uint32_t at = inode % INODES, n = 0; inodes[at] != 0 && n < INODES; at = (at + 1) % INODES, n++)
        if (inodes[at] == inode) inodes[at] = 1;
}

/* The path below the root, without a leading slash, or NULL. */
static const char *below(const char *path) {
    if (journal < 0 || strncmp(path, root, root_length) != 0) return NULL;
    if (path[root_length] == 0) return path + root_length;
    return path[root_length] == '/' ? path + root_length + 1 : NULL;
}

static int path_of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    if (length < 0) return -1;
    out[length] = 0;
    return 0;
}

/* The whole path of `path` as seen from `folder`. */
static const char *whole(int folder, const char *path, char *out) {
    char base[PATH_MAX];
    if (path[0] == '/') return path;
    if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) < 0) return path;
    } else if (path_of(folder, base) != 0) {
        return path;
    }
    if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) abort();
    return out;
}

/* The inode of a regular file below the root, or 0. */
static uint64_t watched(int fd) {
    struct stat about;
    if (journal < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
    return known(about.st_ino) ? about.st_ino : 0;
}

#define LOCKED(type, statement)             \
    pthread_mutex_lock(&lock);              \
    type result = (statement);              \
    int saved = errno;
#define UNLOCK                              \
    pthread_mutex_unlock(&lock);            \
    errno = saved;                          \
    return result;

static int open_any(int folder, const char *path, int flags, mode_t mode) {
    if (journal < 0) return syscall(SYS_openat, folder, path, flags, mode);
    struct stat about;
    pthread_mutex_lock(&lock);
    int existed = fstatat(folder, path, &about, 0) == 0;
    int result = syscall(SYS_openat, folder, path, flags, mode);
    int saved = errno;
    if (result >= 0 && fstat(result, &about) == 0 && S_ISREG(about.st_mode)) {
        char name[PATH_MAX];
        const char *inside = path_of(result, name) == 0 ? below(name) : NULL;
        if (inside == NULL) {
            forget(about.st_ino);
        } else {
            learn(about.st_ino);
            if (!existed) note('C', about.st_ino, 0, inside, strlen(inside), NULL, 0);
            else if (flags & O_TRUNC) note('T', about.st_ino, 0, NULL, 0, NULL, 0);
        }
    }
    UNLOCK
}

#define MODE(flags)                                                     \
    mode_t mode = 0;                                                    \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                              \
        va_list list;                                                   \
        va_start(list, flags);                                          \
        mode = va_arg(list, mode_t);                                    \
        va_end(list);                                                   \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return open_any(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

ssize_t write(int fd, const void *bytes, size_t length) {
    uint64_t inode = watched(fd);
    if (inode == 0) return syscall(SYS_write, fd, bytes, length);
    LOCKED(ssize_t, syscall(SYS_write, fd, bytes, length))
    if (result > 0) {
        off_t end = syscall(SYS_lseek, fd, 0, SEEK_CUR);
        note('W', inode, (uint64_t)(end - result), bytes, (uint32_t)result, NULL, 0);
    }
    UNLOCK
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    uint64_t inode = watched(fd);
    if (inode == 0) return syscall(SYS_pwrite64, fd, bytes, length, offset);
    LOCKED(ssize_t, syscall(SYS_pwrite64, fd, bytes, length, offset))
    if (result > 0) note('W', inode, (uint64_t)offset, bytes, (uint32_t)result, NULL, 0);
    UNLOCK
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

/* Notes what of `parts` was written at `offset`. */
static void note_parts(uint64_t inode, const struct iovec *parts, int count, size_t written, uint64_t offset) {
    for (int n = 0; n < count && written > 0; n++) {
        size_t length = parts[n].iov_len < written ? parts[n].iov_len : written;
        if (length > 0) note('W', inode, offset, parts[n].iov_base, (uint32_t)length, NULL, 0);
        offset += length;
        written -= length;
    }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    uint64_t inode = watched(fd);
    if (inode == 0) return syscall(SYS_writev, fd, parts, count);
    LOCKED(ssize_t, syscall(SYS_writev, fd, parts, count))
    if (result > 0) {
        off_t end = syscall(SYS_lseek, fd, 0, SEEK_CUR);
        note_parts(inode, parts, count, (size_t)result, (uint64_t)(end - result));
    }
    UNLOCK
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    uint64_t inode = watched(fd);
    if (inode == 0) return syscall(SYS_pwritev, fd, parts, count, offset, 0);
    LOCKED(ssize_t, syscall(SYS_pwritev, fd, parts, count, offset, 0))
    if (result > 0) note_parts(inode, parts, count, (size_t)result, (uint64_t)offset);
    UNLOCK
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t length) {
    uint64_t inode = watched(fd);
    if (inode == 0) return syscall(SYS_ftruncate, fd, length);
    LOCKED(int, syscall(SYS_ftruncate, fd, length))
    if (result == 0) note('T', inode, (uint64_t)length, NULL, 0, NULL, 0);
    UNLOCK
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* Refused, so that callers fall back to plain writes. */
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    if (watched(fd) == 0) return syscall(SYS_fallocate, fd, mode, offset, length);
    errno = EOPNOTSUPP;
    return -1;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }
int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    if (watched(fd) != 0) return EOPNOTSUPP;
    return syscall(SYS_fallocate, fd, 0, offset, length) == 0 ? 0 : errno;
}
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
    if (watched(out) == 0) return syscall(SYS_copy_file_range, in, in_at, out, out_at, length, flags);
    errno = EXDEV;
    return -1;
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) {
    if (watched(out) == 0) return syscall(SYS_sendfile, out, in, offset, length);
    errno = EINVAL;
    return -1;
}
ssize_t sendfile(int out, int in, off_t *offset, size_t length) { return sendfile64(out, in, offset, length); }

/* Noted twice: what was written before the call is durable after it, and it takes a disk's time. */
static int sync_any(long call, int fd) {
    struct stat about;
    char name[PATH_MAX];
    if (journal < 0 || fstat(fd, &about) != 0 || path_of(fd, name) != 0) return syscall(call, fd);
    const char *inside = below(name);
    int is_folder = S_ISDIR(about.st_mode) && inside != NULL;
    int is_file = S_ISREG(about.st_mode) && known(about.st_ino);
    if (!is_folder && !is_file) return syscall(call, fd);
    if (is_file && fail_path != NULL && inside != NULL && strncmp(inside, "log/", 4) == 0 &&
        syscall(SYS_faccessat, AT_FDCWD, fail_path, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    if (no_sync) return 0;
    const char *folder = is_folder ? inside : "";
    char begin = is_folder ? 'd' : 's', end = is_folder ? 'D' : 'S';
    uint64_t thread = (uint64_t)syscall(SYS_gettid);
    pthread_mutex_lock(&lock);
    note(begin, about.st_ino, thread, folder, strlen(folder), NULL, 0);
    unsigned wait_us = (draw = draw * 1103515245u + 12345u) / 65536u % 6000u;
    pthread_mutex_unlock(&lock);
    usleep(wait_us);
    pthread_mutex_lock(&lock);
    note(end, about.st_ino, thread, folder, strlen(folder), NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}
int fsync(int fd) { return sync_any(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_any(SYS_fdatasync, fd); }

/* Runs a call that changes names, and notes it with both paths. */
#define NAMES(kind, statement, one_at, one, two_at, two)                                  \
    char one_space[PATH_MAX], two_space[PATH_MAX];                                        \
    const char *one_in = journal < 0 ? NULL : below(whole(one_at, one, one_space));       \
    const char *two_in = journal < 0 ? NULL : below(whole(two_at, two, two_space));       \
    if (one_in == NULL && two_in == NULL) return (statement);                             \
    if (one_in == NULL || two_in == NULL) abort(); /* across the border: not modelled */  \
    LOCKED(int, statement)                                                                \
    if (result == 0) note(kind, 0, 0, one_in, strlen(one_in), two_in, strlen(two_in));    \
    UNLOCK

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    NAMES('R', syscall(SYS_renameat2, from_at, from, to_at, to, flags), from_at, from, to_at, to)
}
int renameat(int from_at, const char *from, int to_at, const char *to) { return renameat2(from_at, from, to_at, to, 0); }
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    NAMES('L', syscall(SYS_linkat, from_at, from, to_at, to, flags), from_at, from, to_at, to)
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int unlinkat(int at, const char *path, int flags) {
    NAMES('U', syscall(SYS_unlinkat, at, path, flags), at, path, at, path)
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int at, const char *path, mode_t mode) {
    NAMES('M', syscall(SYS_mkdirat, at, path, mode), at, path, at, path)
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
