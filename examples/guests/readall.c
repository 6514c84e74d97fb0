/* Reads every file named as an argument (below /in) in pieces of 64 KiB and prints for each a chain of SHA-256: the
 * digest of (digest so far, digest of the piece), beginning with 32 zero bytes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "icn_mesh_v1.h"

static unsigned char piece[65536];

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        char path[4096];
        unsigned char chain[64] = {0};
        unsigned long long bytes = 0;
        ssize_t got;
        snprintf(path, sizeof path, "/in/%s", argv[i]);
        int file = open(path, O_RDONLY);
        if (file < 0) {
            perror(path);
            return 1;
        }
        while ((got = read(file, piece, sizeof piece)) > 0) {
            host_sha256(piece, (uint32_t)got, chain + 32);
            host_sha256(chain, 64, chain);
            bytes += (unsigned long long)got;
        }
        if (got < 0) {
            perror(path);
            return 1;
        }
        close(file);
        for (int n = 0; n < 32; n++) printf("%02x", chain[n]);
        printf("  %llu  %s\n", bytes, argv[i]);
    }
    return 0;
}
