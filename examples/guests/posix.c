/* Goes through the file operations of POSIX over /in and /out and says where they differ from what is expected.
 * The runtime's tests run it; it is also a quick check of another compiler or libc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int failures;

#define EXPECT(condition)                                                                 \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            printf("line %d: %s (errno %d)\n", __LINE__, #condition, errno);              \
            failures++;                                                                   \
        }                                                                                 \
    } while (0)

/* The call fails with the given errno. */
#define FAILS(call, number)      \
    do {                         \
        errno = 0;               \
        EXPECT((call) < 0);      \
        EXPECT(errno == number); \
    } while (0)

static void reading(void) {
    char buffer[32] = {0};
    int file = open("/in/a.txt", O_RDONLY);
    EXPECT(file >= 0);
    EXPECT(read(file, buffer, 5) == 5 && memcmp(buffer, "hello", 5) == 0);
    EXPECT(lseek(file, 0, SEEK_CUR) == 5);
    EXPECT(lseek(file, -5, SEEK_END) == 6);
    EXPECT(read(file, buffer, sizeof buffer) == 5 && memcmp(buffer, "world", 5) == 0);
    EXPECT(read(file, buffer, sizeof buffer) == 0);
    EXPECT(pread(file, buffer, 4, 1) == 4 && memcmp(buffer, "ello", 4) == 0);
    EXPECT(lseek(file, 0, SEEK_CUR) == 11);
    FAILS(lseek(file, -1, SEEK_SET), EINVAL);
    FAILS(write(file, "x", 1), EBADF);
    EXPECT(close(file) == 0);
    FAILS(close(file), EBADF);
    FAILS(open("/in/a.txt", O_RDWR), EROFS);
    FAILS(open("/in/new", O_CREAT | O_WRONLY, 0666), EROFS);
    FAILS(open("/new", O_CREAT | O_WRONLY, 0666), EROFS);
    FAILS(open("/in/none", O_RDONLY), ENOENT);
    FAILS(open("/in/a.txt/x", O_RDONLY), ENOTDIR);
    FAILS(open("/in/a.txt", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(unlink("/in/a.txt"), EROFS);
    FAILS(mkdir("/in/d", 0777), EROFS);
    FAILS(rmdir("/in"), EROFS);
    FAILS(rename("/in/a.txt", "/out/a.txt"), EROFS);
    /* Relative names start at /. */
    file = open("in/sub/b.txt", O_RDONLY);
    EXPECT(file >= 0 && read(file, buffer, 1) == 1 && buffer[0] == 'b');
    close(file);
}

static void writing(void) {
    char buffer[32] = {0};
    int file = open("/out/f", O_CREAT | O_EXCL | O_RDWR, 0666);
    EXPECT(file >= 0);
    EXPECT(write(file, "0123456789", 10) == 10);
    EXPECT(pwrite(file, "AB", 2, 4) == 2);
    EXPECT(lseek(file, 0, SEEK_SET) == 0);
    EXPECT(read(file, buffer, sizeof buffer) == 10 && memcmp(buffer, "0123AB6789", 10) == 0);
    EXPECT(ftruncate(file, 3) == 0);
    EXPECT(pwrite(file, "x", 1, 6) == 1);
    EXPECT(pread(file, buffer, sizeof buffer, 0) == 7 && memcmp(buffer, "012\0\0\0x", 7) == 0);
    EXPECT(close(file) == 0);
    FAILS(open("/out/f", O_CREAT | O_EXCL | O_RDWR, 0666), EEXIST);
    file = open("/out/f", O_WRONLY | O_APPEND);
    EXPECT(write(file, "yz", 2) == 2);
    FAILS(read(file, buffer, 1), EBADF);
    EXPECT((fcntl(file, F_GETFL) & O_APPEND) != 0);
    close(file);
    struct stat info;
    EXPECT(stat("/out/f", &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 9);
    EXPECT(info.st_ino == 0 && info.st_mtim.tv_sec == 0);
    file = open("/out/f", O_WRONLY | O_TRUNC);
    EXPECT(fstat(file, &info) == 0 && info.st_size == 0);
    EXPECT(write(file, "kept", 4) == 4);
    close(file);
    /* An unlinked file lives on while it is open. */
    file = open("/out/gone", O_CREAT | O_RDWR, 0666);
    EXPECT(write(file, "gone", 4) == 4 && unlink("/out/gone") == 0);
    EXPECT(pread(file, buffer, 4, 0) == 4 && memcmp(buffer, "gone", 4) == 0);
    FAILS(stat("/out/gone", &info), ENOENT);
    close(file);
}

static void folders(void) {
    EXPECT(mkdir("/out/d", 0777) == 0);
    FAILS(mkdir("/out/d", 0777), EEXIST);
    EXPECT(mkdir("/out/d/e", 0777) == 0);
    FAILS(rmdir("/out/d"), ENOTEMPTY);
    FAILS(unlink("/out/d"), EISDIR);
    FAILS(rename("/out/d", "/out/d/e/x"), EINVAL);
    FAILS(rename("/out/d", "/out/f"), ENOTDIR);
    FAILS(rename("/out/f", "/out/d"), EISDIR);
    EXPECT(rename("/out/f", "/out/d/e/g") == 0);
    EXPECT(rename("/out/d", "/out/moved") == 0);
    struct stat info;
    EXPECT(stat("/out/moved/e/g", &info) == 0 && info.st_size == 4);
    EXPECT(stat("/out/moved/../moved/./e/", &info) == 0 && S_ISDIR(info.st_mode));
    FAILS(rmdir("/out/moved/e/g"), ENOTDIR);
    FAILS(open("/out/moved", O_WRONLY), EISDIR);
    FAILS(link("/out/moved/e/g", "/out/link"), ENOTSUP);
    FAILS(symlink("/out/moved/e/g", "/out/link"), ENOTSUP);
    FAILS(open("/out/back\\slash", O_CREAT | O_WRONLY, 0666), EINVAL);
    FAILS(open("/out/stdout", O_CREAT | O_WRONLY, 0666), EINVAL);
    char long_name[300];
    memset(long_name, 'n', sizeof long_name - 1);
    memcpy(long_name, "/out/", 5);
    long_name[sizeof long_name - 1] = 0;
    FAILS(open(long_name, O_CREAT | O_WRONLY, 0666), ENAMETOOLONG);
}

/* Names come in the order of their bytes, and removing while listing misses none. */
static void listing(void) {
    char last[64] = "", path[64];
    int seen = 0;
    EXPECT(mkdir("/out/many", 0777) == 0);
    for (int i = 299; i >= 0; i--) {
        snprintf(path, sizeof path, "/out/many/%d", i);
        int file = open(path, O_CREAT | O_WRONLY, 0666);
        EXPECT(file >= 0);
        close(file);
    }
    DIR *folder = opendir("/out/many");
    for (struct dirent *entry; folder && (entry = readdir(folder)); seen++) {
        EXPECT(strcmp(last, entry->d_name) < 0);
        EXPECT(entry->d_ino == 0);
        snprintf(last, sizeof last, "%s", entry->d_name);
        snprintf(path, sizeof path, "/out/many/%s", entry->d_name);
        EXPECT(unlink(path) == 0);
    }
    EXPECT(seen == 300);
    closedir(folder);
    EXPECT(rmdir("/out/many") == 0);
}

static void clocks(void) {
    struct timespec first, second;
    EXPECT(clock_gettime(CLOCK_REALTIME, &first) == 0);
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &second) == 0);
    EXPECT(first.tv_sec == 946684800);
    EXPECT((second.tv_sec - first.tv_sec) * 1000000000LL + second.tv_nsec - first.tv_nsec == 1000000);
    struct timespec day = {86400, 0};
    EXPECT(nanosleep(&day, NULL) == 0);
    EXPECT(clock_gettime(CLOCK_REALTIME, &second) == 0);
    EXPECT(second.tv_sec == 946684800 + 86400);
}

int main(void) {
    clocks();
    reading();
    writing();
    folders();
    listing();
    for (int fd = 0; fd < 3; fd++) EXPECT(isatty(fd) == 0);
    printf(failures ? "%d failures\n" : "all as expected\n", failures);
    return failures ? 1 : 0;
}
