/* A disk that fails when it is told to: loaded before the C library (LD_PRELOAD), it lets calls on some files fail.
 *
 * The file named by FAILING_DISK holds an error number (0: all is well) as 4 bytes, whether reading fails too as one
 * byte, and the part of a path that is meant, ended by a zero byte. It is mapped, so that a test changes it at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct order { volatile int error; volatile char reads; volatile char part[251]; };

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

static int fails(int file) {
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

static int opens(const char *path, int flags) {
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (!order || !order->error || !is_meant(path) || !(writes || order->reads)) return 0;
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
int fsync(int f) { return fails(f) ? -1 : REAL(fsync)(f); }
int fdatasync(int f) { return fails(f) ? -1 : REAL(fdatasync)(f); }
int ftruncate(int f, off_t n) { return fails(f) ? -1 : REAL(ftruncate)(f, n); }
int ftruncate64(int f, off64_t n) { return fails(f) ? -1 : REAL(ftruncate64)(f, n); }
ssize_t pread(int f, void *b, size_t n, off_t o) { return order && order->reads && fails(f) ? -1 : REAL(pread)(f, b, n, o); }
ssize_t pread64(int f, void *b, size_t n, off64_t o) { return order && order->reads && fails(f) ? -1 : REAL(pread64)(f, b, n, o); }
