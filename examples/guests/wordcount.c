/* Counts the words of every file below /in. Writes /out/counts.txt, one `count word` a line, sorted by word, and a
 * line to stdout. A word is a run of ASCII letters, digits and bytes above 127; letters become lower case. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct entry {
    char *word;
    unsigned long count;
};

static struct entry *table;
static size_t slots, used;
static unsigned long words, files;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct entry *find(struct entry *in, size_t len, const char *word) {
    unsigned long hash = 2166136261u;
    for (const char *c = word; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (size_t i = hash & (len - 1);; i = (i + 1) & (len - 1))
        if (!in[i].word || strcmp(in[i].word, word) == 0) return &in[i];
}

static void grow(void) {
    size_t len = slots ? slots * 2 : 1024;
    struct entry *next = calloc(len, sizeof *next);
    if (!next) fail("calloc");
    for (size_t i = 0; i < slots; i++)
        if (table[i].word) *find(next, len, table[i].word) = table[i];
    free(table);
    table = next;
    slots = len;
}

static void count(const char *word) {
    if (used * 2 >= slots) grow();
    struct entry *entry = find(table, slots, word);
    if (!entry->word) {
        entry->word = strdup(word);
        if (!entry->word) fail("strdup");
        used++;
    }
    entry->count++;
    words++;
}

static void count_file(const char *path) {
    static char buffer[65536];
    char word[128];
    size_t length = 0, read;
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    files++;
    while ((read = fread(buffer, 1, sizeof buffer, file)) > 0) {
        for (size_t i = 0; i < read; i++) {
            unsigned char c = (unsigned char)buffer[i];
            if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c > 127) {
                if (length < sizeof word - 1) word[length++] = (char)c;
            } else if (length) {
                word[length] = 0;
                count(word);
                length = 0;
            }
        }
    }
    if (length) {
        word[length] = 0;
        count(word);
    }
    if (ferror(file)) fail(path);
    fclose(file);
}

static void count_folder(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) fail(path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char child[4096];
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        if (stat(child, &info)) fail(child);
        if (S_ISDIR(info.st_mode)) count_folder(child);
        else count_file(child);
    }
    closedir(folder);
}

static int by_word(const void *a, const void *b) {
    return strcmp(((const struct entry *)a)->word, ((const struct entry *)b)->word);
}

int main(void) {
    count_folder("/in");
    size_t kept = 0;
    for (size_t i = 0; i < slots; i++)
        if (table[i].word) table[kept++] = table[i];
    qsort(table, kept, sizeof *table, by_word);
    FILE *out = fopen("/out/counts.txt", "w");
    if (!out) fail("/out/counts.txt");
    for (size_t i = 0; i < kept; i++) fprintf(out, "%lu %s\n", table[i].count, table[i].word);
    if (fclose(out)) fail("/out/counts.txt");
    printf("%lu words, %zu different, in %lu files\n", words, kept, files);
    return 0;
}
