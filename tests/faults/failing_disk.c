/* A disk that fails when it is told to: loaded before the C library (LD_PRELOAD), it lets calls on some files fail.
 *
 * The file named by FAILING_DISK holds an error number (0: all is well) as 4 bytes, what fails as one byte (a letter:
 * see below), and the part of a path that is meant, ended by a zero byte. It is mapped, so that a test changes it at
 * any time. The kernel's asynchronous I/O is asked for by `syscall`: what it tells of a file that is meant is changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITES = 'w', READS_TOO = 'r', SYNCS_ONLY = 's' };

struct order { volatile int error; volatile char kind; volatile char part[251]; };

static struct order *order;

#define REAL(name) ({ static __typeof__(&name) found; if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); found; })

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAILING_DISK");
    int file = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *order, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) order = found;
}

static int is_meant(const char *path) { return strstr(path, (const char *)order->part) != NULL; }

static int fails_to_sync(int file) {
    char link[64], path[4096];
    if (!order || !order->error) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    if (!is_meant(path)) return 0;
    errno = order->error;
    return 1;
}

static int fails(int file) { return order && order->kind != SYNCS_ONLY && fails_to_sync(file); }

static int fails_to_read(int file) { return order && order->kind == READS_TOO && fails_to_sync(file); }

static int opens(const char *path, int flags) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (!order || !order->error || !is_meant(path) || !(order->kind == READS_TOO || (writes && order->kind == WRITES))) return 0;
    errno = order->error;
    return 1;
}

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        va_list rest; va_start(rest, flags);                                    \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                                           \
        return opens(path, flags) ? -1 : REAL(name)(path, flags, mode);         \
    }
OPEN(open)
OPEN(open64)

ssize_t pwrite(int f, const void *b, size_t n, off_t o) { return fails(f) ? -1 : REAL(pwrite)(f, b, n, o); }
ssize_t pwrite64(int f, const void *b, size_t n, off64_t o) { return fails(f) ? -1 : REAL(pwrite64)(f, b, n, o); }
ssize_t write(int f, const void *b, size_t n) { return fails(f) ? -1 : REAL(write)(f, b, n); }
ssize_t pwritev(int f, const struct iovec *v, int n, off_t o) { return fails(f) ? -1 : REAL(pwritev)(f, v, n, o); }
ssize_t pwritev64(int f, const struct iovec *v, int n, off64_t o) { return fails(f) ? -1 : REAL(pwritev64)(f, v, n, o); }
ssize_t pwritev2(int f, const struct iovec *v, int n, off_t o, int g) { return fails(f) ? -1 : REAL(pwritev2)(f, v, n, o, g); }
ssize_t pwritev64v2(int f, const struct iovec *v, int n, off64_t o, int g) { return fails(f) ? -1 : REAL(pwritev64v2)(f, v, n, o, g); }
int posix_fallocate(int f, off_t o, off_t n) { return fails(f) ? errno : REAL(posix_fallocate)(f, o, n); }
int posix_fallocate64(int f, off64_t o, off64_t n) { return fails(f) ? errno : REAL(posix_fallocate64)(f, o, n); }
int fsync(int f) { return fails_to_sync(f) ? -1 : REAL(fsync)(f); }
int fdatasync(int f) { return fails_to_sync(f) ? -1 : REAL(fdatasync)(f); }
int ftruncate(int f, off_t n) { return fails(f) ? -1 : REAL(ftruncate)(f, n); }
int ftruncate64(int f, off64_t n) { return fails(f) ? -1 : REAL(ftruncate64)(f, n); }
ssize_t pread(int f, void *b, size_t n, off_t o) { return fails_to_read(f) ? -1 : REAL(pread)(f, b, n, o); }
ssize_t pread64(int f, void *b, size_t n, off64_t o) { return fails_to_read(f) ? -1 : REAL(pread64)(f, b, n, o); }

long syscall(long number, ...) {
    long given[6];
    va_list rest;
    va_start(rest, number);
    for (int place = 0; place < 6; place++) given[place] = va_arg(rest, long);
    va_end(rest);
    long done = REAL(syscall)(number, given[0], given[1], given[2], given[3], given[4], given[5]);
    if (number == SYS_io_getevents) {
        struct io_event *events = (struct io_event *)given[3];
        for (long place = 0; place < done; place++)
            if (fails_to_sync(((struct iocb *)events[place].obj)->aio_fildes)) events[place].res = -errno;
    }
    return done;
}
