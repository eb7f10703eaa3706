/* A program that shares a struct by name, or in a file, and knows nothing of the crate.
 *
 *     peer name|file WHERE OFFSET COMMAND [NUMBER]
 *
 * The number is how often, or, to create, how many bytes if not those of a sample at the offset.
 */
#ifdef _WIN32
#define __USE_MINGW_ANSI_STDIO 1
#else
#define _XOPEN_SOURCE 700
#endif

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    uint8_t kind;
    double value;
    uint16_t counts[3];
    _Atomic uint32_t turn;
    _Atomic uint64_t total;
    uint8_t last;
};

#ifdef _WIN32

#include <windows.h>

static void fail(const char *what) {
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    exit(1);
}

static void yield(void) { SwitchToThread(); }

static char *map(int named, const char *where, int creates, size_t length) {
    HANDLE file = INVALID_HANDLE_VALUE, mapping;
    DWORD high = (DWORD)((uint64_t)length >> 32), low = (DWORD)length;
    if (!named) {
        file = CreateFileA(where, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                           creates ? CREATE_NEW : OPEN_EXISTING, 0, NULL);
        if (file == INVALID_HANDLE_VALUE)
            fail("CreateFile");
    }
    if (named && !creates)
        mapping = OpenFileMappingA(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, where);
    else
        mapping = CreateFileMappingA(file, NULL, PAGE_READWRITE, creates ? high : 0, creates ? low : 0,
                                     named ? where : NULL);
    if (!mapping || (named && creates && GetLastError() == ERROR_ALREADY_EXISTS))
        fail("a file mapping");
    char *memory = MapViewOfFile(mapping, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, length);
    if (!memory)
        fail("MapViewOfFile");
    return memory;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void yield(void) { sched_yield(); }

static char *map(int named, const char *name, int creates, size_t length) {
    char where[4096];
    /* A name begins with a slash everywhere. */
    snprintf(where, sizeof where, "%s%s", named ? "/" : "", name);
    int flags = O_RDWR | (creates ? O_CREAT | O_EXCL : 0);
    int fd = named ? shm_open(where, flags, 0600) : open(where, flags, 0600);
    if (fd < 0)
        fail("open");
    if (creates && ftruncate(fd, (off_t)length))
        fail("ftruncate");
    struct stat status;
    if (fstat(fd, &status))
        fail("fstat");
    if ((size_t)status.st_size < length) {
        fprintf(stderr, "%zu bytes expected, %zu found\n", length, (size_t)status.st_size);
        exit(1);
    }
    char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    close(fd);
    return memory;
}

#endif

static void show(const struct sample *sample) {
    printf("sample: %u %.3f %u,%u,%u %u %llu %u\n", sample->kind, sample->value, sample->counts[0], sample->counts[1],
           sample->counts[2], atomic_load(&sample->turn), (unsigned long long)atomic_load(&sample->total), sample->last);
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fputs("peer name|file WHERE OFFSET COMMAND [NUMBER]\n", stderr);
        return 2;
    }
    int named = !strcmp(argv[1], "name");
    const char *command = argv[4];
    size_t offset = strtoul(argv[3], NULL, 10), whole = offset + sizeof(struct sample);
    uint64_t number = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;

    if (!strcmp(command, "layout")) {
        printf("layout: %zu %zu: %zu %zu %zu %zu %zu %zu\n", sizeof(struct sample), _Alignof(struct sample),
               offsetof(struct sample, kind), offsetof(struct sample, value), offsetof(struct sample, counts),
               offsetof(struct sample, turn), offsetof(struct sample, total), offsetof(struct sample, last));
        return 0;
    }

    int creates = !strcmp(command, "create");
    size_t length = creates && number ? (size_t)number : whole;
    char *memory = map(named, argv[2], creates, length);
    struct sample *sample = (struct sample *)(memory + offset);

    if (creates) {
        if (length >= whole) {
            sample->kind = 7;
            sample->value = 2.5;
            for (int i = 0; i < 3; i++)
                sample->counts[i] = (uint16_t)(10 * i + 1);
            atomic_store(&sample->total, 1ULL << 40);
            sample->last = 200;
            atomic_store(&sample->turn, 1);
        }
        puts("created: until the end of the input");
        fflush(stdout);
        while (getchar() != EOF)
            ;
    } else if (!strcmp(command, "change")) {
        show(sample);
        sample->kind += 1;
        sample->value *= 2;
        for (int i = 0; i < 3; i++)
            sample->counts[i] += 100;
        atomic_fetch_add(&sample->total, 5);
        sample->last -= 1;
        atomic_fetch_add(&sample->turn, 1);
    } else if (!strcmp(command, "look on")) {
        /* What is there whenever a line comes. */
        for (int c = getchar(); c != EOF; c = getchar()) {
            if (c == '\n') {
                show(sample);
                fflush(stdout);
            }
        }
    } else if (!strcmp(command, "count")) {
        atomic_store(&sample->turn, 1);
        for (uint64_t i = 0; i < number; i++)
            atomic_fetch_add_explicit(&sample->total, 1, memory_order_relaxed);
    } else if (!strcmp(command, "take turns")) {
        /* The other side has the even turns, this one the odd. */
        for (uint64_t turn = 1; turn < 2 * number; turn += 2) {
            while (atomic_load_explicit(&sample->turn, memory_order_acquire) != turn)
                yield();
            sample->value += 1;
            atomic_store_explicit(&sample->turn, (uint32_t)turn + 1, memory_order_release);
        }
    } else {
        fprintf(stderr, "there is no command %s\n", command);
        return 2;
    }
    return 0;
}
