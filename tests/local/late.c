/*
 * A file system that answers late or wrongly, as network file systems do: preloaded into a
 * process, it changes what system calls say about files below the folder LATE_ROOT.
 *
 * LATE lists what is wrong:
 *   full    a file keeps 4 bytes; the rest is lost when a descriptor of it is closed (ENOSPC)
 *   nosync  with "full": fsync says nothing of it, as where a file system has no fsync
 *   close   every close fails (EIO), and has closed all the same
 *   link    a link is made, and the answer is EEXIST
 *   rename  a rename is done, and the answer is ENOENT
 *   eio     as "link", with the answer EIO
 *   xattr   attributes cannot be read (EIO)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

#define KEPT 4
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int wrong(const char *kind) {
    const char *kinds = getenv("LATE");
    return kinds != NULL && strstr(kinds, kind) != NULL;
}

static int ours(int fd) {
    char name[64], path[PATH_MAX];
    const char *root = getenv("LATE_ROOT");
    if (root == NULL || getenv("LATE") == NULL) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return strncmp(path, root, strlen(root)) == 0;
}

static int is_full(int fd) {
    struct stat found;
    int saved = errno, flags = fcntl(fd, F_GETFL);
    int full = (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH) && fstat(fd, &found) == 0 &&
               S_ISREG(found.st_mode) && found.st_size > KEPT && ftruncate(fd, KEPT) == 0;
    errno = saved;
    return full;
}

int close(int fd) {
    int mine = ours(fd), error = 0;
    if (mine && wrong("full") && is_full(fd)) error = ENOSPC;
    if (mine && wrong("close")) error = EIO;
    int done = REAL(close)(fd);
    if (error == 0 || done < 0) return done;
    errno = error;
    return -1;
}

int fsync(int fd) {
    if (ours(fd) && wrong("full") && !wrong("nosync") && is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(fsync)(fd);
}

int linkat(int from, const char *old, int to, const char *new, int flags) {
    int done = REAL(linkat)(from, old, to, new, flags);
    if (done < 0 || !ours(to) || !(wrong("link") || wrong("eio"))) return done;
    errno = wrong("eio") ? EIO : EEXIST;
    return -1;
}

int renameat(int from, const char *old, int to, const char *new) {
    int done = REAL(renameat)(from, old, to, new);
    if (done < 0 || !ours(to) || !wrong("rename")) return done;
    errno = ENOENT;
    return -1;
}

/* What asks for it goes by links instead. */
int renameat2(int from, const char *old, int to, const char *new, unsigned int flags) {
    if ((wrong("link") || wrong("eio")) && flags != 0) {
        errno = EINVAL;
        return -1;
    }
    return REAL(renameat2)(from, old, to, new, flags);
}

ssize_t getxattr(const char *path, const char *name, void *value, size_t size) {
    if (wrong("xattr")) {
        errno = EIO;
        return -1;
    }
    return REAL(getxattr)(path, name, value, size);
}
